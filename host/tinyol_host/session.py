"""A session with a device: requests that take turns, events, and a heartbeat.

Every request is executed exactly once, whatever the link does (conversation.py).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

from tinyol_host.access.authentication import Authentication, FindKey
from tinyol_host.conversation import Conversation
from tinyol_host.errors import LinkError, ProtocolError, RebootedError, RefusedError
from tinyol_host.event_stream import EventStream, Listeners
from tinyol_host.incoming_events import IncomingEvents
from tinyol_host.link import within
from tinyol_host.link_health import LinkHealth
from tinyol_host.protocol import AUTH_TRAILER_BYTES, HEADER_BYTES, Opcode
from tinyol_host.replies import Identity, Reply
from tinyol_host.timing import Timing
from tinyol_host.transports import Transport
from tinyol_sim.errors import DeviceError, TinyOLError

T = TypeVar("T")


class Session:
    """Several may ask at the same time; their requests take turns.

    Attributes:
        health: counters of the link.
    """

    def __init__(
        self,
        transport: Transport,
        timing: Timing | None = None,
        nonce: int | None = None,
        find_key: FindKey | None = None,
    ) -> None:
        """The nonce names the session across cuts: 64 random bits, unless one is given.

        find_key: gives the key of that id, None where there is none; without, no session is
            authenticated.
        """
        self.health = LinkHealth()
        self._transport = transport
        self._name = transport.name.rstrip(":")  # "sim:" is a whole URI
        self._timing = timing or Timing()
        self._listeners = Listeners()
        self._wake = asyncio.Event()  # of the keeper
        self._auth = Authentication(find_key, is_physical=transport.is_physical)
        self._talk = Conversation(
            transport,
            self._timing,
            nonce,
            self.health,
            IncomingEvents(self._listeners, self.health),
            on_cut=self._wake.set,
            authentication=self._auth,
        )
        self._lock = asyncio.Lock()
        self._keeper: asyncio.Task[None] | None = None
        self._closed = True
        self._given_up = False  # nothing is tried any more unless somebody asks

    @property
    def is_reliable(self) -> bool:
        """The link loses and doubles no message until it is cut."""
        return self._transport.is_reliable

    @property
    def is_authenticated(self) -> bool:
        """Every message has a MAC by a key that only the board and this program know."""
        return self._auth.live

    @property
    def was_locked(self) -> bool:
        """Somebody had sent the device too many messages with a wrong key over this link."""
        return self._auth.was_locked

    @property
    def boot_id(self) -> int:
        """Of the device; another one after each boot."""
        return self._talk.boot_id

    @property
    def identity(self) -> Identity:
        """Who answers; DeviceError before the session was opened."""
        if self._talk.identity is None:
            raise DeviceError(f"{self._name}: not connected yet")
        return self._talk.identity

    async def open(self) -> Identity:
        """Opens the transport and the session.

        Raises:
            LinkError: the transport cannot be opened; this is not tried twice.
            NoReplyError: nobody answered in `give_up_s`.
            ProtocolError: what answers speaks another version of the protocol.
            KeyNeededError: its key is here, and it does not accept it; or it is locked.
        """
        try:
            await self._talk.open(self._deadline())
        except BaseException:
            await self._talk.close()
            raise
        self._closed = self._given_up = False
        self._keeper = asyncio.create_task(self._keep_alive())
        return self.identity

    async def close(self) -> None:
        """Says goodbye if that can be done at once, and closes the transport; never raises."""
        was_open, self._closed = not self._closed, True
        keeper, self._keeper = self._keeper, None
        self._talk.stay_closed()
        try:
            if keeper is not None:
                keeper.cancel()
                await asyncio.wait({keeper})
            if was_open and self._talk.is_open:
                with contextlib.suppress(asyncio.TimeoutError, TinyOLError):
                    await within(self._say_goodbye(), self._timing.reply_s)
        finally:
            self._listeners.close()
            await self._talk.close()

    async def request(self, opcode: Opcode, payload: bytes = b"") -> Reply:
        """Has a request executed, exactly once.

        Cancelled, it may have been executed or not: INFO or the like will tell.

        Raises:
            RefusedError: the device refused it; nothing has changed.
            KeyNeededError: not without the board's key, or not over the radio.
            RebootedError: the device restarted since the last request, or during this one.
            LinkError: the link is cut and did not come back in `give_up_s`.
            NoReplyError: the link is open, but no reply came in `give_up_s`.
            DeviceError: the payload is longer than this link carries.
        """
        self._check_length(opcode, payload)
        return await self._in_turn(lambda: self._talk.perform(opcode, payload, self._deadline()))

    async def request_ahead(self, calls: Sequence[tuple[Opcode, bytes]]) -> list[Reply]:
        """Has requests executed, several under way at a time: on a long way, that is faster.

        Only for what does no harm a second time. Returns the replies to the first of them; where
        the link faltered, some are missing, and the rest is to be asked for again, if need be by
        request(). Errors as there.
        """
        for opcode, payload in calls:
            self._check_length(opcode, payload)
        return await self._in_turn(lambda: self._talk.perform_ahead(calls, self._deadline()))

    def _check_length(self, opcode: Opcode, payload: bytes) -> None:
        # What fits does not depend on whether the session is authenticated.
        most = min(self.identity.max_message, self._transport.max_message)
        most -= HEADER_BYTES + AUTH_TRAILER_BYTES
        if len(payload) > most:
            raise DeviceError(
                f"{opcode.name} with {len(payload)} bytes; {self._name} carries {most}"
            )

    async def _in_turn(self, action: Callable[[], Coroutine[Any, Any, T]]) -> T:
        async with self._lock:
            if self._closed:
                raise LinkError(f"{self._name}: the session is closed")
            try:
                if self._talk.untold_reboot:
                    raise self._talk.reboot_error()
                reply = await action()
            except RebootedError:
                self._talk.untold_reboot = self._given_up = False
                raise
            except (RefusedError, ProtocolError):
                self._given_up = False
                raise
            except Exception as error:
                self._give_up(error)
                raise
            finally:
                self._wake.set()  # there may be streams to ask for again
            self._given_up = False
            return reply

    def tell_reboot(self) -> None:
        """The next one who asks gets a RebootedError: the one before kept it to itself."""
        self._talk.untold_reboot = True

    def key_changed(self, *, there_is_one: bool) -> None:
        """By the request executed last: what comes next is authenticated by another, or by none."""
        self._talk.key_changed(there_is_one=there_is_one)

    def listen(self) -> EventStream:
        """The events from now on. What is streamed, STREAM or SESSION_BEGIN says."""
        return self._listeners.listen()

    async def _keep_alive(self) -> None:
        while not self._closed:
            self._wake.clear()
            rest_s = self._rest_s()
            if rest_s is None or rest_s > 0:
                with contextlib.suppress(asyncio.TimeoutError):
                    await within(self._wake.wait(), rest_s)
                continue
            async with self._lock:
                if self._closed or self._rest_s() != 0:
                    continue  # somebody else did it while this one waited for its turn
                try:
                    await self._talk.perform(Opcode.PING, b"", self._deadline())
                except RebootedError:
                    pass  # is told to the next one who asks
                except Exception as error:
                    self._give_up(error)

    def _rest_s(self) -> float | None:
        """How long nothing has to be done; None = until somebody asks."""
        if self._given_up:
            return None
        if self._talk.streams_due or not self._talk.is_open:
            return 0.0
        now = asyncio.get_running_loop().time()
        return max(0.0, self._talk.sent_at + self._timing.heartbeat_s - now)

    def _give_up(self, error: Exception) -> None:
        self._given_up = True
        self._listeners.fail(error)

    async def _say_goodbye(self) -> None:
        async with self._lock:
            await self._talk.perform(Opcode.GOODBYE, b"", self._deadline())

    def _deadline(self) -> float:
        return asyncio.get_running_loop().time() + self._timing.give_up_s
