"""`tinyol calibrate`: fits a freshly flashed board to the machine that it is on."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import click

from tinyol_host.cli.device_options import (
    ctrl_c_sets,
    device_options,
    json_option,
    run_on_board,
)
from tinyol_host.cli.pace import Pace
from tinyol_host.cli.progress import Show, progress_bar
from tinyol_sim.counted import counted
from tinyol_sim.errors import DeviceError
from tinyol_sim.text import printable

if TYPE_CHECKING:
    from tinyol_host.board import Board
    from tinyol_host.calibration import Phase, Plan
    from tinyol_host.calibration_outcome import Calibration, Stretch

_MOST = 1_000_000
_AVERAGED = 20  # windows, of the error that the bar shows


@click.command()
@device_options
@click.option(
    "--fine-tune",
    "steps",
    metavar="N",
    type=click.IntRange(0, _MOST),
    default=600,
    show_default=True,
    help="Fine-tune over the next N windows; 0 leaves the layer as it is.",
)
@click.option(
    "--windows",
    metavar="M",
    type=click.IntRange(1, _MOST),
    help="Then watch M windows, from which the threshold is set.  [default: 5 / P]",
)
@click.option(
    "--false-alarms",
    metavar="P",
    type=click.FloatRange(1e-5, 0.5),
    default=0.01,
    show_default=True,
    help="The share of normal windows that may lie above the threshold.",
)
@json_option
def calibrate(
    device: str | None, steps: int, windows: int | None, false_alarms: float, as_json: bool
) -> None:
    """Fit a board to its machine: fine-tune the last layer, then set the alarm's threshold.

    Do it where the board is to stay, while the machine runs as it should, in all the ways that are
    normal for it, and before teaching classes: what is seen meanwhile counts as normal. Ctrl-C ends
    it, and leaves the threshold as it was.

    \b
    The rule: anomaly.threshold becomes the k-th largest error of the M windows
    watched, k = P * (M + 1) rounded down. A next window like them lies above it
    with probability k / (M + 1). M must be 1 / P - 1 or more, or k would be 0,
    and 2 or more.

    That is a share of windows, not of alarms: windows that overlap, as they do where the hop is
    shorter than the window, share samples, so they go above the threshold in runs, and M of them
    tell less than M of a kind that do not overlap.
    """
    from tinyol_host.calibration import Plan
    from tinyol_host.threshold_rule import enough_windows

    if math.isnan(false_alarms):
        raise click.BadParameter("not a number", param_hint="--false-alarms")
    if windows is None:
        windows = enough_windows(false_alarms)
    try:
        plan = Plan(steps, windows, false_alarms)
    except DeviceError as error:
        raise click.UsageError(f"--windows {windows}: {error}") from None
    found = run_on_board(device, lambda board: _calibrate(board, plan, as_json), source=True)
    if found is None:
        raise KeyboardInterrupt  # not what was asked for
    if as_json:
        click.echo(json.dumps(_facts(plan, found), indent=2))
    else:
        _print(plan, found)


async def _calibrate(board: Board, plan: Plan, as_json: bool) -> Calibration | None:
    """None: it was stopped by Ctrl-C."""
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
                f" {counted(plan.windows, 'window')}, about {_duration(takes_s)};"
                " Ctrl-C ends it"
            )
        try:
            return await calibrate(board, plan, stop=stop, show=_Bars(stack))
        except StoppedError as stopped:
            stack.close()
            click.echo(printable(str(stopped)), err=True)
            return None


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
            notes.append(f"{_duration((total - done + later) / self._pace.per_s)} left")
        self._bar(done, ", ".join(notes))


def _duration(seconds: float) -> str:
    whole = math.ceil(seconds)
    if whole < 60:
        return f"{whole} s"
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours}:{minutes:02d}:{whole % 60:02d}" if hours else f"{minutes}:{whole % 60:02d}"


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
