"""Is the device the twin, bit for bit? Over a recording in lock step, or over a kept session."""

from __future__ import annotations

import math
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tinyol_host.clean_up import finish
from tinyol_host.errors import RebootedError
from tinyol_host.kept_state import state_folder
from tinyol_host.lock_step import LockStep, lock_step, state_difference
from tinyol_sim.bundle import Bundle
from tinyol_sim.commands import Undo
from tinyol_sim.errors import DeviceError, RecordingError, TinyOLError
from tinyol_sim.files import write_whole
from tinyol_sim.model_image import ARITHMETIC_VERSION
from tinyol_sim.replay import RATE_TOLERANCE
from tinyol_sim.script import Script, UpdateCount, live_on_twin
from tinyol_sim.session_record import SessionRecord
from tinyol_sim.twin import Twin

if TYPE_CHECKING:
    from tinyol_host.board import Board

_PIECE = 400  # samples between two calls of `progress`
_STATE_EVERY = 500  # windows between two comparisons of the state
_RESTORE_S = 60.0  # a state image over a slow link

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Verdict:
    """What came of it.

    windows: compared. updates: steps that both layers took, late lessons included, also those
    before a reset. state_crc: the CRC-32 that ends the twin's state image.
    difference: the first field that differs, in words; None = identical.
    unheard: predictions that were lost on the way; the state tells what they would have.
    """

    identical: bool
    windows: int
    updates: int
    state_crc: int
    difference: str | None = None
    unheard: int = 0


async def verify_recording(
    board: Board,
    bundle: Bundle,
    script: Script,
    progress: Progress | None = None,
    *,
    keep: bool = False,
) -> Verdict:
    """Has board and twin begin from reset, gives both the script, and compares.

    Every prediction is compared, and every 500 windows and at the end the state image. The
    board's earlier state is put back afterwards, whatever happens, unless `keep`. A label or a
    fine-tuning run that was under way is ended.

    Args:
        progress: called with samples done and samples in all.

    Raises:
        DeviceError: another model than the bundle's, a command that both refuse, a link that is
            cut for good, or an earlier state that could not be put back: says where it is kept.
    """
    check_model(board, bundle)
    twin = Twin(bundle)
    # Fed, a board's own sensor is ignored: no sample gets in between.
    async with lock_step(board, twin) as step, _state_kept(board, keep):
        await board.reset()
        twin.reset()
        count = UpdateCount(twin)
        different = await step.compare_state()
        if different is not None:
            different = (
                f"they do not begin alike: the device was built with other start values than this"
                f" bundle; {different}"
            )
        else:
            different = await _run(step, script, count, progress)
            if different is None:
                different = await step.compare_state()
        return _verdict(twin, step.windows, count.updates, different, step.unheard)


def verify_session(
    record: SessionRecord, bundle: Bundle, progress: Progress | None = None
) -> Verdict:
    """Has a twin live the session again, and compares its state with the device's own at the end.

    Raises:
        RecordingError: another model than the bundle's, its model at another rate, a device of
            another arithmetic version, or a record with something missing.
        TinyOLError: the twin refuses the start image or a command of the record.
    """
    if record.model_id != bundle.model_id:
        raise RecordingError(
            f"the session is of model {record.model_id}, but the bundle given is of model"
            f" {bundle.model_id}: give the session's with --model"
        )
    model_hz = bundle.pipeline.rate_hz
    if not math.isclose(record.rate_hz, model_hz, rel_tol=RATE_TOLERANCE):
        raise RecordingError(
            f"the session has {record.rate_hz:g} Hz, but its model is for {model_hz:g} Hz"
        )
    arithmetic = record.meta.get("arithmetic_version", ARITHMETIC_VERSION)
    if arithmetic != ARITHMETIC_VERSION:
        raise RecordingError(
            f"the session is of a device with arithmetic version {arithmetic!r}; this program has"
            f" {ARITHMETIC_VERSION}, and does not compute the same bits"
        )
    if record.lost:
        raise RecordingError(
            f"the session is not complete, so nothing follows from it: {'; '.join(record.lost)}"
        )
    twin = Twin(bundle)
    twin.state = record.start
    life = live_on_twin(twin, Script(record.samples, record.gaps, record.commands), progress)
    different = state_difference(record.end, twin.state)
    return _verdict(twin, len(life.windows), life.updates, different)


def check_model(board: Board, bundle: Bundle) -> None:
    """Raises DeviceError if the board runs another model than the bundle's."""
    if board.identity.model_id != bundle.model_id:
        raise DeviceError(
            f"the device runs model {board.identity.model_id}, but the bundle is of model"
            f" {bundle.model_id}: give the device's own with --model"
        )


async def _run(
    step: LockStep, script: Script, count: UpdateCount, progress: Progress | None
) -> str | None:
    """The first difference on the way; with it, what the state differs in."""
    compared = 0
    for piece in script.pieces(_PIECE):
        different = None
        for command in piece.commands:
            different = different or await step.execute(command)
            if isinstance(command, Undo):
                count.pass_over()
            count.look()
        if different is None:
            samples = script.samples[piece.first : piece.stop]
            different = await step.feed(samples, piece.gap)
            count.look()
        if different is None and step.windows - compared >= _STATE_EVERY:
            compared = step.windows
            different = await step.compare_state()
        elif different is not None:
            state = await step.compare_state()
            different = different if state is None else f"{different}; {state}"
        if different is not None:
            return different
        if progress is not None:
            progress(piece.stop, len(script.samples))
    return None


def _verdict(
    twin: Twin, windows: int, updates: int, different: str | None, unheard: int = 0
) -> Verdict:
    return Verdict(
        identical=different is None,
        windows=windows,
        updates=updates,
        state_crc=int.from_bytes(twin.state[-4:], "little"),
        difference=different,
        unheard=unheard,
    )


@asynccontextmanager
async def _state_kept(board: Board, keep: bool) -> AsyncIterator[None]:
    """The board's state as it is now comes back when the block is left."""
    if keep:
        yield
        return
    image = await board.pull_state()
    # At once, should this program be killed; a simulated board's own file is as it was.
    path = None if board.ends_with_link else _rescue(image, board.identity.model_id)
    problem = f"it did not answer within {_RESTORE_S:g} s"

    async def restore() -> None:
        nonlocal problem
        try:
            await _push(board, image)
            problem = ""
        except TinyOLError as error:
            problem = str(error)

    try:
        yield
    finally:
        try:
            await finish(restore(), _RESTORE_S)
        finally:
            if problem:
                path = path or _rescue(image, board.identity.model_id)
                raise DeviceError(
                    f"the device's earlier state could not be put back: {problem}. It is kept in"
                    f" {path}: `tinyol state push` brings it back"
                )
            if path is not None:
                path.unlink(missing_ok=True)


async def _push(board: Board, image: bytes) -> None:
    try:
        await board.push_state(image)
    except RebootedError:  # what this image holds is none of what the restart lost
        await board.push_state(image)


def _rescue(image: bytes, model_id: str) -> Path:
    folder = state_folder()
    name = f"before-verify-{model_id}-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.state"
    path = folder / name
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(path, image, DeviceError)
    return path
