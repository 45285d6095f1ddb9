"""What `tinyol sweep` prints: its plan, and what came of it."""

from __future__ import annotations

import json
from collections.abc import Mapping

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tinyol_host.cli.tables import print_table
from tinyol_sim.counted import counted
from tinyol_sim.sweep.grid import Grid
from tinyol_sim.sweep.overview import overview
from tinyol_sim.sweep.sweep import SweepResult

MOST_LINES = 40


def print_plan(grid: Grid, done: int, as_json: bool) -> None:
    """done: jobs that the journal has."""
    choices = len(grid) // (len(grid.sources) * len(grid.models))
    if as_json:
        plan = {
            "jobs": len(grid),
            "done": done,
            "recordings": len(grid.sources),
            "models": len(grid.models),
            "choices": choices,
        }
        click.echo(json.dumps(plan, indent=2))
        return
    click.echo(
        f"{counted(len(grid), 'job')}: {counted(len(grid.sources), 'recording')} x"
        f" {counted(len(grid.models), 'model')} x {counted(choices, 'choice')} of settings;"
        f" {done:,} done, {len(grid) - done:,} to do"
    )


def print_result(result: SweepResult, axes: Mapping[str, type], as_json: bool) -> None:
    """The files, what was done, and every choice at a glance."""
    if as_json:
        described = {
            "table": str(result.table),
            "journal": str(result.journal),
            "jobs": len(result.rows),
            "kept": result.kept,
            "ran": result.ran,
            "failed": len(result.failed),
            "seconds": result.seconds,
            "rows": result.rows,
        }
        click.echo(json.dumps(described, indent=2, allow_nan=False))
        return
    console = Console(highlight=False)
    titles, cells = overview(result.rows, axes)
    table = Table(box=None, pad_edge=False)
    for title in titles:
        table.add_column(escape(title), justify="right", overflow="fold")
    for row in cells[:MOST_LINES]:
        table.add_row(*map(escape, row))
    print_table(console, table)
    if len(cells) > MOST_LINES:
        click.echo(f"and {len(cells) - MOST_LINES:,} more, in the table")
    click.echo(
        f"\n{counted(len(result.rows), 'job')}: {result.kept:,} kept from before,"
        f" {result.ran:,} done in {result.seconds:.1f} s"
    )
    click.echo(f"table: {result.table}")
