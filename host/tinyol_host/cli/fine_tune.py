"""`tinyol fine-tune`: adapts the last layer of the board's autoencoder to its machine."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from tinyol_host.cli.countdown import Countdown, count_down
from tinyol_host.cli.device_options import device_options, json_option, run_on_board
from tinyol_host.cli.progress import progress_bar
from tinyol_host.cli.second_thoughts import warn_of_alarm
from tinyol_sim.counted import counted

if TYPE_CHECKING:
    from tinyol_host.board import Board, Effect
    from tinyol_host.events import Prediction
    from tinyol_host.replies import Info

ON, OFF = "on", "off"
_AVERAGED = 20  # windows, at each end
_MOST_STEPS = 0xFFFFFFFE


def _parse_steps(context: click.Context, parameter: click.Parameter, text: str) -> int | None:
    if text == ON:
        return None
    if text == OFF:
        return 0
    short = (
        text.isascii() and text.isdigit() and len(text) <= 10
    )  # int() refuses thousands of digits
    if not (short and int(text) <= _MOST_STEPS):
        raise click.BadParameter(f"{text!r} is neither a number of steps, nor on, nor off")
    return int(text)


@click.command()
@click.argument(
    "steps",
    metavar="N|on|off",
    callback=_parse_steps,
    # a function, since a type would turn the number into a text before the callback
    shell_complete=lambda context, parameter, typed: [w for w in (ON, OFF) if w.startswith(typed)],
)
@click.option(
    "--wait/--no-wait",
    default=None,
    help="Stay until it has ended, or return at once.  [default: stay if N is given, or where the"
    " board ends with this command, as sim: and emu: do]",
)
@device_options
@json_option
def fine_tune(steps: int | None, wait: bool | None, device: str | None, as_json: bool) -> None:
    """The next N windows each take one fine-tuning step; or on, or off.

    Do it while the machine runs as it should: what is shown is learned as normal. Where this
    stays, Ctrl-C ends the fine-tuning.
    """
    if steps == 0:
        effect = run_on_board(device, lambda board: board.fine_tune(0))
        facts = {"steps": 0, "at": effect.at}
        _tell(as_json, f"fine-tuning: off from sample {effect.at:,} on", facts)
        return
    done = run_on_board(device, lambda board: _fine_tune(board, steps, wait, as_json), source=True)
    if not done:
        raise KeyboardInterrupt  # not all that was asked for


async def _fine_tune(board: Board, steps: int | None, wait: bool | None, as_json: bool) -> bool:
    """Whether all was done that was asked for; else Ctrl-C ended it."""
    from tinyol_host.reply_or_stop import StoppedError

    stays = wait if wait is not None else board.ends_with_link or steps is not None
    if board.ends_with_link and not stays:
        raise click.UsageError(
            f"{board.uri} ends with this command, so nobody would take the steps: leave --no-wait"
            " out"
        )
    if not stays:
        effect = await _begin(board, steps)
        text = _begun(steps, effect, "`tinyol fine-tune off` ends it")
        _tell(as_json, text, _facts(steps, effect))
        return True

    def running(info: Info) -> bool:
        return info.fine_tune_left != 0

    def counts(window: Prediction) -> bool:
        return window.fine_tuned

    def begun(effect: Effect) -> None:
        if not as_json:
            click.echo(_begun(steps, effect, "Ctrl-C ends it"))

    try:
        with progress_bar("fine-tuning", steps, "steps") as show:
            outcome = await count_down(
                board,
                lambda: _begin(board, steps),
                lambda: board.fine_tune(0),
                running=running,
                counts=counts,
                begun=begun,
                show=lambda windows: show(len(windows), _falling(windows)),
            )
    except StoppedError as stopped:
        click.echo(f"{stopped}; {_goes_on(steps)}", err=True)
        return False
    _tell(as_json, _ended(outcome, steps), _facts(steps, outcome.begun, outcome))
    return steps is None or outcome.stopped is None


async def _begin(board: Board, steps: int | None) -> Effect:
    effect = await board.fine_tune(steps)
    warn_of_alarm(effect)
    return effect


def _errors(windows: Sequence[Prediction]) -> tuple[float, float, float] | None:
    """The fine-tuned layer's error at first and now, and the frozen net's now."""
    if not windows:
        return None
    first, last = windows[:_AVERAGED], windows[-_AVERAGED:]
    errors = (
        sum(window.tuned_error for window in first) / len(first),
        sum(window.tuned_error for window in last) / len(last),
        sum(window.error for window in last) / len(last),
    )
    return errors if all(math.isfinite(error) for error in errors) else None


def _falling(windows: Sequence[Prediction]) -> str:
    errors = _errors(windows)
    if errors is None:
        return ""
    return f"error {errors[0]:.3g} -> {errors[1]:.3g}, frozen net's {errors[2]:.3g}"


def _begun(steps: int | None, effect: Effect, how_it_ends: str) -> str:
    how_long = f"until stopped; {how_it_ends}" if steps is None else counted(steps, "step")
    return f"fine-tuning: from sample {effect.at:,} on, {how_long}"


def _goes_on(steps: int | None) -> str:
    """What a board does that cannot be told to stop."""
    until = "until told `tinyol fine-tune off`"
    if steps is not None:
        until = f"until it has taken {counted(steps, 'step')}, or is told `tinyol fine-tune off`"
    return f"unless it is off, it goes on fine-tuning {until}"


def _ended(outcome: Countdown, steps: int | None) -> str:
    taken = outcome.windows
    text = f"fine-tuning: {counted(len(taken), 'step')} taken"
    if outcome.stopped is not None:
        text += f", off from sample {outcome.stopped.at:,} on"
    elif outcome.incomplete:
        text += " and seen here; the news of others was lost on the way"
    elif steps is None or len(taken) < steps:
        text += "; then somebody else changed it, or steps were skipped: see `tinyol info`"
    errors = _errors(taken)
    if errors is not None:
        before, now, frozen = errors
        text += (
            f"\nreconstruction error: {before:.4g} -> {now:.4g}, the frozen net's now {frozen:.4g}"
            f" (means of {counted(min(_AVERAGED, len(taken)), 'window')})"
        )
    return text


def _facts(steps: int | None, effect: Effect, outcome: Countdown | None = None) -> dict[str, Any]:
    facts: dict[str, Any] = {"steps": steps, "at": effect.at}
    if outcome is not None:
        before, now, frozen = _errors(outcome.windows) or (None, None, None)
        facts |= {
            "taken": len(outcome.windows),
            "error_before": before,
            "error_now": now,
            "frozen_error_now": frozen,
            "stopped_at": None if outcome.stopped is None else outcome.stopped.at,
            "incomplete": outcome.incomplete,
        }
    return facts


def _tell(as_json: bool, text: str, facts: dict[str, Any]) -> None:
    click.echo(json.dumps(facts, indent=2) if as_json else text)
