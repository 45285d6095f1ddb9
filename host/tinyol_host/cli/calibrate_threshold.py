"""`tinyol calibrate` where the alarm is the paper's: sets the fixed threshold of the error."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
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
    from tinyol_host.calibration import Phase, Plan
    from tinyol_host.calibration_outcome import Calibration, Stretch

_AVERAGED = 20  # windows, of the error that the bar shows


async def calibrate_threshold(board: Board, plan: Plan, as_json: bool) -> bool:
    """Does it, and prints what came of it; False: it was stopped by Ctrl-C."""
    from tinyol_host.calibration import calibrate, expected_s
    from tinyol_host.reply_or_stop import StoppedError
    from tinyol_host.uri import speed_of

    takes_s = expected_s(board, plan) / speed_of(board.uri.options.get("speed", "1"))
    stop = asyncio.Event()
    with ctrl_c_sets(stop), ExitStack() as stack:
        if not as_json:
            tuning = f"fine-tuning over {counted(plan.fine_tune, 'window')}, then "
            click.echo(
                f"calibrating: {tuning if plan.fine_tune else ''}watching"
                f" {counted(plan.windows, 'window')}, about {duration(takes_s)};"
                " Ctrl-C ends it"
            )
        try:
            found = await calibrate(
                board, plan, stop=stop, show=_Bars(stack), alarm=lambda: warn(ALARM)
            )
        except StoppedError as stopped:
            stack.close()
            click.echo(printable(str(stopped)), err=True)
            return False
    if as_json:
        click.echo(json.dumps(_facts(plan, found), indent=2))
    else:
        _print(plan, found)
    return True


class _Bars:
    """A bar for each phase, with the time that all of it still takes."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._phase: Phase | None = None
        self._bar: Show | None = None
        self._pace = Pace()
        self._before = 0

    def __call__(
        self, phase: Phase, done: int, total: int, later: int, errors: Sequence[float]
    ) -> None:
        if phase is not self._phase:
            self._stack.close()  # the bar of the last phase
            self._phase, self._pace = phase, Pace()
            self._bar = self._stack.enter_context(progress_bar(phase.value, total, "windows"))
        assert self._bar is not None
        self._pace.saw(done)
        notes = []
        if errors:
            last = errors[-_AVERAGED:]
            notes.append(f"error {sum(last) / len(last):.3g}")
        if self._pace.per_s > 0:
            notes.append(f"{duration((total - done + later) / self._pace.per_s)} left")
        self._bar(done, ", ".join(notes))


def _print(plan: Plan, found: Calibration) -> None:
    from rich.console import Console
    from rich.table import Table

    from tinyol_host.cli.tables import print_table

    click.echo(
        f"{_NAME}: {found.after.threshold:.4g} from sample {found.at:,} on, before"
        f" {found.tuned.threshold:.4g}"
    )
    table = Table(box=None, pad_edge=False)
    table.add_column("", no_wrap=True)
    for name in ("mean error", "threshold", "windows above it"):
        table.add_column(name, justify="right", no_wrap=True)
    for name, stretch in _rows(found):
        table.add_row(
            name,
            f"{stretch.mean_error:.4g}",
            f"{stretch.threshold:.4g}",
            f"{stretch.above:,} of {stretch.windows:,} ({stretch.share_above:.1%})",
        )
    print_table(Console(highlight=False), table)
    low, high = found.likely
    click.echo(
        f"expected above it: {found.expected:.2%} of the next normal windows; {low:.1%} to"
        f" {high:.1%} in 9 cases of 10"
    )
    for note in found.notes:
        click.echo(f"note: {note}")


_NAME = "anomaly.threshold"


def _rows(found: Calibration) -> list[tuple[str, Stretch]]:
    rows = [("calibrated", found.after)]
    if found.before is None:
        return [("as it was", found.tuned), *rows]
    was = "as it was, the same windows" if found.frozen else "as it was, its first windows"
    return [(was, found.before), (f"after {counted(found.steps, 'step')}", found.tuned), *rows]


def _facts(plan: Plan, found: Calibration) -> dict[str, Any]:
    def of(stretch: Stretch | None) -> dict[str, Any] | None:
        if stretch is None:
            return None
        return {**vars(stretch), "share_above": stretch.share_above}

    return {
        "threshold": found.after.threshold,
        "at": found.at,
        "steps": found.steps,
        "steps_skipped": found.skipped,
        "windows": plan.windows,
        "false_alarms": plan.false_alarms,
        "rank": plan.rank,
        "expected_share": found.expected,
        "likely_share": list(found.likely),
        "before": of(found.before),
        "before_by_the_frozen_net": found.frozen and found.before is not None,
        "fine_tuned": of(found.tuned),
        "after": of(found.after),
        "notes": list(found.notes),
    }
