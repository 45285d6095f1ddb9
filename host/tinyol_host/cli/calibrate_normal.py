"""`tinyol calibrate` where the alarm is two-sided: the board learns anew what is normal."""

from __future__ import annotations

import asyncio
import json
import math
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import click

from tinyol_host.cli.device_options import ctrl_c_sets
from tinyol_host.cli.duration import duration
from tinyol_host.cli.pace import Pace
from tinyol_host.cli.progress import Show, progress_bar
from tinyol_host.cli.second_thoughts import ALARM, warn
from tinyol_sim.counted import counted
from tinyol_sim.text import printable

if TYPE_CHECKING:
    from tinyol_host.board import Board
    from tinyol_host.normal_calibration import NormalFound, NormalPlan
    from tinyol_host.watch_replies import Watch

_STRANGE = 0.2  # share of the windows that no class explains, above which classes want relearning


async def calibrate_normal(board: Board, plan: NormalPlan, as_json: bool) -> bool:
    """Does it, and prints what came of it; False: it was stopped by Ctrl-C."""
    from tinyol_host import normal_calibration
    from tinyol_host.reply_or_stop import StoppedError
    from tinyol_host.uri import speed_of

    identity = board.identity
    takes_s = (plan.fine_tune + plan.windows) * identity.hop / identity.rate_hz
    takes_s /= speed_of(board.uri.options.get("speed", "1"))
    stop = asyncio.Event()
    with ctrl_c_sets(stop), ExitStack() as stack:
        if not as_json:
            tuning = f"fine-tuning over {counted(plan.fine_tune, 'window')}, then "
            click.echo(
                f"calibrating: {tuning if plan.fine_tune else ''}watching"
                f" {counted(plan.windows, 'window')}, about {duration(takes_s)}; Ctrl-C ends it"
            )
        try:
            found = await normal_calibration.calibrate_normal(
                board, plan, stop=stop, show=_Bars(stack), alarm=lambda: warn(ALARM)
            )
        except StoppedError as stopped:
            stack.close()
            click.echo(printable(str(stopped)), err=True)
            return False
    names = await board.classes()
    taught = [
        name for name, one in zip(names, await board.class_status(), strict=False) if one.lessons
    ]
    if as_json:
        click.echo(json.dumps(_facts(plan, found, names), indent=2))
    else:
        lasted_s = plan.windows * identity.hop / identity.rate_hz
        click.echo(
            f"normal is what the last {counted(plan.windows, 'window')} ({lasted_s:.1f} s) were,"
            f" from sample {found.at:,} on"
        )
        _print(found)
        for note in [*_about_classes(found, names, taught), *found.notes]:
            click.echo(f"note: {note}")
    return True


class _Bars:
    """A bar for fine-tuning, one for watching, with the time that all of it still takes."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._tuning: bool | None = None
        self._bar: Show | None = None
        self._pace = Pace()

    def __call__(self, tuning: bool, done: int, total: int, later: int) -> None:
        if tuning is not self._tuning:
            self._stack.close()  # the bar of the last phase
            self._tuning, self._pace = tuning, Pace()
            title = "fine-tuning" if tuning else "watching"
            self._bar = self._stack.enter_context(progress_bar(title, total, "windows"))
        assert self._bar is not None
        self._pace.saw(done)
        note = ""
        if self._pace.per_s > 0:
            note = f"{duration((total - done + later) / self._pace.per_s)} left"
        self._bar(done, note)


def _print(found: NormalFound) -> None:
    from rich.console import Console
    from rich.table import Table

    from tinyol_host.cli.tables import print_table

    table = Table(box=None, pad_edge=False)
    table.add_column("", no_wrap=True)
    for title in ("before", "now"):
        table.add_column(title, justify="right", no_wrap=True)
    for title, key, unit in (
        ("windows", "windows", ""),
        ("error", "error", ""),
        ("vibration", "vibration_g", " g"),
        ("limit of the distance", "limit", ""),
    ):
        cells = [
            "-" if value is None else f"{value:,}" if key == "windows" else f"{value:.4g}{unit}"
            for value in (_normal(found.before)[key], _normal(found.after)[key])
        ]
        table.add_row(title, *cells)
    print_table(Console(highlight=False), table)


def _normal(watch: Watch) -> dict[str, Any]:
    """What is normal: geometric means of the error and of the windows' standard deviation."""
    known = watch.normal_windows > 0
    return {
        "windows": watch.normal_windows,
        "error": math.exp(watch.mean[0]) if known else None,
        "vibration_g": math.exp(watch.mean[1] / 2) if known else None,
        "limit": watch.limit or None,
    }


def _about_classes(found: NormalFound, names: list[str], taught: list[str]) -> list[str]:
    windows = sum(found.predicted.values())
    if not taught or not windows:
        return []
    how = "`tinyol relearn NAME --seconds 10`, while the machine runs so, has it begin anew"
    if found.unknown > _STRANGE * windows:
        return [
            f"{found.unknown / windows:.0%} of these windows fit no class: what it was taught"
            f" elsewhere does not hold here. For each of {', '.join(map(printable, taught))}: {how}"
        ]
    shares = ", ".join(
        f"{printable(_name(index, names))} {count / windows:.0%}"
        for index, count in found.predicted.most_common(3)
    )
    return [f"it took these windows for {shares}; where that is wrong, {how}"]


def _name(index: int, names: list[str]) -> str:
    return names[index] if 0 <= index < len(names) else "none"


def _facts(plan: NormalPlan, found: NormalFound, names: list[str]) -> dict[str, Any]:
    return {
        "at": found.at,
        "windows": plan.windows,
        "steps": found.steps,
        "steps_skipped": found.skipped,
        "before": _normal(found.before),
        "after": _normal(found.after),
        "predicted": {_name(index, names): n for index, n in found.predicted.most_common()},
        "unknown": found.unknown,
        "notes": list(found.notes),
    }
