"""`tinyol verify`: is the board the twin, bit for bit?"""

from __future__ import annotations

import importlib.util
import json
import math
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from functools import partial
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from tinyol_host.cli.device_options import device_options, json_option, run
from tinyol_host.cli.progress import progress_bar
from tinyol_host.cli.setting_pairs import parse_setting_pairs
from tinyol_host.cli.waiting import waiting_for
from tinyol_host.uri import VARIABLE, Uri, parse_uri
from tinyol_sim.bundle import DEFAULT_BUNDLES, Bundle, default_bundle
from tinyol_sim.counted import counted
from tinyol_sim.errors import BundleError, DeviceError, EmulatorError, RecordingError
from tinyol_sim.recordings import Recording, concatenate, read_recording, read_recordings
from tinyol_sim.replay import RATE_TOLERANCE
from tinyol_sim.script import Script, script_of
from tinyol_sim.session_record import SessionRecord, is_broken_session, is_session
from tinyol_sim.text import printable

if TYPE_CHECKING:
    from tinyol_host.board import Board
    from tinyol_host.verify import Progress, Verdict

_SHIPPED_RECORDING = "fan-119hz.npz"
_FINE_TUNE = 900  # as in `make demo`
_BUILT_HERE = ("sim", "emu")  # boards whose model is chosen here


@click.command()
@click.argument(
    "paths", metavar="[RECORDING... | SESSION]", nargs=-1, type=click.Path(path_type=Path)
)
@partial(device_options, default="emu: where it can run, else sim:")
@click.option(
    "-m",
    "--model",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Bundle.  [default: the shipped one that the board or the session has]",
)
@click.option(
    "--learn/--no-learn",
    default=True,
    show_default=True,
    help="Teach the classifier with the recordings' labels.",
)
@click.option(
    "--fine-tune",
    metavar="N",
    type=click.IntRange(min=0),
    default=_FINE_TUNE,
    show_default=True,
    help="Fine-tune the last layer on N windows; 0 for none.",
)
@click.option(
    "--fine-tune-from",
    metavar="WHERE",
    default="auto",
    show_default=True,
    help="Where these begin, as in `tinyol replay`.",
)
@click.option(
    "--set",
    "settings",
    metavar="NAME=VALUE",
    multiple=True,
    callback=parse_setting_pairs,
    help="Turn a setting before the first sample; may be given several times.",
)
@click.option("--keep", is_flag=True, help="Leave the board with what it learned here.")
@json_option
@click.pass_context
def verify(
    context: click.Context,
    paths: tuple[Path, ...],
    device: str | None,
    model: Path | None,
    learn: bool,
    fine_tune: int,
    fine_tune_from: str,
    settings: dict[str, float],
    keep: bool,
    as_json: bool,
) -> None:
    """Check that a board computes what its twin computes, bit for bit.

    Both begin from reset and get RECORDINGS (by default the shipped one) with the labels as
    commands; every prediction and the state images are compared. The board's earlier state is put
    back at the end; a label or a fine-tuning run that was under way ends. Without -d the emulated
    board is taken if it can be built here, else sim:.

    Of a SESSION, a folder that `tinyol record` wrote, the twin lives the samples and commands
    again and must end in the state that the device itself had; no board is needed.

    Exit status 0 if they are identical; 1 if not, and the first field that differs is named.
    """
    uri: Uri | None = None
    is_of_session = any(is_session(path) or is_broken_session(path) for path in paths)
    if is_of_session:
        if len(paths) > 1:
            raise click.UsageError("a session is verified alone, without other paths")
        if context.get_parameter_source("device") is ParameterSource.COMMANDLINE:
            raise click.UsageError("a session is verified without a board: leave --device out")
        verdict = _verify_session(paths[0], model)
    else:
        recordings = _read(paths)
        stream = concatenate(recordings, name=", ".join(r.name for r in recordings))
        script = script_of(
            stream,
            learn=learn,
            fine_tune=fine_tune,
            fine_tune_from=fine_tune_from,
            lengths=[recording.n_samples for recording in recordings],
            settings=settings,
        )
        uri = _uri(device, model, stream.rate_hz)
        verdict = _verify_recording(uri, model, stream, script, keep)
    if as_json:
        told = {
            "what": "session" if is_of_session else "recording",
            "device": None if uri is None else str(uri),
            **asdict(verdict),
            "state_crc": f"0x{verdict.state_crc:08x}",
        }
        click.echo(json.dumps(told, indent=2, allow_nan=False))
    else:
        click.echo(_sentence(verdict, "session" if is_of_session else "recording"))
    context.exit(0 if verdict.identical else 1)


