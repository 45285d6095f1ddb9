"""How a session shows that it has the board's key, and what it accepts from then on.

CHALLENGE gives both sides 16 random bytes of the other, AUTHENTICATE is the first message with a
MAC by the key that follows from them. From then on nothing without a right MAC is taken for the
board's; and never again in this program's conversation with it, so that nobody can talk it down.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import replace

from tinyol_host.access.device_key import CHALLENGE_BYTES, DeviceKey
from tinyol_host.access.messages import AUTHENTICATED, device_challenge
from tinyol_host.access.needs import Need, need_of
from tinyol_host.access.refusal_words import KEY, NEVER_PAIRED, USB, key_needed
from tinyol_host.access.session_seal import SessionSeal
from tinyol_host.errors import (
    LOCKED,
    NO_SESSION,
    NOT_AUTHENTICATED,
    NOT_PHYSICAL,
    REBOOTED,
    UNSUPPORTED,
    ProtocolError,
    RefusedError,
)
from tinyol_host.protocol import FLAG_AUTHENTICATED, Message, Opcode
from tinyol_host.replies import Identity, Reply, status_of
from tinyol_sim.errors import TinyOLError
from tinyol_sim.refusals import EXISTS

FindKey = Callable[[str], "DeviceKey | None"]  # by its id; DeviceError if keys cannot be read
Exchange = Callable[[Opcode, bytes], Awaitable[Reply]]

# Refusals that a board says without a MAC, since it knows of no session that could have one. They
# are taken for nothing but a reason to say HELLO again.
_UNSEALED = (REBOOTED, NO_SESSION, NOT_AUTHENTICATED)


class Authentication:
    """Of one conversation, over all its sessions.

    Attributes:
        live: the session is authenticated.
        required: one was before, or the key is here: nothing is asked without.
        was_locked: the board had had too many messages with a wrong key.
    """

    def __init__(self, find: FindKey | None, *, is_physical: bool) -> None:
        """find: None has no key. is_physical: the link ends at the board's own port."""
        self.live = False
        self.required = False
        self.was_locked = False
        self._find = find
        self._is_physical = is_physical
        self._seal: SessionSeal | None = None
        self._looked_up: tuple[str, DeviceKey | None] | None = None

    def forget(self) -> None:
        """The session is another, or no more authenticated."""
        self.live, self._seal, self._looked_up = False, None, None

    def begin_anew(self) -> None:
        """The board has no key any more: it may be asked without, as one that is new."""
        self.forget()
        self.required = False

    def heard(self, identity: Identity) -> bool:
        """HELLO's reply: False if this session is of no use, since the board holds it for
        authenticated by a key that is not known here.
        """
        is_under_way = self._seal is not None and not self.live
        if self.live and not identity.is_authenticated:  # idle for long, or the key was changed
            self.forget()
        return is_under_way or identity.is_authenticated == self.live

    # --- single messages -----------------------------------------------------------------

    def sealed(self, request: Message, number: int) -> Message:
        """The request as it is to be sent; number: in the session, beyond 16 bits."""
        return request if self._seal is None else self._seal.seal(request, number)

    def is_authentic_reply(self, reply: Message, request: Message, number: int) -> bool:
        """Whether a reply may be the board's; number: the request's."""
        if reply.flags & FLAG_AUTHENTICATED:
            return self._seal is not None and self._seal.holds(reply, number, request.trailer)
        if self._seal is None:
            return True
        status = status_of(reply.payload)
        return status in _UNSEALED or (status == LOCKED and not self.live)

    def is_authentic_event(self, event: Message, number: int) -> bool:
        """Whether an event is the board's; number: its own, beyond 16 bits."""
        if event.flags & FLAG_AUTHENTICATED:
            return self._seal is not None and self._seal.holds(event, number)
        return not self.live and not self.required

    def check(self, opcode: Opcode, identity: Identity) -> None:
        """KeyNeededError for what must not be sent over the radio as things are."""
        need = need_of(opcode)
        if self._is_physical or need in (Need.NOTHING, Need.READING):
            return
        if need is Need.PHYSICAL:
            raise key_needed(NOT_PHYSICAL, USB, identity.key_id)
        if not self.live:
            where = KEY if identity.is_paired else NEVER_PAIRED
            raise key_needed(NOT_AUTHENTICATED, where, identity.key_id)

    # --- the handshake -------------------------------------------------------------------

    def is_due(self, identity: Identity) -> bool:
        """Whether begin() has something to do.

        Raises KeyNeededError where an authenticated session is required and cannot be had.
        """
        if self.live:
            return False
        if self._key(identity) is not None:
            self.required = True
        elif self.required:
            where = KEY if identity.is_paired else NEVER_PAIRED
            raise key_needed(NOT_AUTHENTICATED, where, identity.key_id)
        return self.required

    async def begin(
        self, exchange: Exchange, identity: Identity, session: int, boot_id: int
    ) -> Identity | None:
        """Authenticates the session; exchange: has a request executed.

        Returns who the board is, by its own authenticated word; None where it does not take part:
        it holds this session for authenticated already, or has another key. Another session may
        help.

        Raises:
            RefusedError: the board is locked; `need` says for how many ms.
            ProtocolError: HELLO said otherwise, or not as specified.
        """
        key = self._key(identity)
        assert key is not None
        self._seal = None  # of an attempt that was cancelled
        mine = secrets.token_bytes(CHALLENGE_BYTES)
        try:
            reply = await exchange(Opcode.CHALLENGE, mine)
        except RefusedError as error:
            if error.status == UNSUPPORTED and self._is_physical:
                # Its random numbers have failed: who can touch it may still look at it.
                self._looked_up, self.required = (identity.key_id, None), False
                return identity
            if error.status in (NOT_AUTHENTICATED, EXISTS):
                return None
            raise
        theirs = device_challenge(reply.body)
        self._seal = SessionSeal(key.session_key(mine, theirs, session, boot_id))
        try:
            reply = await exchange(Opcode.AUTHENTICATE, b"")
            told = Identity.from_bytes(reply.body)
            _compare(identity, told)
        except TinyOLError as error:
            self._seal = None
            if isinstance(error, RefusedError) and error.status == NOT_AUTHENTICATED:
                return None
            raise
        self.live = True
        return told

    def _key(self, identity: Identity) -> DeviceKey | None:
        if self._find is None or not identity.is_paired:
            return None
        if self._looked_up is None or self._looked_up[0] != identity.key_id:
            self._looked_up = identity.key_id, self._find(identity.key_id)
        return self._looked_up[1]


def _compare(said: Identity, told: Identity) -> None:
    """HELLO's word, which anybody may have altered, and the board's own."""
    may_differ = replace(
        said,
        last_sequence=told.last_sequence,
        max_message=told.max_message,
        access=said.access & ~AUTHENTICATED | told.access & AUTHENTICATED,
    )
    if may_differ != told:
        raise ProtocolError(
            "what the board said of itself at first is not what it says under its key: somebody"
            " alters what is sent, or the firmware is faulty; nothing was asked of it"
        )
