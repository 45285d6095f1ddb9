"""`tinyol calibrate`: has a board learn anew what is normal on the machine that it is on."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from tinyol_host.cli.device_options import device_options, json_option, run_on_board
from tinyol_sim.errors import DeviceError

if TYPE_CHECKING:
    from tinyol_host.board import Board

_MOST = 1_000_000
_DETECTOR, _FALSE_RATE = "anomaly.detector", "anomaly.false_rate"
_WINDOWS = 200
_STEPS_BEFORE_THRESHOLD, _SHARE_ABOVE_THRESHOLD = 600, 0.01


@dataclass(frozen=True)
class _Wish:
    windows: int | None
    seconds: float | None
    steps: int | None
    false_alarms: float | None
    as_json: bool


def _number(
    context: click.Context, parameter: click.Parameter, value: float | None
) -> float | None:
    if value is not None and math.isnan(value):
        raise click.BadParameter("not a number")
    return value


@click.command()
@device_options
@click.option(
    "--seconds",
    metavar="S",
    type=click.FloatRange(0, 1e6, min_open=True),
    callback=_number,
    help="Watch for S seconds.",
)
@click.option(
    "--windows",
    metavar="M",
    type=click.IntRange(1, _MOST),
    help=f"Watch M windows.  [default: {_WINDOWS}; for a fixed threshold 5 / P]",
)
@click.option(
    "--fine-tune",
    "steps",
    metavar="N",
    type=click.IntRange(0, _MOST),
    help="Before that, fine-tune over N windows.  [default: 0; for a fixed threshold"
    f" {_STEPS_BEFORE_THRESHOLD}]",
)
@click.option(
    "--false-alarms",
    metavar="P",
    type=click.FloatRange(1e-5, 0.5),
    callback=_number,
    help="The share of normal windows that may be taken for anomalies.  [default: the board's"
    f" {_FALSE_RATE}; for a fixed threshold {_SHARE_ABOVE_THRESHOLD:g}]",
)
@click.option("--stop", is_flag=True, help="End one that goes on on the board.")
@json_option
def calibrate(
    device: str | None,
    seconds: float | None,
    windows: int | None,
    steps: int | None,
    false_alarms: float | None,
    stop: bool,
    as_json: bool,
) -> None:
    """Have the board learn anew what is normal: on this machine, in this place.

    Do it where the board is to stay, while the machine runs as it should, in all the ways that are
    normal for it: what is seen meanwhile counts as normal, and no alarm is told. Ctrl-C ends it on
    the board too, and what was normal before still stands.

    With anomaly.detector 0, the paper's fixed threshold of the error, it is that threshold which
    is set:

    \b
    anomaly.threshold becomes the k-th largest error of the M windows watched,
    k = P * (M + 1) rounded down. A next window like them lies above it with
    probability k / (M + 1). M must be 1 / P - 1 or more, or k would be 0, and
    2 or more.

    That is a share of windows, not of alarms: windows that overlap, as they do where the hop is
    shorter than the window, share samples, so they go above the threshold in runs, and M of them
    tell less than M of a kind that do not overlap.
    """
    if stop:
        if (seconds, windows, steps, false_alarms) != (None,) * 4:
            raise click.UsageError("--stop is given alone")
        effect = run_on_board(device, lambda board: board.calibrate(0))
        text = f"calibrating: off from sample {effect.at:,} on; what was normal before still stands"
        click.echo(json.dumps({"at": effect.at}, indent=2) if as_json else text)
        return
    if seconds is not None and windows is not None:
        raise click.UsageError("--seconds and --windows exclude one another")
    wish = _Wish(windows, seconds, steps, false_alarms, as_json)
    if not run_on_board(device, lambda board: _calibrate(board, wish), source=True):
        raise KeyboardInterrupt  # not what was asked for


async def _calibrate(board: Board, wish: _Wish) -> bool:
    """False: it was stopped by Ctrl-C."""
    from tinyol_host.errors import NEEDS_MODEL

    if not board.identity.has_model:
        raise DeviceError(NEEDS_MODEL)
    windows = wish.windows
    if wish.seconds is not None:
        windows = max(1, round(wish.seconds * board.identity.rate_hz / board.identity.hop))
    # Firmware from before there was the setting has a fixed threshold.
    if (await board.settings()).get(_DETECTOR, 0.0):
        return await _normal(board, wish, windows or _WINDOWS)
    return await _threshold(board, wish, windows)


async def _normal(board: Board, wish: _Wish, windows: int) -> bool:
    from tinyol_host.cli.calibrate_normal import calibrate_normal
    from tinyol_host.normal_calibration import NormalPlan
    from tinyol_sim.settings import SETTINGS

    share, info = wish.false_alarms, SETTINGS[_FALSE_RATE]
    if share is not None and not info.minimum <= share <= info.maximum:
        raise click.UsageError(
            f"--false-alarms {share:g}: {_FALSE_RATE} is from {info.minimum:g} to {info.maximum:g}"
        )
    try:
        plan = NormalPlan(windows, wish.steps or 0, share)
    except DeviceError as error:
        raise click.UsageError(str(error)) from None
    return await calibrate_normal(board, plan, wish.as_json)


async def _threshold(board: Board, wish: _Wish, windows: int | None) -> bool:
    from tinyol_host.calibration import Plan
    from tinyol_host.cli.calibrate_threshold import calibrate_threshold
    from tinyol_host.threshold_rule import enough_windows

    share = _SHARE_ABOVE_THRESHOLD if wish.false_alarms is None else wish.false_alarms
    steps = _STEPS_BEFORE_THRESHOLD if wish.steps is None else wish.steps
    if windows is None:
        windows = enough_windows(share)
    try:
        plan = Plan(steps, windows, share)
    except DeviceError as error:
        raise click.UsageError(f"--windows {windows}: {error}") from None
    return await calibrate_threshold(board, plan, wish.as_json)
