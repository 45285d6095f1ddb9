"""Tables of the command line, printed without blanks at the ends of lines."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console
from rich.markup import escape
from rich.segment import Segment, Segments
from rich.table import Table


def pairs_table(rows: Iterable[tuple[str, str]]) -> Table:
    """Names and values, as they are: what looks like markup in them is none."""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows:
        table.add_row(escape(name), escape(value))
    return table


def print_table(console: Console, table: Table) -> None:
    """Prints it; rich pads every line to the table's width, which this takes away again."""
    for line in console.render_lines(table, pad=False):
        while line and not line[-1].text.rstrip():
            line.pop()
        if line:
            last = line.pop()
            line.append(Segment(last.text.rstrip(), last.style))
        console.print(Segments([*line, Segment.line()]), end="")