def _verify_recording(
    uri: Uri, model: Path | None, stream: Recording, script: Script, keep: bool
) -> Verdict:
    given = None if model is None else Bundle.load(model)

    async def work() -> Verdict:
        from tinyol_host.board import connect
        from tinyol_host.errors import NEEDS_MODEL
        from tinyol_host.verify import verify_recording

        with waiting_for(str(uri)):
            board = await connect(str(uri), source=False)
        async with board:
            if not board.identity.has_model:
                raise DeviceError(NEEDS_MODEL)
            bundle = _bundle_of(board, given)
            _check_rate(stream, bundle)
            with _progress(f"verify {uri.scheme}:", stream.rate_hz, stream.n_samples) as progress:
                return await verify_recording(board, bundle, script, progress, keep=keep)

    return run(work)


def _verify_session(folder: Path, model: Path | None) -> Verdict:
    from tinyol_host.verify import verify_session

    record = SessionRecord.load(folder)
    bundle = _shipped(record.model_id) if model is None else Bundle.load(model)
    if bundle is None:
        raise BundleError(
            f"{folder}: the session is of model {record.model_id}, which is none of those that"
            " ship: give its bundle with --model"
        )
    with _progress("verify", record.rate_hz, record.n_samples) as progress:
        return verify_session(record, bundle, progress)


def _uri(device: str | None, model: Path | None, rate_hz: float) -> Uri:
    """The board to take, and the model that a board of this machine is built with."""
    if device is None and not os.environ.get(VARIABLE):
        device = "emu:" if _can_emulate() else "sim:"
    uri = parse_uri(device)
    if uri.scheme not in _BUILT_HERE or "model" in uri.options:
        return uri
    if model is None:
        shipped_hz = next((hz for hz in DEFAULT_BUNDLES if _same_rate(hz, rate_hz)), None)
        if shipped_hz is None:
            return uri  # its own default; that their rates differ is said when it is known
        model = Path(str(resources.files("tinyol_sim") / "data" / DEFAULT_BUNDLES[shipped_hz]))
    return replace(uri, options={**uri.options, "model": str(model)})


def _can_emulate() -> bool:
    from tinyol_sim.emulator.compilers import find_compiler

    try:
        find_compiler()
    except EmulatorError:
        return False
    return importlib.util.find_spec("unicorn") is not None


def _bundle_of(board: Board, given: Bundle | None) -> Bundle:
    """The bundle of the board's model: given, its own, or a shipped one. BundleError if none."""
    found = given or board.bundle or _shipped(board.identity.model_id)
    if found is None:
        raise BundleError(
            f"the device runs model {board.identity.model_id}, which is none of those that ship:"
            " give its bundle with --model"
        )
    return found


def _shipped(model_id: str) -> Bundle | None:
    bundles = (default_bundle(rate_hz) for rate_hz in DEFAULT_BUNDLES)
    return next((bundle for bundle in bundles if bundle.model_id == model_id), None)


def _same_rate(a_hz: float, b_hz: float) -> bool:
    return math.isclose(a_hz, b_hz, rel_tol=RATE_TOLERANCE)


def _check_rate(stream: Recording, bundle: Bundle) -> None:
    model_hz = bundle.pipeline.rate_hz
    if not _same_rate(stream.rate_hz, model_hz):
        raise RecordingError(
            f"{stream.name} has {stream.rate_hz:g} Hz, but the device's model is for"
            f" {model_hz:g} Hz: take recordings at that rate, or a device with another model"
        )


def _read(paths: Sequence[Path]) -> list[Recording]:
    if paths:
        return read_recordings(paths)
    shipped = resources.files("tinyol_sim") / "data" / _SHIPPED_RECORDING
    with resources.as_file(shipped) as path:
        return [read_recording(path)]


@contextmanager
def _progress(title: str, rate_hz: float, n_samples: int) -> Iterator[Progress]:
    """A bar in seconds of signal."""
    with progress_bar(title, max(1, round(n_samples / rate_hz)), "s") as show:
        yield lambda done, total: show(round(done / rate_hz), "")


def _sentence(verdict: Verdict, what: str) -> str:
    windows = counted(verdict.windows, "window")
    if verdict.difference is not None:
        return f"different: {what}, after {windows}: {printable(verdict.difference)}"
    updates = counted(verdict.updates, "update")
    line = f"identical: {what}, {windows}, {updates}, state CRC 0x{verdict.state_crc:08x}"
    if verdict.unheard:
        lost = counted(verdict.unheard, "prediction was", "predictions were")
        line += f" ({lost} lost on the way and not compared)"
    return line
