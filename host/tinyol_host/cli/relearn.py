"""`tinyol relearn`: one class begins anew, from what the board has just seen."""

from __future__ import annotations

import asyncio
import json
import math
from typing import TYPE_CHECKING, Any

import click

from tinyol_host.cli.device_options import (
    ctrl_c_sets,
    device_options,
    json_option,
    run_on_board,
)
from tinyol_host.cli.learned import young_note
from tinyol_host.cli.progress import progress_bar
from tinyol_sim.counted import counted
from tinyol_sim.errors import DeviceError

if TYPE_CHECKING:
    from tinyol_host.board import Board

DEFAULT_WINDOWS = 25


def _number(
    context: click.Context, parameter: click.Parameter, value: float | None
) -> float | None:
    if value is not None and math.isnan(value):
        raise click.BadParameter("not a number")
    return value


@click.command()
@click.argument("name")
@click.option(
    "--windows",
    metavar="N",
    type=click.IntRange(1, 0xFFFF),
    help=f"From the last N windows.  [default: {DEFAULT_WINDOWS}]",
)
@click.option(
    "--seconds",
    metavar="S",
    type=click.FloatRange(0, 1e6, min_open=True),
    callback=_number,
    help="From the windows of the last S seconds.",
)
@click.option(
    "--wait/--no-wait",
    default=None,
    help="First wait until so many new windows have come, in place of those that have been."
    "  [default: wait where the board ends with this command, as sim: and emu: do]",
)
@device_options
@json_option
def relearn(
    name: str,
    windows: int | None,
    seconds: float | None,
    wait: bool | None,
    device: str | None,
    as_json: bool,
) -> None:
    """The class NAME begins anew, from the windows that the board has just seen.

    For a class that was taught elsewhere, and does not know this place or this machine: let the
    machine run so for some seconds, then call this. What NAME had learned is forgotten; all other
    classes stay as they are. A board remembers its last windows, of whatever label.
    """
    if windows is not None and seconds is not None:
        raise click.UsageError("--windows and --seconds exclude one another")

    async def work(board: Board) -> dict[str, Any] | None:
        return await _relearn(board, name, windows, seconds, wait)

    done = run_on_board(device, work, source=wait is not False)
    if done is None:
        raise KeyboardInterrupt  # nothing was done of what was asked for
    text = done.pop("text")
    click.echo(json.dumps(done, indent=2) if as_json else text)


async def _relearn(
    board: Board, name: str, windows: int | None, seconds: float | None, wait: bool | None
) -> dict[str, Any] | None:
    """What was done; None: Ctrl-C came first."""
    from tinyol_host.errors import NEEDS_MODEL

    identity = board.identity
    if not identity.has_model:
        raise DeviceError(NEEDS_MODEL)
    wanted = windows or DEFAULT_WINDOWS
    if seconds is not None:
        wanted = max(1, round(seconds * identity.rate_hz / identity.hop))
    most = identity.ring_len
    if most == 0:
        raise DeviceError("this model keeps no windows that a class could begin anew from")
    taken = min(wanted, most)
    names = await board.classes()
    if name not in names:  # before it is waited for nothing
        known = ", ".join(names) or "none yet"
        raise DeviceError(f"no class {name!r}; known: {known}. `tinyol label NAME --add` makes one")
    if (board.ends_with_link if wait is None else wait) and not await _wait(board, name, taken):
        return None
    effect = await board.relearn(name, taken)
    lessons = effect.value or 0
    lasted_s = lessons * identity.hop / identity.rate_hz
    text = (
        f"{name}: begun anew from the last {counted(lessons, 'window')} ({lasted_s:.1f} s), before"
        f" sample {effect.at:,}; the other classes stay as they are"
    )
    if wanted > most:
        text += f"\nthe board remembers {counted(most, 'window')}, not {wanted:,}"
    elif lessons < taken:
        text += f"\nthe board had no more to remember: {counted(taken, 'window')} were asked for"
    text += await young_note(board, name)
    return {"class": name, "at": effect.at, "windows": wanted, "lessons": lessons, "text": text}


async def _wait(board: Board, name: str, windows: int) -> bool:
    """Until they have come; False: Ctrl-C came first."""
    from tinyol_host.new_windows import new_windows
    from tinyol_host.reply_or_stop import StoppedError

    stop = asyncio.Event()
    with ctrl_c_sets(stop), progress_bar(name, windows, "windows") as show:
        try:
            await new_windows(board, windows, stop, show)
        except StoppedError:
            click.echo(f"stopped; {name} is as it was", err=True)
            return False
    return True
