"""Tables of the command line: nothing is cut off at any width, no blanks end a line.

Where the columns do not fit side by side, each row becomes a block: its first cell as a heading,
then a line for each other column.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.cells import cell_len
from rich.console import Console, RenderableType
from rich.markup import escape
from rich.segment import Segment, Segments
from rich.table import Column, Table
from rich.text import Text

_FOLDED = 12  # a column that may be folded is given so many characters, or has less to say
_BETWEEN = 2  # blanks


def pairs_table(rows: Iterable[tuple[str, str]]) -> Table:
    """Names and values, as they are: what looks like markup in them is none."""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows:
        table.add_row(escape(name), escape(value))
    return table


def print_table(console: Console, table: Table) -> None:
    """Prints it, as blocks where it is too wide; its cells are text."""
    if table.show_header and _least_width(table) > console.width:
        _print_blocks(console, table)
    else:
        _print_trimmed(console, table)


def _least_width(table: Table) -> int:
    widths = [_least_column(column) for column in table.columns]
    return sum(widths) + _BETWEEN * max(0, len(widths) - 1)


def _least_column(column: Column) -> int:
    cells = [column.header, *column.cells]
    width = max(cell_len(line) for cell in cells for line in _text(cell).plain.split("\n"))
    return width if column.no_wrap else min(width, _FOLDED)


def _text(cell: RenderableType) -> Text:
    return cell.copy() if isinstance(cell, Text) else Text.from_markup(str(cell))


def _print_blocks(console: Console, table: Table) -> None:
    first, *others = table.columns
    if _text(first.header).plain:
        _print_trimmed(console, _folded([first.header], style="bold"))
    values = [list(column.cells) for column in others]
    for i, heading in enumerate(first.cells):
        _print_trimmed(console, _folded([heading]))
        block = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
        block.add_column(style="dim", overflow="fold")
        block.add_column(overflow="fold")
        for column, cells in zip(others, values, strict=True):
            if _text(cells[i]).plain:
                block.add_row(Text("  ").append_text(_text(column.header)), _text(cells[i]))
        if block.row_count:
            _print_trimmed(console, block)


def _folded(cells: Sequence[RenderableType], style: str = "") -> Table:
    line = Table(box=None, pad_edge=False, show_header=False)
    line.add_column(overflow="fold", style=style)
    for cell in cells:
        line.add_row(cell)
    return line


def _print_trimmed(console: Console, table: Table) -> None:
    # rich pads every line to the table's width.
    for line in console.render_lines(table, pad=False):
        while line and not line[-1].text.rstrip():
            line.pop()
        if line:
            last = line.pop()
            line.append(Segment(last.text.rstrip(), last.style))
        console.print(Segments([*line, Segment.line()]), end="")
