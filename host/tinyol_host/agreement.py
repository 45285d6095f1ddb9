"""What host and device must be of one opinion about: the session, and what was executed in it.

HELLO says it, after each cut and whenever there is a doubt; docs/wire-protocol.md, "Sessions".
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable

from tinyol_host.access.authentication import Authentication, Exchange
from tinyol_host.access.refusal_words import MAC, key_needed
from tinyol_host.access.session_seal import unwrapped
from tinyol_host.errors import (
    LOCKED,
    NOT_AUTHENTICATED,
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
from tinyol_host.replies import Identity, Reply
from tinyol_host.requests import hello
from tinyol_host.timing import Timing

_GONE_S = 4.0  # a board that restarts has its port again by then
_SESSIONS_TRIED = 3  # to authenticate in; a device is locked after five failures
_MOST_LOCKED_MS = 64_000  # FailureLimit::kMostMs
_AFTER_LOCK_S = 0.05


class Agreement:
    """Over one link, by HELLO and, where there is a key, by challenge and response.

    Attributes:
        identity: HELLO's last reply; None before the first.
        session, boot_id: of requests; boot_id is 0 before the first HELLO.
        number: of the request executed last; its low 16 bits are its sequence.
        settled: the device is known to be of the same opinion about all of these.
        interrupted: events may have been lost since the last HELLO.
        untold_reboot: it restarted, and nobody was told by a RebootedError yet.
        closing: a cut link is not opened again.
        sent_at: the event loop's time of the last message.
    """

    def __init__(
        self,
        name: str,
        link: Link,
        timing: Timing,
        nonce: int | None,
        health: LinkHealth,
        events: IncomingEvents,
        authentication: Authentication,
        on_hello: Callable[[bool], None],
    ) -> None:
        """on_hello: called after each HELLO, with whether it was the first one."""
        self.identity: Identity | None = None
        self.session = self.boot_id = self.number = 0
        self.settled = self.interrupted = self.untold_reboot = self.closing = False
        self.sent_at = 0.0
        self._name = name
        self._link = link
        self._timing = timing
        self._nonce = secrets.randbits(64) if nonce is None else nonce
        self._health = health
        self._events = events
        self._auth = authentication
        self._on_hello = on_hello
        self._backoff_s = timing.backoff_first_s
        self._said = (0, 0)  # session and boot id in the last HELLO's reply
        self._answered = self._asked = 0  # numbers of the session's requests: the last of each
        self._hellos = 0

    async def open(self, deadline: float) -> None:
        """Opens the link, once, and says HELLO."""
        self.closing = self.settled = False
        self.boot_id = 0
        await self._link.open(deadline - _now())
        await self.agree(deadline)

    async def agree(self, deadline: float) -> None:
        """An open link, and HELLO if what the device executed last is not known for sure.

        Raises RebootedError if the device has restarted.
        """
        known_boot = self.boot_id
        while not (self.settled and self._link.is_open):
            if not self._link.is_open:
                await self._reconnect(deadline)
            if not await self._say_hello(deadline) and self._link.is_open:
                self._health.repeats += 1
        if known_boot not in (0, self.boot_id):
            raise self.reboot_error()

    async def authenticate(self, exchange: Exchange) -> None:
        """Shows the device its key, if it has one and it is here; after agree().

        exchange: has a request executed, in agreement.

        Raises KeyNeededError: the device does not accept the key, or wants one that is not here.
        """
        assert self.identity is not None
        for _ in range(_SESSIONS_TRIED):
            if not self._auth.is_due(self.identity):
                return
            try:
                identity = await self._auth.begin(
                    exchange, self.identity, self.session, self.boot_id
                )
            except RefusedError as error:
                if error.status != LOCKED:
                    raise
                await self._wait_locked(exchange, error)
                continue
            if identity is not None:
                self.identity = identity
                return
            self._take_another_session()
            await exchange(Opcode.PING, b"")
        raise key_needed(NOT_AUTHENTICATED, MAC, self.identity.key_id)

    async def _wait_locked(self, exchange: Exchange, error: RefusedError) -> None:
        """Until the device is not locked any more. It stays connected meanwhile: a device that is
        takes nobody else, so that whoever guessed cannot do so again.
        """
        self._auth.was_locked = True
        if error.need > _MOST_LOCKED_MS:
            raise error
        until = _now() + error.need / 1000 + _AFTER_LOCK_S
        while (left_s := until - _now()) > 0:
            await asyncio.sleep(min(left_s, self._timing.heartbeat_s))
            await exchange(Opcode.PING, b"")

    async def ask(self, request: Message, judge: Judge, deadline: float) -> Message | None:
        """As Link.ask; NoReplyError when the time is over."""
        left = deadline - _now()
        if left <= 0:
            raise NoReplyError(
                f"{self._name}: no reply in {self._timing.give_up_s:g} s; is it a board"
                " with TinyOL's firmware, and does no other program use it?"
            )
        self.sent_at = _now()
        return await self._link.ask(request, judge, min(left, self._timing.reply_s), left)

    def requested(self, number: int) -> None:
        """A request of this number is about to be sent."""
        self._asked = max(self._asked, number)

    def executed(self, number: int, settled: bool) -> None:
        """The device has answered this request."""
        self.number, self.settled = number, settled
        self._answered = number
        self._backoff_s = self._timing.backoff_first_s

    def reboot_error(self) -> RebootedError:
        """What to tell of a restart."""
        return RebootedError(
            f"{self._name}: the device has restarted; what it had not saved is gone,"
            " and what was asked of it last may not have been done"
        )

    async def _say_hello(self, deadline: float) -> bool:
        """Whether it was answered."""
        self._hellos = (self._hellos + 1) & 0xFFFF
        payload = hello(self._nonce, time.time_ns() // 1_000_000)
        request = Message(Kind.REQUEST, Opcode.HELLO, 0, self._hellos, 0, payload)

        def is_reply(message: Message) -> bool:
            if (message.opcode, message.sequence) != (request.opcode, request.sequence):
                return False
            self._adopt(message)
            return True

        return await self.ask(request, is_reply, deadline) is not None

    def _adopt(self, reply: Message) -> None:
        try:
            identity = Identity.from_bytes(Reply.from_payload(reply.payload).body)
        except RefusedError as error:
            raise ProtocolError(f"{self._name}: HELLO was refused: {error}") from None
        first = self.boot_id == 0
        rebooted = not first and reply.boot_id != self.boot_id
        if first or rebooted or reply.session != self.session:
            # A session of before, found again by its nonce, goes on counting.
            due = 1 if identity.last_sequence == 0 else None
            self._events.begin(reply.session, reply.boot_id, due)
            self.interrupted = not first
        self.identity = identity
        self.session, self.boot_id, self.settled = reply.session, reply.boot_id, True
        if rebooted:
            self._health.reboots += 1
            self.untold_reboot = True
        is_credible = True
        if (reply.session, reply.boot_id) == self._said:
            self.number = unwrapped(identity.last_sequence, self.number)
            # Nobody vouches for HELLO's word. A request sealed with a number far ahead could be
            # held back until that number is due, however late that is.
            is_credible = not self._auth.live or self._answered <= self.number <= self._asked
        else:
            self._said, self.number = (reply.session, reply.boot_id), identity.last_sequence
            self._asked = 0
            self._auth.forget()
        if not self._auth.heard(identity) or not is_credible:
            self._take_another_session()
        self._on_hello(first)
        if self.interrupted:
            self.interrupted = False
            self._events.interrupted()

    def _take_another_session(self) -> None:
        """From the next HELLO on, which is due."""
        self._auth.forget()
        self._nonce, self.settled = secrets.randbits(64), False

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
                self.settled, self.interrupted = False, True
                return
        raise LinkError(f"{self._name}: the session is closed")


def _now() -> float:
    return asyncio.get_running_loop().time()
