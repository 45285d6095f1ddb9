"""A board, as a program drives it; the same whichever way leads there.

async with await connect("sim:") as board:
    await board.add_class("tilted")
    await board.label("tilted", windows=20)
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    asynccontextmanager,
    nullcontext,
)
from dataclasses import dataclass, replace
from types import TracebackType

import numpy as np

from tinyol_host.access.board_access import BoardAccess
from tinyol_host.access.key_store import KeyStore
from tinyol_host.clean_up import finish, to_its_end
from tinyol_host.connecting import warnings_about
from tinyol_host.device import Device, Effect
from tinyol_host.errors import RefusedError
from tinyol_host.events import Event
from tinyol_host.feeding import Feeding
from tinyol_host.image_transfer import Progress, pull_image, push_image
from tinyol_host.keeping import Keeping
from tinyol_host.kept_before import Before
from tinyol_host.protocol import Opcode
from tinyol_host.replies import Reply
from tinyol_host.session import Session
from tinyol_host.source_feeder import Sensing, SourceFeeder
from tinyol_host.streaming import CHANGES, LOG, NOTICES, PREDICTIONS, SAMPLES, Streams
from tinyol_host.timing import Timing
from tinyol_host.transports.opening import Way, transport_for
from tinyol_host.uri import Uri, parse_uri
from tinyol_sim.bundle import Bundle
from tinyol_sim.commands import Command, Gap, Reset, undoable
from tinyol_sim.errors import DeviceError, StateImageError, TinyOLError
from tinyol_sim.refusals import NOT_FOUND
from tinyol_sim.undone import Undone

__all__ = ["Board", "Effect", "SessionStart", "connect"]

_CLOSE_S = 10.0


@dataclass(frozen=True)
class SessionStart:
    """Where a session begins: a twin with this image, fed all that follows, ends as the board."""

    at: int  # index of the first sample that is not in the image
    image: bytes


async def connect(
    uri: str | None = None,
    *,
    timing: Timing | None = None,
    source: bool = True,
    keep_state: bool = True,
    set_aside: bool = False,
    keys: KeyStore | None = None,
) -> Board:
    """Opens the way to a board.

    Args:
        uri: `sim:`, `emu:` or `serial:/dev/ttyACM0`; None takes $TINYOL_DEVICE, or `sim:`.
        source: feed a board that has no sensor from its URI's source, while nobody else does.
        keep_state: a simulated board goes on from what it had learned when it was last closed,
            and keeps it again, every 10 s too. Those of hardware do so by themselves.
        set_aside: a file with what it had learned that is damaged is moved to NAME.bad, with a
            warning, in place of an error.
        keys: of boards, to authenticate with; None takes those that this user has here.

    Raises:
        DeviceError: no such address, nobody there, or a state that the board refuses.
        BundleError, RecordingError: the model or the source of the URI cannot be read.
    """
    address = parse_uri(uri)
    way = transport_for(address, source=source)
    if way.prepare is not None:
        await asyncio.to_thread(way.prepare)
    board = Board(address, way, timing or Timing(), keep_state=keep_state, keys=keys or KeyStore())
    await board._open(set_aside)
    return board


class Board(Device, BoardAccess):
    """An open board: made by connect(), closed by close() or `async with`.

    Methods may be called from several tasks of one event loop; each request is executed exactly
    once. All raise DeviceError (see errors.py) for what the board refuses or a link cannot do.

    warnings: what a person should know of this board, a sentence each.
    """

    def __init__(
        self, uri: Uri, way: Way, timing: Timing, *, keep_state: bool, keys: KeyStore
    ) -> None:
        session = Session(way.transport, timing, find_key=keys.find)
        Device.__init__(self, session)
        BoardAccess.__init__(self, session, keys)
        self.uri = uri
        self.bundle: Bundle | None = way.bundle
        self.ends_with_link = way.ends_with_link
        self.warnings: list[str] = []
        self._transport = way.transport
        self._streams = Streams(self._session)
        self._keeping: Keeping | None = None
        if keep_state and way.kept_state is not None:
            self._keeping = Keeping(way.kept_state, self.health)
        self._source: SourceFeeder | None = None
        if way.source is not None:
            feeds = self._new_feeding if way.sense is None else Sensing(way.sense)
            self._source = SourceFeeder(feeds, way.source)
        self._feeding: Feeding | None = None
        self._transfer = asyncio.Lock()  # one image is on its way at a time
        self._closed = False

    async def reset(self) -> Effect:
        """Back to what training left."""
        async with self._may_be_undone(Reset()):
            self._seen_none()
            return await self._change(Opcode.RESET)

    async def undo(self) -> Effect:
        """As Device.undo(); a simulated board's last lesson is taken back in a later program too.

        That is by way of a file: then the counters go back as well, and of other changes as many
        count as can be told from the state.
        """
        try:
            effect = await super().undo()
        except DeviceError as error:
            before = self._before_last_lesson(error)
            if before is None:
                raise
            undone = before.undone(await self._pull())
            effect = replace(await self.push_state(before.image), undone=undone)
        else:
            self._seen_none()
        if self._keeping is not None:
            self._keeping.forget_before()
        return effect

    async def would_undo(self) -> Undone:
        """What undo() would take back."""
        try:
            return await super().would_undo()
        except DeviceError as error:
            before = self._before_last_lesson(error)
            if before is None:
                raise
            return before.undone(await self._pull())

    def _before_last_lesson(self, error: DeviceError) -> Before | None:
        """What the file has, if the board itself has nothing to take back."""
        cause = error.__cause__
        if self._keeping is None or not isinstance(cause, RefusedError):
            return None
        return self._keeping.before() if cause.status == NOT_FOUND else None

    @asynccontextmanager
    async def _may_be_undone(self, command: Command) -> AsyncIterator[None]:
        keeping = self._keeping
        if keeping is None or not keeping.lasts or not undoable(command):
            yield
            return
        image = await self._pull()
        yield
        keeping.taught(Before(command, image))

    async def factory_reset(self) -> Effect:
        """As from the factory: what it learned, its name and its key are erased. Only at its own
        port.
        """
        self._seen_none()
        effect = await super().factory_reset()
        if self._keeping is not None:
            self._keeping.forget_before()
        return effect

    async def execute(self, command: Command) -> Effect:
        """Has it execute a command; a Gap only within feeding()."""
        if isinstance(command, Gap) and self._feeding is not None:
            await self._feeding.feed(np.empty((0, 3), np.float32), gap=True)
            return Effect(self._feeding.at)
        return await super().execute(command)

    # --- samples and events --------------------------------------------------------------

    def stream(
        self,
        *,
        predictions: bool = False,
        samples: bool = False,
        changes: bool = False,
        log: bool = False,
        notices: bool = False,
    ) -> AbstractAsyncContextManager[AsyncIterator[Event]]:
        """The events of these kinds while the block lasts, and Lost where some are missing.

        Several may be open. The board is asked for what somebody wants, and no longer.

        changes: also those that this program makes.
        notices: what begins or ends: alarms, unknown events, a sensor that was moved.
        """
        wanted = {
            PREDICTIONS: predictions,
            SAMPLES: samples,
            CHANGES: changes,
            LOG: log,
            NOTICES: notices,
        }
        return self._streams.open(kind for kind, chosen in wanted.items() if chosen)

    @asynccontextmanager
    async def feeding(self) -> AsyncIterator[Feeding]:
        """Samples from this program, by `feed`, in place of those of the board's sensor or source.

        Either end of the block makes a gap.

        Raises:
            DeviceError: this program, or another, feeds the board already.
        """
        if self._feeding is not None:
            raise DeviceError("this program feeds the board already: one block at a time")
        self._feeding = feeding = self._new_feeding()
        try:
            async with self._source_paused(), feeding:
                yield feeding
        finally:
            self._feeding = None

    @asynccontextmanager
    async def _source_paused(self) -> AsyncIterator[None]:
        if self._source is None:
            yield
            return
        await self._source.pause()
        try:
            yield
        finally:
            self._source.resume()

    def _new_feeding(self) -> Feeding:
        return Feeding(self._session, self._max_message)

    def _max_message(self) -> int:
        return min(self.identity.max_message, self._transport.max_message)

    # --- state images --------------------------------------------------------------------

    async def pull_state(self, progress: Progress | None = None) -> bytes:
        """Everything that it has learned, as a state image.

        progress: called with bytes done and bytes in all.
        """
        image = await self._pull(progress)
        self._saw(image)
        return image

    async def _pull(self, progress: Progress | None = None) -> bytes:
        async with self._transfer:
            image, _ = await pull_image(
                self._session,
                lambda: self._session.request(Opcode.IMAGE_GET),
                self._max_message,
                progress,
            )
        return image

    async def push_state(self, image: bytes, progress: Progress | None = None) -> Effect:
        """Has it take over a state image, in place of what it has learned.

        Raises:
            StateImageError: damaged, of another model or version; the board is unchanged.
        """
        at = await self._push(image, progress)
        if self._keeping is not None:
            self._keeping.forget_before()
        return Effect(at)

    async def _push(self, image: bytes, progress: Progress | None = None) -> int:
        async with self._transfer:
            at = await push_image(self._session, image, self._max_message, progress)
        self._saw(image)
        return at

    async def begin_session(
        self, *, predictions: bool = False, progress: Progress | None = None
    ) -> SessionStart:
        """Ends labels and fine-tuning, makes a gap, and reads the state image as of then.

        What the board learns from there on follows from the samples and changes that it streams:
        call it within stream(samples=True, changes=True), and pass over what lies before `at`.

        Raises:
            DeviceError: nobody listens to samples and changes, or see pull_state().
        """
        if not self._streams.union >= {SAMPLES, CHANGES}:
            raise DeviceError("begin a session within stream(samples=True, changes=True)")
        wanted = {SAMPLES, CHANGES} | ({PREDICTIONS} if predictions else set())

        async def announce() -> Reply:
            return await self._streams.begin_session(wanted)

        async with self._transfer:
            image, at = await pull_image(self._session, announce, self._max_message, progress)
        if self._keeping is not None:
            self._keeping.forget_before()  # as the board has: its twin could not take that back
        return SessionStart(at, image)

    def state_not_kept(self) -> AbstractContextManager[None]:
        """While the block lasts, what a simulated board learns is not saved; it is at the end."""
        return nullcontext() if self._keeping is None else self._keeping.paused()

    def _seen_none(self) -> None:
        if self._keeping is not None:
            self._keeping.saw(None)

    def _saw(self, image: bytes) -> None:
        if self._keeping is not None:
            self._keeping.saw(image)

    # --- beginning and end ---------------------------------------------------------------

    async def _open(self, set_aside: bool) -> None:
        try:
            kept = None if self._keeping is None else self._keeping.load()
            await self._session.open()
            self.warnings += self._recognize(self.uri) + await self._look()
            if self._keeping is not None and kept is not None:
                try:
                    await self._push(kept)
                except StateImageError as error:
                    if not set_aside:
                        raise self._keeping.refused(error) from None
                    model_id = self.identity.model_id
                    self.warnings.append(self._keeping.set_aside(kept, model_id, error))
            if self._source is not None and not self.may_change:
                self._source = None
                self.warnings.append(f"{self.uri} is not fed from its source: {self.lacks_key}")
            if self._source is not None:
                self._source.source.begin_at((await self.info()).at)
                self._source.start()
            if self._keeping is not None:
                self._keeping.start(self._pull, self._session.tell_reboot)
        except BaseException:
            await self._let_go()
            raise

    async def _look(self) -> list[str]:
        # One that ends with its link has no hardware that could fail.
        hardware = None if self.ends_with_link else await self.hardware_if_known()
        return warnings_about(self.identity, await self.info(), self.bundle, hardware)

    async def close(self) -> None:
        """Ends what is under way, and keeps what a simulated board has learned. Idempotent.

        Returns in bounded time, also if the board is gone; cancelled, it still does all that.

        Raises:
            DeviceError: what was learned could not be kept; says what is lost.
        """
        if not self._closed:
            self._closed = True
            await to_its_end(self._close())

    async def _close(self) -> None:
        try:
            if self._keeping is not None:
                await self._keeping.stop()
            if self._source is not None:
                await self._source.stop()
            if self._keeping is not None:
                await self._keeping.save(self.pull_state)
        finally:
            await self._let_go()

    async def _let_go(self) -> None:
        self._closed = True
        try:
            await finish(self._session.close(), _CLOSE_S)
        finally:
            if self._keeping is not None:
                self._keeping.release()

    async def __aenter__(self) -> Board:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            await self.close()
        except TinyOLError:
            if error is None:  # else that one tells more of what went wrong
                raise
