"""A line a stage while a board is flashed, on stderr; nothing where stderr is no terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tinyol_host.cli.terminal import is_terminal
from tinyol_host.flashing.stages import UNITS, Show, Stage


@contextmanager
def stage_bars() -> Iterator[Show]:
    """Gives show(stage, done, total, note); the bar of the stage before is then full."""
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

    width = max(len(stage.value) for stage in Stage)
    bars = Progress(
        TextColumn(f"{{task.description:<{width}}}"),
        BarColumn(bar_width=30),
        TimeElapsedColumn(),
        TextColumn("{task.fields[count]} {task.fields[note]}"),
        console=Console(stderr=True),
        disable=not is_terminal(sys.stderr),
    )
    now: Stage | None = None
    task: TaskID | None = None

    def finish() -> None:
        if task is not None:
            bars.update(task, total=1, completed=1, note="")
            bars.stop_task(task)

    def show(stage: Stage, done: int, total: int | None, note: str) -> None:
        nonlocal now, task
        if stage is not now or task is None:
            finish()
            bars.start()
            now, task = stage, bars.add_task(stage.value, total=total, count="", note="")
        unit = UNITS.get(stage, "")
        count = f"{done:,} {unit}" if unit else ""
        bars.update(task, completed=done, total=total, count=count, note=escape(note))

    try:
        yield show
        finish()
    finally:
        bars.stop()
