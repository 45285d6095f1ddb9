"""`tinyol label`: says what the board sees, now or a moment ago."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from tinyol_host.cli.asking import can_ask
from tinyol_host.cli.countdown import Countdown, count_down
from tinyol_host.cli.device_options import device_options, json_option, run_on_board
from tinyol_host.cli.progress import progress_bar
from tinyol_host.cli.second_thoughts import warn_of_contradiction
from tinyol_sim.counted import counted
from tinyol_sim.errors import DeviceError

if TYPE_CHECKING:
    from tinyol_host.board import Board, Effect
    from tinyol_host.events import Prediction
    from tinyol_host.replies import Info

NONE = "-"
_LONG_AGO_S = 1e6  # longer than any board remembers


@dataclass(frozen=True)
class _Wish:
    name: str
    windows: int | None  # None = until stopped
    add: bool
    wait: bool | None  # None = as the board is: one that ends with the command is waited for
    as_json: bool


def _number(
    context: click.Context, parameter: click.Parameter, value: float | None
) -> float | None:
    if value is not None and math.isnan(value):
        raise click.BadParameter("not a number")
    return value


@click.command()
@click.argument("name", required=False)
@click.option(
    "--windows",
    metavar="N",
    type=click.IntRange(1, 0xFFFFFFFE),
    help="Label the next N windows, and wait until they are taken.",
)
@click.option("--until-stopped", is_flag=True, help="Label until `label -`.  [default]")
@click.option(
    "--back",
    "back_s",
    metavar="SECONDS",
    type=click.FloatRange(0, _LONG_AGO_S, min_open=True),
    callback=_number,
    help="Label the windows of the last seconds, not those to come.",
)
@click.option("--stop", is_flag=True, help="End labelling, as NAME - does.")
@click.option("--add", is_flag=True, help="Add the class if there is none of that name.")
@click.option(
    "--wait/--no-wait",
    default=None,
    help="Stay until it has ended, or return at once.  [default: stay if --windows is given, or"
    " where the board ends with this command, as sim: and emu: do]",
)
@device_options
@json_option
@click.pass_context
def label(
    context: click.Context,
    name: str | None,
    windows: int | None,
    until_stopped: bool,
    back_s: float | None,
    stop: bool,
    add: bool,
    wait: bool | None,
    device: str | None,
    as_json: bool,
) -> None:
    """From now on, windows are lessons for the class NAME; `-` ends that.

    A window is a lesson if the label held for all its samples. Where this stays, Ctrl-C ends the
    labelling.
    """
    if sum((windows is not None, until_stopped, back_s is not None)) > 1:
        raise click.UsageError("--windows, --until-stopped and --back exclude one another")
    if stop or name == NONE:
        if (stop and name not in (None, NONE)) or windows or until_stopped or back_s or add:
            raise click.UsageError("to end labelling, give `-` or --stop and nothing else")
        effect = run_on_board(device, lambda board: board.label(None))
        _tell(as_json, f"no label from sample {effect.at:,} on", {"label": None, "at": effect.at})
        return
    if name is None:
        raise click.UsageError("which class? give its NAME, or `-` to end labelling")
    if back_s is not None:
        if wait is not None:
            raise click.UsageError("--back labels what has been: there is nothing to wait for")
        run_on_board(device, lambda board: _label_back(board, name, back_s, add, as_json))
        return
    wish = _Wish(name, windows, add or _may_add(device, name, add), wait, as_json)
    if not run_on_board(device, lambda board: _label(board, wish), source=True):
        raise KeyboardInterrupt  # not all that was asked for


def _may_add(device: str | None, name: str, add: bool) -> bool:
    """Asks a person at a terminal whether an unknown class is meant to be new."""
    if add or not can_ask():
        return add
    known = run_on_board(device, lambda board: board.classes())
    if name in known:
        return False
    names = ", ".join(known) or "none yet"
    return click.confirm(f"There is no class {name!r} (known: {names}). Add it?", err=True)


async def _ready_class(board: Board, name: str, add: bool) -> int:
    """The index of the class, which is added if it may be."""
    names = await board.classes()
    if name in names:
        return names.index(name)
    if add:
        effect = await board.add_class(name)
        assert effect.value is not None
        return effect.value
    known = ", ".join(names) or "none yet"
    raise DeviceError(f"no class {name!r}; known: {known}. --add adds it")


async def _label(board: Board, wish: _Wish) -> bool:
    """Whether all was done that was asked for; else Ctrl-C ended it."""
    from tinyol_host.reply_or_stop import StoppedError

    until_stopped = wish.windows is None
    stays = wish.wait if wish.wait is not None else board.ends_with_link or not until_stopped
    if board.ends_with_link and not stays:
        raise click.UsageError(
            f"{board.uri} ends with this command, so nobody would take the windows: leave"
            " --no-wait out"
        )
    index = await _ready_class(board, wish.name, wish.add)
    if not stays:
        effect = await _begin(board, wish)
        _tell(wish.as_json, _begun(wish, effect, "`tinyol label -` ends it"), _facts(wish, effect))
        return True

    def running(info: Info) -> bool:
        return info.label == index

    def counts(window: Prediction) -> bool:
        return window.label == index

    def begun(effect: Effect) -> None:
        if not wish.as_json:
            click.echo(_begun(wish, effect, "Ctrl-C ends it"))

    try:
        with progress_bar(wish.name, wish.windows, "windows") as show:
            outcome = await count_down(
                board,
                lambda: _begin(board, wish),
                lambda: board.label(None),
                running=running,
                counts=counts,
                begun=begun,
                show=lambda windows: show(len(windows), _score(windows)),
            )
    except StoppedError as stopped:
        click.echo(f"{stopped}; {_goes_on(wish)}", err=True)
        return False
    _tell(wish.as_json, _ended(outcome, wish), _facts(wish, outcome.begun, outcome))
    return until_stopped or outcome.stopped is None


async def _begin(board: Board, wish: _Wish) -> Effect:
    effect = await board.label(wish.name, wish.windows)
    await warn_of_contradiction(board, effect, wish.name)
    return effect


async def _label_back(board: Board, name: str, seconds: float, add: bool, as_json: bool) -> None:
    from tinyol_host.errors import NEEDS_MODEL

    identity = board.identity
    if not identity.has_model:
        raise DeviceError(NEEDS_MODEL)
    wanted = max(1, round(seconds * identity.rate_hz / identity.hop))
    windows = min(wanted, identity.ring_len)
    if windows == 0:
        raise DeviceError("this model keeps no windows to be labelled late")
    if board.ends_with_link:  # before a class is added for nothing
        raise DeviceError(f"{board.uri} has just been started: it has seen no windows yet")
    await _ready_class(board, name, add)
    effect = await board.label_back(name, windows)
    await warn_of_contradiction(board, effect, name)
    lessons = effect.value or 0
    held_s = windows * identity.hop / identity.rate_hz
    text = (
        f"{name}: {counted(lessons, 'lesson')} from the last {counted(windows, 'window')}"
        f" ({held_s:.1f} s), before sample {effect.at:,}"
    )
    if windows < wanted:
        text += f"\nthe board remembers {counted(windows, 'window')}, not {wanted:,}"
    facts = {"label": name, "at": effect.at, "windows": windows, "lessons": lessons}
    _tell(as_json, text, facts)


def _begun(wish: _Wish, effect: Effect, how_it_ends: str) -> str:
    how_long = f"until stopped; {how_it_ends}"
    if wish.windows is not None:
        how_long = f"the next {counted(wish.windows, 'window')}"
    return f"{wish.name}: from sample {effect.at:,} on, {how_long}"


def _goes_on(wish: _Wish) -> str:
    """What a board does that cannot be told to stop."""
    until = "until told `tinyol label -`"
    if wish.windows is not None:
        until = (
            f"until it has labelled {counted(wish.windows, 'window')}, or is told `tinyol label -`"
        )
    return f"unless it is off, it goes on labelling {until}"


def _ended(outcome: Countdown, wish: _Wish) -> str:
    taken = outcome.windows
    text = f"{wish.name}: {counted(len(taken), 'window')} taken"
    if taken:
        text += f", {_score(taken)} before learning"
    if outcome.stopped is not None:
        text += f"; no label from sample {outcome.stopped.at:,} on"
    elif outcome.incomplete:
        text += " and seen here; the news of others was lost on the way"
    elif wish.windows is None or len(taken) < wish.windows:
        text += "; then somebody else changed the label"
    if taken and not any(window.learned for window in taken):
        text += "\nnone was learned from: see classifier.learn in `tinyol set`"
    return text


def _score(windows: Sequence[Prediction]) -> str:
    if not windows:
        return ""
    return f"{sum(w.predicted == w.label for w in windows) / len(windows):.0%} predicted right"


def _facts(wish: _Wish, effect: Effect, outcome: Countdown | None = None) -> dict[str, Any]:
    facts: dict[str, Any] = {"label": wish.name, "at": effect.at, "windows": wish.windows}
    if outcome is not None:
        taken = outcome.windows
        facts |= {
            "taken": len(taken),
            "learned": sum(window.learned for window in taken),
            "predicted_right": sum(window.predicted == window.label for window in taken),
            "stopped_at": None if outcome.stopped is None else outcome.stopped.at,
            "incomplete": outcome.incomplete,
        }
    return facts


def _tell(as_json: bool, text: str, facts: dict[str, Any]) -> None:
    click.echo(json.dumps(facts, indent=2) if as_json else text)
