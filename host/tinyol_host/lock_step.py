"""A board and its twin side by side: both get the same, and must say the same, bit for bit."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tinyol_host.effect import Effect
from tinyol_host.errors import BUSY, RefusedError
from tinyol_host.events import Event, Prediction
from tinyol_sim.command_lines import command_text
from tinyol_sim.commands import (
    AddClass,
    Calibrate,
    Command,
    FineTune,
    Gap,
    Label,
    LabelBack,
    NameUnknown,
    Relearn,
    Undo,
    apply_to_twin,
)
from tinyol_sim.errors import DeviceError
from tinyol_sim.state_image import StateImage
from tinyol_sim.text import printable
from tinyol_sim.twin import Twin, Windows

if TYPE_CHECKING:
    from tinyol_host.board import Board

_EVENT_WAIT_S = 5.0  # events come before the reply to what caused them: this is for slow machines
_FLOATS = ("error", "tuned_error", "log_variance", "confidence", "loss", "score", "novelty")
_OTHERS = ("predicted", "label", "anomaly", "learned", "fine_tuned", "alarm", "unknown")

Feed = Callable[[NDArray[np.float32], bool], Awaitable[int]]


class LockStep:
    """Gives everything to both sides; each method says in words what differs, None = nothing.

    windows: predictions compared so far. unheard: those that were lost on the way from the board.
    The board is being fed, its predictions are streamed: see `lock_step`.
    """

    def __init__(self, board: Board, feed: Feed, events: AsyncIterator[Event], twin: Twin) -> None:
        self.windows = 0
        self.unheard = 0
        self._board, self._feed, self._twin = board, feed, twin
        self._queue: asyncio.Queue[Prediction | Exception] = asyncio.Queue()
        self._reader = asyncio.create_task(self._read(events))

    async def execute(self, command: Command) -> str | None:
        """A command to both. Raises DeviceError if both refuse it: then nothing has changed."""
        if isinstance(command, Gap):
            return await self.feed(np.empty((0, 3), np.float32), True)
        mine: int | None = None
        told: Any = None
        refused: DeviceError | None = None
        try:
            told = _told_before(command, self._twin)
            mine = apply_to_twin(command, self._twin)
        except DeviceError as error:
            refused = error
        what = printable(command_text(command))
        try:
            effect = await self._board.execute(command)
        except DeviceError as error:
            if not _says_no(error):
                raise
            if refused is not None:
                raise refused from None
            return f"{what}: the device refuses it ({error}), the twin does not"
        if refused is not None:
            return f"{what}: the twin refuses it ({refused}), the device does not"
        if (
            isinstance(command, AddClass | LabelBack | Relearn | NameUnknown)
            and effect.value != mine
        ):
            return f"{what}: device {effect.value}, twin {mine}"
        theirs = _told_by(command, effect)
        if theirs != told:
            return f"{what}: device tells {theirs}, twin {told}"
        after = self._twin.counters()["samples"]
        if effect.at != after:
            return f"{what}: holds from sample {effect.at} on the device, {after} on the twin"
        return None

    async def feed(self, samples: NDArray[np.float32], gap: bool) -> str | None:
        """Samples to both; every prediction that they cause is compared."""
        before = self._twin.counters()["windows"]
        windows = self._twin.feed(samples, gaps=[0] if gap and len(samples) else None)
        if gap and not len(samples):
            self._twin.gap()
        completed = await self._feed(samples, gap)
        different = await self._compare(windows)
        expected = self._twin.counters()["windows"] - before
        if different is None and completed != expected:
            different = f"windows completed: device {completed}, twin {expected}"
        return different

    async def compare_state(self) -> str | None:
        """The two state images."""
        return state_difference(await self._board.pull_state(), self._twin.state)

    async def stop(self) -> None:
        """Ends listening."""
        self._reader.cancel()
        await asyncio.wait({self._reader})

    async def _read(self, events: AsyncIterator[Event]) -> None:
        try:
            async for event in events:
                if isinstance(event, Prediction):
                    self._queue.put_nowait(event)
            self._queue.put_nowait(DeviceError("the device's predictions have ended"))
        except Exception as error:  # told to whoever waits for the next prediction
            self._queue.put_nowait(error)

    async def _compare(self, windows: Windows) -> str | None:
        at = 0
        while at < len(windows):
            try:
                event = await asyncio.wait_for(self._queue.get(), _EVENT_WAIT_S)
            except asyncio.TimeoutError:
                break
            if isinstance(event, Exception):
                raise event
            while at < len(windows) and windows.window_index[at] < event.window_index:
                at, self.unheard = at + 1, self.unheard + 1
            if at == len(windows):
                return f"window {event.window_index}: only the device has it"
            different = prediction_difference(event, windows, at)
            if different is not None:
                return different
            at, self.windows = at + 1, self.windows + 1
        self.unheard += len(windows) - at
        if self._queue.empty():
            return None
        extra = self._queue.get_nowait()
        if isinstance(extra, Exception):
            raise extra
        return f"window {extra.window_index}: only the device has it"


@asynccontextmanager
async def lock_step(board: Board, twin: Twin) -> AsyncIterator[LockStep]:
    """Feeds the board in place of its sensor, until the block is left.

    Each end of it makes a gap, which the twin gets too. What a simulated board learns meanwhile
    is not kept for good before the end: a program that is killed leaves what there was.
    """
    async with AsyncExitStack() as stack:
        stack.enter_context(board.state_not_kept())
        # First: a window of the board's own sensor, completed until then, is none of these.
        feeding = await stack.enter_async_context(board.feeding())
        events = await stack.enter_async_context(board.stream(predictions=True))
        twin.gap()
        step = LockStep(board, feeding.feed, events, twin)
        try:
            yield step
        finally:
            twin.gap()
            await step.stop()


def prediction_difference(event: Prediction, windows: Windows, at: int) -> str | None:
    """The first field of a prediction that is not the twin's window `at`, bit by bit."""
    where = f"window {event.window_index}"
    for name in ("window_index", "sample_index"):
        mine, theirs = int(getattr(event, name)), int(getattr(windows, name)[at])
        if mine != theirs:
            return f"{where}: {name}: device {mine} (0x{mine:x}), twin {theirs} (0x{theirs:x})"
    for name in _FLOATS:
        told, own = np.float32(getattr(event, name)), np.float32(getattr(windows, name)[at])
        if _bits(told) != _bits(own):
            return f"{where}: {name}: device {_shown(told)}, twin {_shown(own)}"
    for name in _OTHERS:
        mine, theirs = int(getattr(event, name)), int(getattr(windows, name)[at])
        if mine != theirs:
            hexes = f"0x{mine & 0xFFFF:04x}", f"0x{theirs & 0xFFFF:04x}"
            return f"{where}: {name}: device {mine} ({hexes[0]}), twin {theirs} ({hexes[1]})"
    return None


