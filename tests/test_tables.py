"""Tables of the command line, at every width: no cell is lost, no line too wide or padded."""

from __future__ import annotations

import io
from collections import Counter

import pytest
from rich.cells import cell_len
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tinyol_host.cli.tables import pairs_table, print_table

ROWS = [
    ("classifier.learning_rate", "0.05", "0 to 100", "a"),
    ("anomaly.threshold", "1000000", "0 to 1000000, whole", ""),
    ("[bold]名前[/bold]", "1", "all that there is of it, and then some more", "b"),
]


def table() -> Table:
    found = Table(box=None, pad_edge=False)
    found.add_column("setting", overflow="fold")
    found.add_column("value", justify="right", no_wrap=True)
    found.add_column("the range of it", no_wrap=True)
    found.add_column("note", no_wrap=True)
    for row in ROWS:
        found.add_row(*map(escape, row))
    return found


def printed(found: Table, width: int) -> list[str]:
    out = io.StringIO()
    print_table(Console(file=out, width=width, highlight=False), found)
    return out.getvalue().splitlines()


@pytest.mark.parametrize("width", [10, 20, 40, 60, 80, 100, 200])
def test_nothing_is_lost_at_any_width(width: int) -> None:
    lines = printed(table(), width)
    assert max(cell_len(line) for line in lines) <= width
    assert all(line == line.rstrip() for line in lines)
    text = "".join(lines)
    cells = Counter("".join(cell for row in ROWS for cell in row).replace(" ", ""))
    assert cells <= Counter(text)
    assert "…" not in text
    assert "setting" in lines[0]


def test_where_they_fit_the_columns_stand_side_by_side() -> None:
    lines = printed(table(), 100)
    assert lines[0].split() == ["setting", "value", "the", "range", "of", "it", "note"]
    assert len(lines) == 4
    assert lines[1].split()[:2] == ["classifier.learning_rate", "0.05"]


def test_where_they_do_not_each_row_is_a_block() -> None:
    assert printed(table(), 44) == [
        "setting",
        "classifier.learning_rate",
        "  value            0.05",
        "  the range of it  0 to 100",
        "  note             a",
        "anomaly.threshold",
        "  value            1000000",
        "  the range of it  0 to 1000000, whole",
        "[bold]名前[/bold]",
        "  value            1",
        "  the range of it  all that there is of it,",
        "                   and then some more",
        "  note             b",
    ]


def test_names_and_values_fold_their_values() -> None:
    lines = printed(pairs_table([("name", "a value of many words"), ("x", "[dim]")]), 16)
    assert lines == ["name  a value of", "      many words", "x     [dim]"]
