"""How a board is paired, and who may ask it for what."""

from __future__ import annotations

import time

from tinyol_host.access import messages
from tinyol_host.access.device_key import DeviceKey
from tinyol_host.access.key_store import KeyStore
from tinyol_host.access.messages import Access
from tinyol_host.access.refusal_words import KEY, key_needed
from tinyol_host.effect import Effect
from tinyol_host.errors import (
    NOT_AUTHENTICATED,
    UNSUPPORTED,
    LinkError,
    ProtocolError,
    RefusedError,
)
from tinyol_host.protocol import Opcode
from tinyol_host.session import Session
from tinyol_host.uri import Uri
from tinyol_sim.errors import DeviceError
from tinyol_sim.refusals import EXISTS, NOT_FOUND

_GUESSED = (
    "somebody sent the board too many messages with a wrong key over this link, so that it was"
    " locked for a while: `tinyol access` counts them"
)


class BoardAccess:
    """Those methods of a Board; see there. `keys` is where this computer keeps them."""

    def __init__(self, session: Session, keys: KeyStore) -> None:
        self._session = session
        self.keys = keys

    @property
    def is_authenticated(self) -> bool:
        """This session has shown the board's key: every message has a MAC."""
        return self._session.is_authenticated

    @property
    def may_change(self) -> bool:
        """Whether the board lets this program change it, at its own port."""
        return self.is_authenticated or not self._session.identity.is_paired

    @property
    def lacks_key(self) -> str:
        """What to do where it does not."""
        return str(key_needed(NOT_AUTHENTICATED, KEY, self._session.identity.key_id))

    def _recognize(self, uri: Uri) -> list[str]:
        """Remembers an authenticated board, and warns of one that is not who was there before."""
        identity = self._session.identity
        place = str(uri)
        if uri.scheme != "ble" or not uri.target:
            return []
        if self.is_authenticated:
            warnings = [_GUESSED] if self._session.was_locked else []
            try:
                self.keys.met(identity.key_id, place)
            except DeviceError as error:  # the key is here, which is what counts
                warnings.append(f"which board is at {place} is not remembered: {error}")
            return warnings
        before = self.keys.expected(place)
        if before is None:
            return []
        now = f"has another key, {identity.key_id}" if identity.is_paired else "has no key"
        return [
            f"{place} may be another board than the one that was paired as {before.name or place}"
            f" (key {before.id}): this one {now}. It was reset, its key was rotated, or somebody"
            " pretends to be it: nothing that it says is authenticated"
        ]

    async def access(self) -> Access:
        """Who may do what, and what was refused since it booted."""
        return Access.from_bytes((await self._session.request(Opcode.ACCESS)).body)

    async def pair(self, name: str = "") -> DeviceKey:
        """Has it make its first key, and keeps that here. name: for a person to know it by.

        Raises:
            DeviceError: it has one already, is not at its own port, has no random numbers or no
                flash; or keys cannot be kept here, and then it has made none.
        """
        return await self._new_key(name, rotate=False)

    async def rotate_key(self, name: str = "") -> DeviceKey:
        """Has it make another key, in place of the one that it has: who has that is shut out.

        Raises DeviceError: as pair(), or it has none yet.
        """
        before = self._session.identity.key_id
        key = await self._new_key(name, rotate=True)
        for entry in self.keys.entries():
            if entry.id == before and entry.radio:
                self.keys.met(key.id, entry.radio)  # it is the same board
        self.keys.remove(before)
        return key

    async def _new_key(self, name: str, *, rotate: bool) -> DeviceKey:
        self.keys.prepare()
        try:
            reply = await self._session.request(Opcode.PAIR, messages.pair(rotate))
        except RefusedError as error:
            raise _worded(error) from None
        except (LinkError, ProtocolError) as error:
            raise DeviceError(
                f"{error}; whether it has made a key is not known: `tinyol keys rotate` at its USB"
                " port gives it another"
            ) from None
        self._session.key_changed(there_is_one=True)
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        key = messages.new_key(reply.body, name, now)
        try:
            self.keys.add(key)
        except DeviceError as error:
            raise DeviceError(
                f"the board has a new key, but it could not be kept: {error}; then give it another"
                " by `tinyol keys rotate`"
            ) from None
        return key

    async def set_reading(self, *, open: bool) -> None:
        """Whether anybody may read predictions over the radio, or only who has the key.

        Raises DeviceError: it has no key.
        """
        try:
            await self._session.request(Opcode.ACCESS_SET, messages.access_set(not open))
        except RefusedError as error:
            raise _worded(error) from None

    async def factory_reset(self) -> Effect:
        """Erases what it learned, its name and its key; only at its own port."""
        before = self._session.identity.key_id
        reply = await self._session.request(Opcode.FACTORY_RESET, messages.factory_reset())
        self._session.key_changed(there_is_one=False)
        self.keys.remove(before)
        return Effect(reply.at)


def _worded(error: RefusedError) -> DeviceError:
    if (error.status, error.where) == (EXISTS, "key"):
        return DeviceError(
            "the board has a key already: `tinyol keys import` it from the computer that has it, or"
            " `tinyol keys rotate` gives it another, and shuts out who has the one of now"
        )
    if (error.status, error.where) == (NOT_FOUND, "key"):
        return DeviceError("the board has no key yet: `tinyol pair` gives it one")
    if (error.status, error.where) == (UNSUPPORTED, "random"):
        return DeviceError(
            "the board has no random numbers to make a key of: its generator is missing or failed"
            " its test at boot"
        )
    if (error.status, error.where) == (UNSUPPORTED, "key"):
        return DeviceError("this board has no flash to keep a key in")
    return error