def state_difference(device: bytes, twin: bytes) -> str | None:
    """The first field of two state images that differs, with the class whose weight it is."""
    if device == twin:
        return None
    a, b = StateImage.from_bytes(device), StateImage.from_bytes(twin)
    field = a.first_difference(b)
    if field is None:  # only in what is no field: a version, a reserved byte
        pairs = zip(device, twin, strict=False)
        at = next((i for i, (x, y) in enumerate(pairs) if x != y), min(len(device), len(twin)))
        field = f"byte {at}"
    return f"state, device against twin: {_with_class(field, a.fields)}"


def _with_class(field: str, fields: dict[str, Any]) -> str:
    found = re.match(r"softmax\.weights\[(\d+), \d+\]", field)
    names = fields.get("classes.names", [])
    if found is None or int(found[1]) >= len(names):
        return field
    return f"{found[0]} (class {names[int(found[1])]!r}){field[found.end() :]}"


def _told_before(command: Command, twin: Twin) -> Any:
    """What a device's reply must say beyond the value, asked of the twin before the command."""
    if isinstance(command, Label) and command.name is not None and command.windows != 0:
        return twin.contradiction(command.name)
    if isinstance(command, LabelBack):
        return twin.contradiction(command.name, command.windows)
    if isinstance(command, FineTune):
        return command.steps != 0 and twin.watch().alarm
    if isinstance(command, Calibrate):
        return command.windows != 0 and twin.watch().alarm
    return twin.would_undo() if isinstance(command, Undo) else None


def _told_by(command: Command, effect: Effect) -> Any:
    if isinstance(command, FineTune | Calibrate):
        return effect.alarm_stands
    return effect.undone if isinstance(command, Undo) else effect.contradiction


def _says_no(error: DeviceError) -> bool:
    """Whether this is the device's judgement of a command, not of the link or the moment."""
    cause = error.__cause__ or error
    if isinstance(cause, RefusedError):
        return cause.status > BUSY
    return type(error) is DeviceError


def _bits(value: np.float32) -> int:
    return int(value.view(np.uint32))


def _shown(value: np.float32) -> str:
    return f"{value!s} (0x{_bits(value):08x})"
