"""The MAC behind every message of an authenticated session, both ways.

MAC = BLAKE2s-64(session key; u8 direction, u8[7] 0, u64 counter, u8[8] MAC of the request that a
reply answers (zeros in requests and events), header and payload). The first three are not in the
message: one that is reflected, replayed or moved, or that answers another request, has another MAC.
"""

from __future__ import annotations

import hmac
import struct
from dataclasses import replace
from enum import IntEnum
from hashlib import blake2s

from tinyol_host.protocol import AUTH_TRAILER_BYTES, FLAG_AUTHENTICATED, Message

_PREFIX = struct.Struct("<B7xQ8s")
_NO_REQUEST = bytes(AUTH_TRAILER_BYTES)


class Direction(IntEnum):
    """Which way a message goes."""

    TO_DEVICE = 1
    TO_HOST = 2


class SessionSeal:
    """One session's key at work."""

    def __init__(self, session_key: bytes) -> None:
        self._key = session_key

    def seal(self, message: Message, counter: int) -> Message:
        """The request with the flag and its MAC; counter: its number in the session, unwrapped."""
        flagged = replace(
            message, flags=message.flags | FLAG_AUTHENTICATED, trailer=bytes(AUTH_TRAILER_BYTES)
        )
        return replace(flagged, trailer=self._mac(Direction.TO_DEVICE, flagged, counter))

    def holds(self, message: Message, counter: int, request_mac: bytes = _NO_REQUEST) -> bool:
        """Whether a reply or an event is the device's, and the one of this number.

        Takes a time that does not depend on how much of the MAC is right.

        counter: of a reply its request's number, of an event its own. request_mac: the trailer of
        the request that a reply is to answer.
        """
        if not message.flags & FLAG_AUTHENTICATED:
            return False
        due = self._mac(Direction.TO_HOST, message, counter, request_mac)
        return hmac.compare_digest(due, message.trailer)

    def _mac(
        self,
        direction: Direction,
        message: Message,
        counter: int,
        request_mac: bytes = _NO_REQUEST,
    ) -> bytes:
        text = _PREFIX.pack(direction, counter, request_mac)
        text += message.to_bytes()[:-AUTH_TRAILER_BYTES]
        return blake2s(text, key=self._key, digest_size=AUTH_TRAILER_BYTES).digest()


def unwrapped(sixteen_bits: int, near: int) -> int:
    """The whole counter whose low 16 bits these are, within 32,767 of `near`."""
    return near + (((sixteen_bits - near) & 0xFFFF) ^ 0x8000) - 0x8000
