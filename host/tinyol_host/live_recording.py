"""A recording while it is made: events go to a Recorder, a person's commands to the board.

async with LiveRecording(board) as live:
    await live.execute(Label("tilted", 20))
    await asyncio.sleep(10)
    await live.finish()
recording = live.recorder.to_recording("fan")
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from tinyol_host.errors import RebootedError
from tinyol_host.events import Changed, Event, Log
from tinyol_host.recorder import Recorder
from tinyol_sim.commands import Command, Label
from tinyol_sim.errors import DeviceError, TinyOLError
from tinyol_sim.state_image import StateImage

if TYPE_CHECKING:
    from types import TracebackType

    from tinyol_host.board import Board, SessionStart
    from tinyol_host.device import Effect
    from tinyol_host.image_transfer import Progress

_ASK_AGAIN = 5  # times, while others change the classes at the same moment
_ARRIVE_S = 5.0  # for events that are on their way
_NUDGE_S = 0.2  # a device keeps up to 7 samples back until more come, or it is asked


class LiveRecording:
    """Records from `async with` on until finish(), or until the block is left.

    recorder: what there is so far.
    start: where a session began; None for a plain recording.
    end_image: the state at a session's end; None before finish(), or if it could not be had.
    error: what ended the recording before its time: the device is gone; None if nothing did.
    """

    def __init__(
        self,
        board: Board,
        *,
        session: bool = False,
        label: str | None = None,
        on_log: Callable[[Log], object] | None = None,
    ) -> None:
        """session: of which the twin can live all again; label: a class, added if need be, that
        holds from the first sample on (in a session, from one of the first). A board without a
        model has no classes: the label is then in the recording alone.
        on_log: called with each line of the board's log.
        """
        self.recorder = Recorder(board.identity)
        self.start: SessionStart | None = None
        self.end_image: bytes | None = None
        self.error: TinyOLError | None = None
        self._board = board
        self._is_session = session
        self._label = label
        self._on_log = on_log
        self._open = AsyncExitStack()
        self._tasks: list[asyncio.Task[None]] = []
        self._ended = asyncio.Event()
        self._stale = asyncio.Event()
        self._changes = 0  # events that told of one

    async def __aenter__(self) -> LiveRecording:
        try:
            await self._begin()
        except BaseException:
            await self._close()
            raise
        return self

    async def _begin(self) -> None:
        events = await self._open.enter_async_context(
            self._board.stream(samples=True, changes=True, log=True)
        )
        self._tasks = [
            asyncio.create_task(self._read(events)),
            asyncio.create_task(self._stay_informed()),
        ]
        if not self._is_session:
            await self._give_label()
        at, classes, label, left = await self._ask()
        own = label is not None and label == self._label
        self.recorder.begin(at, classes, label, left, own=own)
        if self._is_session:
            self.start = await self._board.begin_session()
            if not await self._arrives(lambda: self.recorder.session_at is not None):
                raise DeviceError("the news that the session has begun got lost; try again")
            await self._give_label()

    async def _give_label(self) -> None:
        if self._label is None or not self._board.identity.has_model:
            return
        if self._label not in await self._board.classes():
            await self._board.add_class(self._label)
        await self._board.label(self._label)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._close()

    @property
    def board(self) -> Board:
        """That is recorded."""
        return self._board

    @property
    def ended(self) -> bool:
        """Nothing will come any more; `error` says why."""
        return self._ended.is_set()

    async def wait_for_end(self) -> None:
        """Returns when nothing will come any more."""
        await self._ended.wait()

    async def execute(self, command: Command) -> Effect:
        """Has the board execute it; the effect's `at` is the recording's index, not the device's.

        Raises DeviceError if the board refuses it; the recording goes on.
        """
        effect = await self._board.execute(command)
        return replace(effect, at=self.recorder.index_of(effect.at))

    async def finish(self, progress: Progress | None = None) -> None:
        """Ends a label that was given here, takes a session's end image, and stops listening.

        A board that is gone is no error here: see `error`.

        progress: called with the end image's bytes done and bytes in all.
        """
        try:
            labels = self._board.identity.has_model and self.recorder.own_label is not None
            if not self.ended and labels:
                with suppress(RebootedError):  # then there is no label any more
                    await self._board.execute(Label(None))
            if not self.ended and self._is_session:
                image = await self._board.pull_state(progress)
                await self._samples_until(StateImage.from_bytes(image).fields["counters.samples"])
                self.end_image = image
        except TinyOLError as error:
            self.error = self.error or error
        await self._close()

    async def _close(self) -> None:
        """When the stream is closed, what the board had kept back has come too."""
        try:
            await self._open.aclose()
            if self._tasks:
                await asyncio.wait({self._tasks[0]}, timeout=_ARRIVE_S)
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    # --- what comes in -------------------------------------------------------------------

    async def _read(self, events: AsyncIterator[Event]) -> None:
        try:
            async for event in events:
                self.recorder.take(event)
                if isinstance(event, Log) and self._on_log is not None:
                    self._on_log(event)
                self._changes += isinstance(event, Changed)
                if self.recorder.stale:
                    self._stale.set()
        except TinyOLError as error:
            self.error = error
        finally:
            self._ended.set()

    async def _stay_informed(self) -> None:
        """Asks for classes and label where an event that would have told of them was lost."""
        while True:
            await self._stale.wait()
            self._stale.clear()
            try:
                _, classes, label, left = await self._ask()
                self.recorder.known(classes, label, left)
            except TinyOLError:  # restarted, or busy; a link that is gone ends the recording
                await asyncio.sleep(_NUDGE_S)
                self._stale.set()

    async def _ask(self) -> tuple[int, list[str], str | None, int | None]:
        """Index of the next sample, classes, label and its windows left, of one moment."""
        if not self._board.identity.has_model:
            own = [] if self._label is None else [self._label]
            return (await self._board.info()).at, own, self._label, None
        for _ in range(_ASK_AGAIN):
            changes = self._changes
            info, classes = await self._board.info(), await self._board.classes()
            await asyncio.sleep(0)  # events that came before the replies are read now
            if self._changes == changes:
                break
        known = info.label is not None and info.label < len(classes)
        return info.at, classes, classes[info.label or 0] if known else None, info.label_left

    async def _samples_until(self, index: int) -> None:
        """Waits for those before the device's sample `index`; some may never come."""
        if await self._arrives(lambda: self.recorder.next_index >= index, _NUDGE_S):
            return
        # Where what it streams changes, it sends what it kept.
        async with self._board.stream(predictions=True):
            await self._arrives(lambda: self.recorder.next_index >= index)

    async def _arrives(self, done: Callable[[], bool], limit_s: float = _ARRIVE_S) -> bool:
        """Whether it comes true within the limit, while events are read."""
        clock = asyncio.get_running_loop().time
        limit = clock() + limit_s
        while not done():
            if self.ended or clock() > limit:
                return False
            await asyncio.sleep(0.005)
        return True
