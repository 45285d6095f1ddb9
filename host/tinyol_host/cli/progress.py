"""A progress bar on stderr; nothing where stderr is no terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from tinyol_host.cli.terminal import is_terminal


class Show(Protocol):
    """Moves the bar."""

    def __call__(self, done: int, note: str = "", total: int | None = None) -> None:
        """To `done`, and a few words behind it; total, where it is known only now."""


@contextmanager
def progress_bar(title: str, total: int | None, unit: str) -> Iterator[Show]:
    """Gives show(done, note); total=None where there is no end to it."""
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    of_total = "" if total is None else " of {task.total:,.0f}"
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        TextColumn(f"{{task.completed:,.0f}}{of_total} {unit}"),
        TimeElapsedColumn(),
        TextColumn("{task.fields[note]}"),
    )
    visible = is_terminal(sys.stderr)
    bar = Progress(*columns, console=Console(stderr=True), disable=not visible)
    task = bar.add_task(escape(title), total=total, note="")

    def show(done: int, note: str = "", total: int | None = total) -> None:
        bar.start()  # not before: what is printed until then does not end up behind the bar
        bar.update(task, completed=done, total=total, note=escape(note))

    try:
        yield show
    finally:
        bar.stop()
