"""An open transport: sends a request, finds its reply among what comes in, hands events on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from tinyol_host.errors import LinkError, ProtocolError
from tinyol_host.link_health import LinkHealth
from tinyol_host.protocol import Kind, Message, Opcode, foreign_version_of_hello, wrong_version
from tinyol_host.transports import Transport
from tinyol_sim.errors import TinyOLError

T = TypeVar("T")

# True if this is the reply; what it raises, the one who asked hears. Called at once, before
# anything that came in behind the reply is looked at.
Judge = Callable[[Message], bool]


@dataclass
class _Waiting:
    opcode: int
    judge: Judge
    found: asyncio.Future[Message | None]


class _Ahead:
    """Requests under way of which none waits for the one before."""

    def __init__(self, judge: Judge) -> None:
        self.taken = 0
        self.error: Exception | None = None
        self.progress = asyncio.Event()
        self._judge = judge

    def take(self, message: Message) -> bool:
        """Whether it was the reply that is due."""
        try:
            taken = self._judge(message)
        except TinyOLError as error:
            self.error = error
            taken = True
        self.taken += taken
        self.progress.set()
        return taken

    def stop(self) -> None:
        """There will be no more replies."""
        self.progress.set()


class Link:
    """One request at a time; it may be opened again after a cut."""

    def __init__(
        self,
        transport: Transport,
        health: LinkHealth,
        on_event: Callable[[Message], None],
        on_cut: Callable[[], None],
    ) -> None:
        self._transport = transport
        self._name = transport.name.rstrip(":")  # "sim:" is a whole URI
        self._health = health
        self._on_event = on_event
        self._on_cut = on_cut
        self._reader: asyncio.Task[None] | None = None
        self._cut_off = True
        self._error: Exception | None = None  # what ended the reader, if it was no cut
        self._waiting: _Waiting | None = None
        self._ahead: _Ahead | None = None
        self._bad_frames = 0  # of the transport, as counted so far

    @property
    def is_open(self) -> bool:
        """It was opened, and no cut was noticed since."""
        return not self._cut_off

    async def open(self, seconds: float) -> None:
        """Opens the transport anew; LinkError if it cannot be, or not in time."""
        await self.close()
        try:
            await within(self._transport.open(), seconds)
        except asyncio.TimeoutError:
            raise LinkError(f"{self._name}: cannot be opened within {seconds:.3g} s") from None
        self._error, self._cut_off = None, False
        self._reader = asyncio.create_task(self._read())

    async def close(self) -> None:
        """Closes the transport; whoever waits for a reply gets none."""
        reader, self._reader = self._reader, None
        self._cut_off = True
        try:
            if reader is not None:
                reader.cancel()
                await asyncio.wait({reader})
        finally:
            self._end_waiting(None)
            await self._transport.close()

    async def ask(
        self, request: Message, judge: Judge, reply_s: float, send_s: float
    ) -> Message | None:
        """Sends a request and waits for its reply.

        Returns None if no reply came in time or the link was cut, which `is_open` tells.
        """
        if self._error is not None:
            raise self._error
        if self._cut_off:
            return None
        found: asyncio.Future[Message | None] = asyncio.get_running_loop().create_future()
        self._waiting = _Waiting(request.opcode, judge, found)
        try:
            await within(self._transport.send(request.to_bytes()), send_s)
            await asyncio.wait({found}, timeout=reply_s)
            return found.result() if found.done() else None
        except asyncio.TimeoutError:
            return None
        except LinkError:
            self._cut()
            return None
        finally:
            self._waiting = None
            if found.done():
                found.exception()  # retrieved, or asyncio would complain of it
            self._count_bad_frames()

    async def ask_ahead(
        self, requests: Sequence[Message], judge: Judge, window: int, reply_s: float
    ) -> None:
        """Sends requests, `window` of them ahead of their replies at most.

        Returns when the judge has taken a reply for each, or the link was cut or fell silent.
        """
        ahead = self._ahead = _Ahead(judge)
        sent = 0
        try:
            while ahead.taken < len(requests) and not self._cut_off:
                ahead.progress.clear()
                while sent < len(requests) and sent - ahead.taken < window:
                    await within(self._transport.send_ahead(requests[sent].to_bytes()), reply_s)
                    sent += 1
                if ahead.taken < sent:
                    await within(ahead.progress.wait(), reply_s)
                if ahead.error is not None:
                    raise ahead.error
        except asyncio.TimeoutError:
            return
        except LinkError:
            self._cut()
        finally:
            self._ahead = None
            self._count_bad_frames()

    async def _read(self) -> None:
        try:
            while True:
                self._take(await self._transport.receive())
        except LinkError:
            self._cut()
        except Exception as error:  # of no use to anyone here: the one who asks must hear of it
            self._error = error
            self._end_waiting(error)
            self._cut()

    def _cut(self) -> None:
        self._cut_off = True
        self._end_waiting(None)
        self._on_cut()

    def _end_waiting(self, error: Exception | None) -> None:
        if self._ahead is not None:
            self._ahead.error = error
            self._ahead.stop()
        if self._waiting is None or self._waiting.found.done():
            return
        if error is None:
            self._waiting.found.set_result(None)
        else:
            self._waiting.found.set_exception(error)

    def _take(self, data: bytes) -> None:
        self._count_bad_frames()
        waiting = self._waiting
        if waiting is not None and waiting.found.done():
            waiting = None
        if waiting is not None and waiting.opcode == Opcode.HELLO:
            version = foreign_version_of_hello(data)
            if version is not None:
                waiting.found.set_exception(
                    ProtocolError(f"{self._name}: {wrong_version(version)}")
                )
                return
        try:
            message = Message.from_bytes(data)
        except ProtocolError:
            self._health.stray += 1
            return
        if message.kind == Kind.EVENT:
            self._on_event(message)
            return
        if self._ahead is not None and message.kind == Kind.REPLY and self._ahead.take(message):
            return
        try:
            taken = message.kind == Kind.REPLY and waiting is not None and waiting.judge(message)
        except ProtocolError as error:
            assert waiting is not None
            waiting.found.set_exception(error)
            return
        if taken and waiting is not None:
            waiting.found.set_result(message)
        else:
            self._health.stray += 1

    def _count_bad_frames(self) -> None:
        seen = self._transport.bad_frames
        self._health.bad_frames += max(0, seen - self._bad_frames)
        self._bad_frames = seen


async def within(doing: Coroutine[Any, Any, T], seconds: float | None) -> T:
    """As asyncio.wait_for, which before Python 3.12 could swallow a cancellation.

    Raises asyncio.TimeoutError; what was to be done is then cancelled and has ended.
    """
    task = asyncio.ensure_future(doing)
    try:
        await asyncio.wait({task}, timeout=seconds)
    finally:
        if not task.done():
            task.cancel()
            await asyncio.wait({task})
        if not task.cancelled():
            task.exception()  # retrieved, or asyncio would complain of it
    if task.cancelled():
        raise asyncio.TimeoutError
    return task.result()
