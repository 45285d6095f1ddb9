"""`tinyol record`: a board's samples, with what a person said about them while they came."""

from __future__ import annotations

import asyncio
import json
import math
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tinyol_host.cli.device_options import ctrl_c_sets, device_options, json_option, run
from tinyol_host.cli.log_lines import echo_log
from tinyol_host.cli.pace import Pace
from tinyol_host.cli.progress import progress_bar
from tinyol_host.cli.second_thoughts import warn_of
from tinyol_host.cli.terminal import is_terminal
from tinyol_host.cli.typed_lines import typed_lines
from tinyol_host.cli.waiting import waiting_for
from tinyol_sim.counted import counted
from tinyol_sim.errors import DeviceError, RecordingError, TinyOLError
from tinyol_sim.text import printable

if TYPE_CHECKING:
    from tinyol_host.board import Board
    from tinyol_host.live_recording import LiveRecording
    from tinyol_host.recorder import Recorder
    from tinyol_sim.commands import Command

_TICK_S = 0.1
_SILENCE_S = 15.0  # without a sample for so long, nothing is to be expected


_HOW_TO = (
    "recording. Commands: label NAME [WINDOWS], label -, class add NAME, ... Enter alone shows how"
    " it stands, Ctrl-C ends the recording and saves it"
)


@dataclass(frozen=True)
class _Wish:
    output: Path
    session: bool
    seconds: float | None  # of signal
    label: str | None
    interactive: bool
    as_json: bool
    started: str


def _seconds(
    context: click.Context, parameter: click.Parameter, value: float | None
) -> float | None:
    if value is not None and not (math.isfinite(value) and value > 0):
        raise click.BadParameter(f"{value} is not a number of seconds above 0")
    return value


@click.command()
@click.option(
    "-o",
    "--output",
    required=True,
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="File to write: .csv, .npz, or .json (Edge Impulse). With --session, a folder.",
)
@device_options
@click.option(
    "--seconds",
    metavar="S",
    type=float,
    callback=_seconds,
    help="Record S seconds of signal.  [default: until Ctrl-C]",
)
@click.option(
    "--label",
    metavar="NAME",
    help="Label from the start, until the recording ends; the class is added if there is none.",
)
@click.option(
    "--session",
    is_flag=True,
    help="Keep the states before and after and every command too, for `tinyol verify`.",
)
@click.option(
    "-i",
    "--interactive",
    is_flag=True,
    help="Take commands from standard input, a line each: label NAME [WINDOWS], label -,"
    " label-back NAME WINDOWS, class add NAME, fine-tune N, set NAME VALUE, reset.",
)
@click.option("--force", is_flag=True, help="Replace what is there.")
@json_option
def record(
    output: Path,
    device: str | None,
    seconds: float | None,
    label: str | None,
    session: bool,
    interactive: bool,
    force: bool,
    as_json: bool,
) -> None:
    """Record a board's samples, labelled as it is told.

    Ctrl-C ends the recording and saves it; so does the end of the link, with exit status 1.
    A label holds for windows: while one is given, the board learns, and it is ended with the
    recording.
    """
    from tinyol_host.cli.record_target import check_target

    check_target(output, session=session, force=force, label=label)
    started = datetime.now(timezone.utc).isoformat(timespec="seconds")
    wish = _Wish(output, session, seconds, label, interactive, as_json, started)
    problem = run(_record, device, wish)
    if problem is not None:
        raise problem


async def _record(device: str | None, wish: _Wish) -> TinyOLError | None:
    """Returns why the recording, which is saved, ended before its time; None if it did not."""
    from tinyol_host.board import connect
    from tinyol_host.live_recording import LiveRecording

    problem: TinyOLError | None = None
    with waiting_for(device or "sim:"):
        board = await connect(device)
    async with board:
        for warning in board.warnings:
            click.echo(f"warning: {printable(warning)}", err=True)
        _check_board(board, wish)
        async with LiveRecording(
            board, session=wish.session, label=wish.label, on_log=echo_log
        ) as live:
            with _told_to_end() as stop:
                try:
                    await _attend(live, wish, board.identity.rate_hz, stop)
                except TinyOLError as error:
                    problem = error
                except OSError as error:  # who watched has gone; what was recorded has not
                    problem = DeviceError(f"the output: {error.strerror or error}")
                await live.finish()
        problem = live.error or problem
        if not live.recorder.n_samples:
            raise problem or RecordingError(f"{wish.output}: nothing was recorded, nothing written")
        _save(board, live, wish)
    if problem is not None:
        problem = DeviceError(f"{problem}; what was recorded before is saved in {wish.output}")
    return problem


def _check_board(board: Board, wish: _Wish) -> None:
    """Raises DeviceError if this board cannot give what is wished."""
    identity = board.identity
    if identity.has_model:
        return
    if wish.session:
        raise DeviceError(
            f"{board.uri} has no model, so it learns nothing that a session could keep: record"
            " without --session, or give it a model with `tinyol flash --model BUNDLE`"
        )
    if not identity.rate_hz > 0:
        raise DeviceError(f"{board.uri} has neither a model nor a sensor: nothing to record")
    click.echo("the board has no model: its samples are recorded, and it learns nothing", err=True)


