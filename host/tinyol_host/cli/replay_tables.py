"""What `tinyol replay` prints: a replay's summary as tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tinyol_host.cli.tables import pairs_table, print_table
from tinyol_sim.reporting.replay_summary import (
    CLASS_COLUMNS,
    ERROR_COLUMNS,
    NOTICE_COLUMNS,
    class_rows,
    error_rows,
    headline,
    notice_rows,
)


def print_summary(summary: Mapping[str, Any]) -> None:
    """The replay's headline, its tables, its notes and what was written."""
    console = Console(highlight=False)
    print_table(console, pairs_table(headline(summary)))
    for columns, rows in (
        (NOTICE_COLUMNS, notice_rows(summary)),
        (ERROR_COLUMNS, error_rows(summary)),
        (CLASS_COLUMNS, class_rows(summary)),
    ):
        if rows:
            console.print()
            print_table(console, figures_table(columns, rows))
    notes = [f"note: {note}" for note in summary["notes"]]
    places = [f"{name}: {path}" for name, path in _places(summary)]
    if notes or places:
        console.print()
    for line in (*notes, *places):
        console.print(escape(line), soft_wrap=True)


def _places(summary: Mapping[str, Any]) -> list[tuple[str, str]]:
    places = [("state", summary["state"].get("file")), ("report", summary.get("report"))]
    return [(name, path) for name, path in places if path is not None]


def figures_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    """A first column of names, then figures."""
    table = Table(box=None, pad_edge=False)
    table.add_column(columns[0], overflow="fold")
    for title in columns[1:]:
        table.add_column(title, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(*(escape(cell) for cell in row))
    return table
