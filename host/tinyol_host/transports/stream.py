"""Messages over a stream of bytes, in COBS frames: what a serial port and an emulated UART share.

The stream blocks, so a thread reads it and another writes to it; all else happens in the event
loop. Both threads end with close().
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol, TypeVar

from tinyol_host.errors import LinkError
from tinyol_host.framing import FrameParser, encode_frame
from tinyol_host.protocol import MAX_MESSAGE_BYTES
from tinyol_host.transports.message_queue import MessageQueue
from tinyol_sim.errors import TinyOLError

T = TypeVar("T")

READ_S = 0.2  # a read that close() cannot wake up ends after this
# The event loop parses so much in one turn; the reader waits meanwhile, and what floods a port
# waits in the kernel.
MOST_BYTES_A_TURN = 4096
# Before each frame, so that one whose own closing zero is lost does not take the next with it.
_FRAME_START = b"\0"


class ByteStream(Protocol):
    """Blocking. One thread reads while another writes; close() comes from a third, at any time."""

    def read(self, timeout: float) -> bytes:
        """What has come, at least a byte; b"" after `timeout` seconds without, or when woken.

        Raises LinkError or EmulatorError when no more will come.
        """

    def write(self, data: bytes) -> None:
        """All of it; LinkError or EmulatorError if that cannot be, in a bounded time."""

    def close(self) -> None:
        """Wakes up who reads or writes. Once."""


class StreamTransport:
    """A Transport (transports/__init__.py).

    opener: connects; may block for long, as for building an emulated board. It raises LinkError.
    """

    max_message = MAX_MESSAGE_BYTES
    is_reliable = False
    is_physical = True

    def __init__(self, opener: Callable[[], ByteStream], name: str) -> None:
        self.bad_frames = 0
        self._opener = opener
        self._name = name
        self._line: _Line | None = None

    @property
    def name(self) -> str:
        """See Transport."""
        return self._name

    async def open(self) -> None:
        """See Transport. Cancelled, it closes what the opener may still open."""
        if self._line is not None:
            return
        opening = _in_thread(self._opener, "tinyol-opener")
        try:
            stream = await asyncio.wrap_future(opening)
        except asyncio.CancelledError:
            opening.add_done_callback(_close_opened)
            raise
        except OSError as error:
            raise LinkError(f"{self._name}: {error.strerror or error}") from None
        self._line = _Line(stream, self)

    async def close(self) -> None:
        """See Transport. It goes on in its thread if it is cancelled."""
        line, self._line = self._line, None
        if line is not None:
            line.queue.finish(f"{self._name} has been closed")
            await asyncio.wrap_future(_in_thread(line.shut, "tinyol-closer"))

    async def send(self, message: bytes) -> None:
        """See Transport."""
        line = self._opened()
        if line.queue.end is not None:
            raise LinkError(line.queue.end)
        try:
            await line.write(_FRAME_START + encode_frame(message))
        except (TinyOLError, OSError, RuntimeError) as error:
            line.queue.finish(_end_of(self._name, error))
            raise LinkError(str(line.queue.end)) from None

    async def send_ahead(self, message: bytes) -> None:
        """See Transport."""
        await self.send(message)

    async def receive(self) -> bytes:
        """See Transport."""
        return await self._opened().queue.get()

    def _opened(self) -> _Line:
        if self._line is None:
            raise LinkError(f"{self._name} is not open")
        return self._line


class _Line:
    """One connection: the stream, its threads, and what has come."""

    def __init__(self, stream: ByteStream, owner: StreamTransport) -> None:
        self.queue = MessageQueue()
        self._stream = stream
        self._owner = owner
        self._parser = FrameParser()
        self._loop = asyncio.get_running_loop()
        self._closing = threading.Event()
        self._taken = threading.Event()  # what was handed over last
        self._writer = ThreadPoolExecutor(1, "tinyol-writer")
        self._reader = threading.Thread(target=self._read, name="tinyol-reader", daemon=True)
        self._reader.start()

    async def write(self, data: bytes) -> None:
        await asyncio.wrap_future(self._writer.submit(self._stream.write, data))

    def shut(self) -> None:
        """Blocks until both threads have ended."""
        self._closing.set()
        self._taken.set()
        try:
            self._stream.close()
        finally:
            self._writer.shutdown()
            self._reader.join()

    def _read(self) -> None:
        """The reader's thread."""
        try:
            while not self._closing.is_set():
                data = self._stream.read(READ_S)
                for start in range(0, len(data), MOST_BYTES_A_TURN):
                    self._hand_over(data[start : start + MOST_BYTES_A_TURN])
        except Exception as error:
            # Nobody would see it in this thread; whoever receives gets it instead.
            self._tell_loop(self.queue.finish, _end_of(self._owner.name, error))

    def _hand_over(self, data: bytes) -> None:
        """Returns when the loop has taken it: one turn of it is under way at most."""
        if self._closing.is_set():
            return
        self._taken.clear()
        self._tell_loop(self._take, data)
        # A loop that was stopped without close() takes nothing any more.
        while not (self._closing.is_set() or self._taken.wait(READ_S)):
            if self._loop.is_closed():
                self._closing.set()

    def _tell_loop(self, function: Callable[..., None], argument: object) -> None:
        try:
            self._loop.call_soon_threadsafe(function, argument)
        except RuntimeError:  # the loop is closed: nobody listens any more
            self._closing.set()

    def _take(self, data: bytes) -> None:
        try:
            bad_before = self._parser.bad_frames
            self.queue.put(self._parser.push(data))
            self._owner.bad_frames += self._parser.bad_frames - bad_before
        finally:
            self._taken.set()


def _in_thread(work: Callable[[], T], name: str) -> Future[T]:
    """Runs `work` in a thread of its own, which ends with it."""
    future: Future[T] = Future()
    future.set_running_or_notify_cancel()  # from here on it cannot be cancelled

    def run() -> None:
        try:
            result = work()
        except BaseException as error:
            future.set_exception(error)
        else:
            future.set_result(result)

    threading.Thread(target=run, name=name).start()
    return future


def _close_opened(opening: Future[ByteStream]) -> None:
    if opening.exception() is None:
        opening.result().close()


def _end_of(name: str, error: Exception) -> str:
    return str(error) if isinstance(error, TinyOLError) else f"{name}: {error!r}"