async def _attend(live: LiveRecording, wish: _Wish, rate_hz: float, stop: asyncio.Event) -> None:
    """Stays until it is time to end; DeviceError if it is not worth waiting any longer."""
    recorder, pace = live.recorder, Pace()
    limit = None if wish.seconds is None else max(1, round(wish.seconds * rate_hz))
    with ExitStack() as open_:
        typist: asyncio.Task[None] | None = None
        if wish.interactive:
            lines = open_.enter_context(typed_lines())
            typist = asyncio.create_task(_obey(live, lines, wish, pace))
        # A bar would be drawn over what a person types.
        typing = wish.interactive and is_terminal(sys.stdin)
        show = None if typing else open_.enter_context(progress_bar("record", limit, "samples"))
        if typing:
            click.echo(_HOW_TO, err=True)
        try:
            while not (stop.is_set() or live.ended):
                passed = recorder.n_samples + recorder.lost_samples
                pace.saw(recorder.n_samples)
                if show is not None:
                    show(passed if limit is None else min(passed, limit), _note(recorder, pace))
                if limit is not None and passed >= limit:
                    return
                if pace.silent_s > _SILENCE_S and wish.seconds is not None:
                    raise DeviceError(
                        f"no samples for {_SILENCE_S:g} s: has the board a sensor, or a source?"
                    )
                with suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(stop.wait(), _TICK_S)
        finally:
            if typist is not None:
                typist.cancel()
                await asyncio.gather(typist, return_exceptions=True)


async def _obey(
    live: LiveRecording, lines: asyncio.Queue[bytes | None], wish: _Wish, pace: Pace
) -> None:
    """Has the board do what is typed, until there is nothing more to come."""
    from tinyol_sim.command_lines import command_text, parse_command
    from tinyol_sim.commands import LabelBack

    while (line := await lines.get()) is not None:
        command: Command | None = None
        try:
            text = line.decode().strip()
            if not text:
                click.echo(
                    f"{live.recorder.duration_s:.1f} s, {_note(live.recorder, pace)}", err=True
                )
            if not text or text.startswith("#"):
                continue
            command = parse_command(text)
            effect = await live.execute(command)
            await warn_of(live.board, command, effect)
        except UnicodeDecodeError:
            click.echo("error: a line that is not UTF-8", err=True)
        except TinyOLError as error:
            click.echo(f"error: {printable(f'{error}{_hint(command, error)}')}", err=True)
        else:
            done = {"command": command_text(command), "at": effect.at}
            said = f"{printable(command_text(command))}: from sample {effect.at:,} on"
            if isinstance(command, LabelBack):
                done["lessons"] = effect.value or 0
                said += f", {counted(effect.value or 0, 'lesson')}"
            if effect.undone is not None:
                done["undone"] = effect.undone.what
                said += f", {effect.undone} is taken back"
            click.echo(json.dumps(done) if wish.as_json else said)


def _hint(command: Command | None, error: TinyOLError) -> str:
    """What has to be typed first."""
    from tinyol_sim.command_lines import command_text
    from tinyol_sim.commands import AddClass, Label, LabelBack

    if not isinstance(command, Label | LabelBack) or command.name is None:
        return ""
    if not str(error).startswith(f"no class {command.name!r}"):
        return ""
    return f". `{command_text(AddClass(command.name))}` first"


def _note(recorder: Recorder, pace: Pace) -> str:
    parts = [f"{pace.per_s:.1f}/s"]
    if recorder.n_gaps:
        parts.append(counted(recorder.n_gaps, "gap"))
    if recorder.lost_samples:
        parts.append(f"{recorder.lost_samples:,} lost")
    return ", ".join(parts)


def _save(board: Board, live: LiveRecording, wish: _Wish) -> None:
    from tinyol_host.cli.record_target import save_recording, save_session, summary

    recorder = live.recorder
    if wish.session:
        assert live.start is not None
        identity = board.identity
        meta = {
            "device": str(board.uri),
            "firmware_version": identity.firmware_version,
            "arithmetic_version": identity.arithmetic_version,
            "started": wish.started,
        }
        saved = save_session(
            wish.output, recorder.to_session(live.start.image, live.end_image, meta)
        )
    else:
        stop = None
        if wish.seconds is not None:
            stop = max(1, round(wish.seconds * board.identity.rate_hz) - recorder.lost_samples)
        saved = save_recording(wish.output, recorder.to_recording(wish.output.stem, stop))
    facts = {
        **saved,
        "lost_samples": recorder.lost_samples,
        "lost_events": recorder.lost_events,
        "refused_samples": recorder.refused_samples,
    }
    click.echo(json.dumps(facts) if wish.as_json else printable(summary(facts)))


@contextmanager
def _told_to_end() -> Iterator[asyncio.Event]:
    """An event that Ctrl-C sets, and so does whoever ends this program in order."""
    stop = asyncio.Event()
    with ctrl_c_sets(stop, any_signal=True):
        yield stop
