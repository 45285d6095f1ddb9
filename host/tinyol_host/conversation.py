"""The host's side of "exactly once": numbers, repeats, reconnects, and what a restart means.

Its rules stand in docs/wire-protocol.md, "Sessions: exactly once".
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence

from tinyol_host.access.authentication import Authentication
from tinyol_host.access.refusal_words import worded
from tinyol_host.agreement import Agreement
from tinyol_host.errors import (
    BAD_SEQUENCE,
    LOCKED,
    NO_SESSION,
    NOT_AUTHENTICATED,
    REBOOTED,
    KeyNeededError,
    LinkError,
    ProtocolError,
    RebootedError,
    RefusedError,
)
from tinyol_host.incoming_events import IncomingEvents
from tinyol_host.link import Judge, Link
from tinyol_host.link_health import LinkHealth
from tinyol_host.protocol import Kind, Message, Opcode
from tinyol_host.replies import Identity, Reply, status_of
from tinyol_host.timing import Timing
from tinyol_host.transports import Transport
from tinyol_sim.errors import TinyOLError

_OUT_OF_ORDER = (REBOOTED, NO_SESSION, BAD_SEQUENCE)
_NOT_COUNTED = (NOT_AUTHENTICATED, LOCKED)  # perhaps: HELLO tells what was executed last
_MOST_DISAGREEMENTS = 8
_AHEAD = 16  # requests ahead of their replies
_SETS_STREAMS = (Opcode.STREAM, Opcode.SESSION_BEGIN)


class Conversation:
    """One request after the other. Whoever asks sees to it that there is one at a time.

    streams_due: the device may have forgotten what it was to stream; the next request tells it.
    """

    def __init__(
        self,
        transport: Transport,
        timing: Timing,
        nonce: int | None,
        health: LinkHealth,
        events: IncomingEvents,
        on_cut: Callable[[], None],
        authentication: Authentication,
    ) -> None:
        self.streams_due = False
        self._name = transport.name.rstrip(":")  # "sim:" is a whole URI
        self._timing = timing
        self._health = health
        self._auth = authentication
        self._link = Link(transport, health, events.take, on_cut)
        self._agreed = Agreement(
            self._name, self._link, timing, nonce, health, events, authentication, self._greeted
        )
        self._streams: bytes | None = None  # what is to be streamed, as it was asked for last
        events.is_authentic = authentication.is_authentic_event

    @property
    def identity(self) -> Identity | None:
        """HELLO's last reply; None before the first."""
        return self._agreed.identity

    @property
    def boot_id(self) -> int:
        """Of the device; another one after each boot, 0 before the first HELLO."""
        return self._agreed.boot_id

    @property
    def sent_at(self) -> float:
        """The event loop's time of the last message."""
        return self._agreed.sent_at

    @property
    def is_open(self) -> bool:
        """No cut was noticed since the link was opened."""
        return self._link.is_open

    @property
    def untold_reboot(self) -> bool:
        """It restarted, and nobody was told by a RebootedError yet."""
        return self._agreed.untold_reboot

    @untold_reboot.setter
    def untold_reboot(self, untold: bool) -> None:
        self._agreed.untold_reboot = untold

    async def open(self, deadline: float) -> None:
        """Opens the link, once, says HELLO, and authenticates if the key is here."""
        await self._agreed.open(deadline)
        await self._authenticate()

    def stay_closed(self) -> None:
        """A link that is cut is not opened again."""
        self._agreed.closing = True

    async def close(self) -> None:
        """Closes the link."""
        self.stay_closed()
        await self._link.close()

    def reboot_error(self) -> RebootedError:
        """What to tell of a restart."""
        return self._agreed.reboot_error()

    def key_changed(self, *, there_is_one: bool) -> None:
        """By the last request: the next one authenticates anew, or is asked without."""
        self._agreed.settled = False
        if there_is_one:
            self._auth.forget()
        else:
            self._auth.begin_anew()

    async def perform(self, opcode: Opcode, payload: bytes, deadline: float) -> Reply:
        """Has a request executed, exactly once; errors as Session.request."""
        await self._agreed.agree(deadline)
        if opcode == Opcode.GOODBYE:
            return await self._exchange(opcode, payload, deadline)
        await self._authenticate()
        self._auth.check(opcode, self._known_identity())
        if opcode in _SETS_STREAMS:
            return await self._set_streams(opcode, payload, deadline)
        await self._restore_streams(deadline)
        return await self._exchange(opcode, payload, deadline)

    async def perform_ahead(
        self, calls: Sequence[tuple[Opcode, bytes]], deadline: float
    ) -> list[Reply]:
        """Has requests executed, several of them under way at a time.

        Returns the replies to the first of them: to all, unless the link falters on the way. Then
        some more may have been executed, so it is for requests that do no harm a second time.
        """
        await self._agreed.agree(deadline)
        await self._authenticate()
        for opcode, _ in calls:
            self._auth.check(opcode, self._known_identity())
        await self._restore_streams(deadline)
        first = self._agreed.number + 1
        requests = [
            self._request(opcode, number, payload)
            for number, (opcode, payload) in enumerate(calls, first)
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
            if not self._auth.is_authentic_reply(message, due, first + len(replies)):
                return False
            replies.append(Reply.from_payload(message.payload))
            return True

        self._agreed.settled = False
        self._agreed.sent_at = _now()
        await self._link.ask_ahead(requests, is_due, _AHEAD, self._timing.reply_s)
        if len(replies) == len(requests):
            self._agreed.executed(first + len(requests) - 1, settled=True)
        else:
            self._health.repeats += 1
        self._health.requests += len(replies)
        return replies

    async def _authenticate(self) -> None:
        try:
            if not self._auth.is_due(self._known_identity()):
                return
        except KeyNeededError:
            self._agreed.settled = False  # it may be told otherwise at the next HELLO
            raise

        async def exchange(opcode: Opcode, payload: bytes) -> Reply:
            deadline = _now() + self._timing.give_up_s  # a locked device may have to be waited for
            await self._agreed.agree(deadline)
            return await self._exchange(opcode, payload, deadline)

        await self._agreed.authenticate(exchange)

    def _greeted(self, first: bool) -> None:
        # Whether the device dropped this peer meanwhile, it does not say: streams are set anew.
        self.streams_due = not first and self._streams is not None

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
        agreed = self._agreed
        session, was_live, before = agreed.session, self._auth.live, agreed.number
        request = self._request(opcode, before + 1, payload)
        repeated, disagreements = False, 0
        while True:
            agreed.settled = False  # until the reply is here; a cancellation leaves it so
            began = _now()
            reply = await agreed.ask(request, self._judge(request, before + 1), deadline)
            if reply is None and self._link.is_open:
                repeated = True
                self._health.repeats += 1
                continue
            if reply is not None:
                status = status_of(reply.payload)
                # Said without a MAC in a session that has one, a refusal is no answer.
                is_bare = self._auth.live and not reply.flags
                if status not in _OUT_OF_ORDER and not is_bare:
                    break
                agreed.interrupted |= status == NO_SESSION
                disagreements += 1
            await agreed.agree(deadline)
            if was_live and not self._auth.live and agreed.number == before:
                # Idle for long, perhaps. That nothing was executed, only the handshake proves: it
                # does not come about with other numbers.
                await self._authenticate()
                before = agreed.number
                request = self._request(opcode, before + 1, payload)
            if agreed.session != session or self._auth.live != was_live:
                raise LinkError(
                    f"{self._name}: another program has taken over the link, or has given the"
                    f" board another key; whether {opcode.name} was executed is not known"
                )
            if agreed.number not in (before, before + 1) or disagreements > _MOST_DISAGREEMENTS:
                raise ProtocolError(
                    f"{self._name}: the device and this program do not agree on which request is"
                    f" due ({request.sequence} here, {agreed.number & 0xFFFF} was executed there)"
                )
            repeated = True
        agreed.executed(before + 1, settled=status not in _NOT_COUNTED)
        self._health.requests += 1
        if not repeated:
            self._health.round_trip_ms.append(1000 * (_now() - began))
        try:
            return Reply.from_payload(reply.payload)
        except RefusedError as error:
            raise worded(error, self._known_identity().key_id) from None

    def _judge(self, request: Message, number: int) -> Judge:
        """Tells the reply to this request from all else."""

        def is_reply(message: Message) -> bool:
            if (message.opcode, message.sequence) != (request.opcode, request.sequence):
                return False
            if not self._auth.is_authentic_reply(message, request, number):
                return False
            status = status_of(message.payload)
            if status == REBOOTED:
                return message.boot_id != request.boot_id
            if message.boot_id != request.boot_id:
                return False
            return message.session == request.session or status in (NO_SESSION, BAD_SEQUENCE)

        return is_reply

    def _request(self, opcode: Opcode, number: int, payload: bytes) -> Message:
        session, boot_id = self._agreed.session, self._agreed.boot_id
        sequence = number & 0xFFFF
        request = Message(Kind.REQUEST, opcode, session, sequence, boot_id, payload)
        self._agreed.requested(number)
        return self._auth.sealed(request, number)

    def _known_identity(self) -> Identity:
        assert self.identity is not None
        return self.identity


def _now() -> float:
    return asyncio.get_running_loop().time()
