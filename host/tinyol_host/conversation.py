"""The host's side of "exactly once": numbers, repeats, reconnects, and what a restart means.

Its rules stand in docs/wire-protocol.md, "Sessions: exactly once".
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import Callable, Sequence

from tinyol_host.errors import (
    BAD_SEQUENCE,
    NO_SESSION,
    REBOOTED,
    LinkError,
    NoReplyError,
    PortGoneError,
    ProtocolError,
    RebootedError,
    RefusedError,
)
from tinyol_host.incoming_events import IncomingEvents
from tinyol_host.link import Judge, Link
from tinyol_host.link_health import LinkHealth
from tinyol_host.protocol import Kind, Message, Opcode
from tinyol_host.replies import Identity, Reply, status_of
from tinyol_host.requests import hello
from tinyol_host.timing import Timing
from tinyol_host.transports import Transport
from tinyol_sim.errors import TinyOLError

_OUT_OF_ORDER = (REBOOTED, NO_SESSION, BAD_SEQUENCE)
_MOST_DISAGREEMENTS = 8
_GONE_S = 4.0  # a board that restarts has its port again by then
_AHEAD = 16  # requests ahead of their replies
_SETS_STREAMS = (Opcode.STREAM, Opcode.SESSION_BEGIN)


class Conversation:
    """One request after the other. Whoever asks sees to it that there is one at a time.

    Attributes:
        identity: HELLO's last reply; None before the first.
        streams_due: the device may have forgotten what it was to stream; the next request tells it.
        untold_reboot: it restarted, and nobody was told by a RebootedError yet.
        closing: a cut link is not opened again.
    """

    def __init__(
        self,
        transport: Transport,
        timing: Timing,
        nonce: int | None,
        health: LinkHealth,
        events: IncomingEvents,
        on_cut: Callable[[], None],
    ) -> None:
        self.identity: Identity | None = None
        self.streams_due = False
        self.untold_reboot = False
        self.closing = False
        self.sent_at = 0.0  # the event loop's time of the last message
        self._name = transport.name.rstrip(":")  # "sim:" is a whole URI
        self._timing = timing
        self._nonce = secrets.randbits(64) if nonce is None else nonce
        self._health = health
        self._events = events
        self._link = Link(transport, health, events.take, on_cut)
        self._backoff_s = timing.backoff_first_s

        self._session_id = self._boot_id = 0
        self._sequence = 0  # of the request executed last
        self._settled = False  # the device is known to be of the same opinion about all of these
        self._hellos = 0
        self._interrupted = False  # events may have been lost since the last HELLO
        self._streams: bytes | None = None  # what is to be streamed, as it was asked for last

    @property
    def boot_id(self) -> int:
        """Of the device; another one after each boot, 0 before the first HELLO."""
        return self._boot_id

    @property
    def is_open(self) -> bool:
        """No cut was noticed since the link was opened."""
        return self._link.is_open

    async def open(self, deadline: float) -> None:
        """Opens the link, once, and says HELLO."""
        self.closing = False
        self._boot_id = 0
        self._settled = False
        await self._link.open(deadline - _now())
        await self._agree(deadline)

    async def close(self) -> None:
        """Closes the link."""
        self.closing = True
        await self._link.close()

    async def perform(self, opcode: Opcode, payload: bytes, deadline: float) -> Reply:
        """Has a request executed, exactly once; errors as Session.request."""
        await self._agree(deadline)
        if opcode in _SETS_STREAMS:
            return await self._set_streams(opcode, payload, deadline)
        if opcode != Opcode.GOODBYE:
            await self._restore_streams(deadline)
        return await self._exchange(opcode, payload, deadline)

    async def perform_ahead(
        self, calls: Sequence[tuple[Opcode, bytes]], deadline: float
    ) -> list[Reply]:
        """Has requests executed, several of them under way at a time.

        Returns the replies to the first of them: to all, unless the link falters on the way. Then
        some more may have been executed, so it is for requests that do no harm a second time.
        """
        await self._agree(deadline)
        await self._restore_streams(deadline)
        numbered = enumerate(calls, self._sequence + 1)
        requests = [
            Message(Kind.REQUEST, opcode, self._session_id, number & 0xFFFF, self._boot_id, payload)
            for number, (opcode, payload) in numbered
        ]
        replies: list[Reply] = []

        def is_due(message: Message) -> bool:
            if len(replies) == len(requests):
                return False
            due = requests[len(replies)]
            if (message.opcode, message.sequence) != (due.opcode, due.sequence):
                return False
            if (message.session, message.boot_id) != (due.session, due.boot_id):
                return False
            replies.append(Reply.from_payload(message.payload))
            return True

        self._settled = False
        self.sent_at = _now()
        await self._link.ask_ahead(requests, is_due, _AHEAD, self._timing.reply_s)
        if len(replies) == len(requests):
            self._sequence, self._settled = (self._sequence + len(requests)) & 0xFFFF, True
        else:
            self._health.repeats += 1
        self._health.requests += len(replies)
        return replies

    async def _restore_streams(self, deadline: float) -> None:
        while self.streams_due and self._streams is not None:
            # HELLO sets it again: the device may drop its peer between this request and its repeat.
            self.streams_due = False
            # Refused by another firmware since: what that does not know, it cannot send.
            with contextlib.suppress(RefusedError):
                await self._exchange(Opcode.STREAM, self._streams, deadline)

    async def _set_streams(self, opcode: Opcode, payload: bytes, deadline: float) -> Reply:
        before, were_due = self._streams, self.streams_due
        self._streams, self.streams_due = payload, False
        try:
            return await self._exchange(opcode, payload, deadline)
        except TinyOLError:
            self._streams = before
            self.streams_due |= were_due
            raise

    async def _exchange(self, opcode: Opcode, payload: bytes, deadline: float) -> Reply:
        session, boot_id = self._session_id, self._boot_id
        before, sequence = self._sequence, (self._sequence + 1) & 0xFFFF
        request = Message(Kind.REQUEST, opcode, session, sequence, boot_id, payload)

        def is_reply(message: Message) -> bool:
            if (message.opcode, message.sequence) != (opcode, sequence):
                return False
            status = status_of(message.payload)
            if status == REBOOTED:
                return message.boot_id != boot_id
            if message.boot_id != boot_id:
                return False
            return message.session == session or status in (NO_SESSION, BAD_SEQUENCE)

        repeated, disagreements = False, 0
        while True:
            self._settled = False  # until the reply is here; a cancellation leaves it so
            began = _now()
            reply = await self._ask(request, is_reply, deadline)
            if reply is None and self._link.is_open:
                repeated = True
                self._health.repeats += 1
                continue
            if reply is not None:
                status = status_of(reply.payload)
                if status not in _OUT_OF_ORDER:
                    break
                self._interrupted |= status == NO_SESSION
                disagreements += 1
            await self._agree(deadline)
            if self._session_id != session:
                raise LinkError(
                    f"{self._name}: another program has taken over the link;"
                    f" whether {opcode.name} was executed is not known"
                )
            if self._sequence not in (before, sequence) or disagreements > _MOST_DISAGREEMENTS:
                raise ProtocolError(
                    f"{self._name}: the device and this program do not agree on which"
                    f" request is due ({sequence} here, {self._sequence} was executed there)"
                )
            repeated = True
        self._sequence, self._settled = sequence, True
        self._backoff_s = self._timing.backoff_first_s
        self._health.requests += 1
        if not repeated:
            self._health.round_trip_ms.append(1000 * (_now() - began))
        return Reply.from_payload(reply.payload)

    async def _ask(self, request: Message, judge: Judge, deadline: float) -> Message | None:
        left = deadline - _now()
        if left <= 0:
            raise NoReplyError(
                f"{self._name}: no reply in {self._timing.give_up_s:g} s; is it a board"
                " with TinyOL's firmware, and does no other program use it?"
            )
        self.sent_at = _now()
        return await self._link.ask(request, judge, min(left, self._timing.reply_s), left)

    # --- both sides of one opinion -------------------------------------------------------

    async def _agree(self, deadline: float) -> None:
        """An open link, and HELLO if what the device executed last is not known for sure."""
        self._hellos = (self._hellos + 1) & 0xFFFF
        payload = hello(self._nonce, time.time_ns() // 1_000_000)
        request = Message(Kind.REQUEST, Opcode.HELLO, 0, self._hellos, 0, payload)

        def is_reply(message: Message) -> bool:
            if (message.opcode, message.sequence) != (request.opcode, request.sequence):
                return False
            self._adopt(message)
            return True

        known_boot = self._boot_id
        while not (self._settled and self._link.is_open):
            if not self._link.is_open:
                await self._reconnect(deadline)
            if await self._ask(request, is_reply, deadline) is None and self._link.is_open:
                self._health.repeats += 1
        if known_boot not in (0, self._boot_id):
            raise self.reboot_error()

    def _adopt(self, reply: Message) -> None:
        try:
            identity = Identity.from_bytes(Reply.from_payload(reply.payload).body)
        except RefusedError as error:
            raise ProtocolError(f"{self._name}: HELLO was refused: {error}") from None
        first = self._boot_id == 0
        rebooted = not first and reply.boot_id != self._boot_id
        if first or rebooted or reply.session != self._session_id:
            # A session of before, found again by its nonce, goes on counting.
            due = 1 if identity.last_sequence == 0 else None
            self._events.begin(reply.session, reply.boot_id, due)
            self._interrupted = not first
        self.identity = identity
        self._session_id, self._boot_id = reply.session, reply.boot_id
        self._sequence, self._settled = identity.last_sequence, True
        if rebooted:
            self._health.reboots += 1
            self.untold_reboot = True
        # Whether the device dropped this peer meanwhile, it does not say: streams are set anew.
        self.streams_due = not first and self._streams is not None
        if self._interrupted:
            self._interrupted = False
            self._events.interrupted()

    async def _reconnect(self, deadline: float) -> None:
        error: LinkError | None = None
        began = _now()
        while not self.closing:
            left_s = deadline - _now()
            if left_s <= 0:
                raise error or LinkError(
                    f"{self._name}: cut, and not back in {self._timing.give_up_s:g} s"
                )
            await asyncio.sleep(min(self._backoff_s, left_s))
            self._backoff_s = min(2 * self._backoff_s, self._timing.backoff_most_s)
            try:
                await self._link.open(left_s)
            except LinkError as why:
                error = why
                # Nothing is lost yet: a person may as well look at the cable now.
                known = self.identity is not None
                if isinstance(why, PortGoneError) and not known and _now() - began > _GONE_S:
                    raise LinkError(f"the port has disappeared: {why}") from None
            else:
                self._health.reconnects += 1
                self._settled, self._interrupted = False, True
                return
        raise LinkError(f"{self._name}: the session is closed")

    def reboot_error(self) -> RebootedError:
        """What to tell of a restart."""
        return RebootedError(
            f"{self._name}: the device has restarted; what it had not saved is gone,"
            " and what was asked of it last may not have been done"
        )


def _now() -> float:
    return asyncio.get_running_loop().time()
