"""Authenticated sessions written down again, from docs/wire-protocol.md and hashlib alone."""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass, field

TRAILER_BYTES = 8
SEALED = 1  # the header's flag
TO_DEVICE, TO_HOST = 1, 2
NOTHING_ANSWERED = bytes(TRAILER_BYTES)


def key_id(key: bytes) -> bytes:
    """What HELLO says of a board's key."""
    return hashlib.blake2s(b"tinyol key id", key=key, digest_size=8).digest()


def session_key(key: bytes, host: bytes, device: bytes, session: int, boot_id: int) -> bytes:
    """The key that both sides derive from their challenges."""
    numbers = struct.pack("<HHI", session, 0, boot_id)
    text = b"tinyol session\0\0" + host + device + numbers
    return hashlib.blake2s(text, key=key, digest_size=32).digest()


def mac(
    key: bytes, direction: int, counter: int, message: bytes, answered: bytes = NOTHING_ANSWERED
) -> bytes:
    """The trailer of a message whose flag is set already."""
    before = struct.pack("<B7xQ", direction, counter) + answered
    return hashlib.blake2s(before + message, key=key, digest_size=8).digest()


def flagged(message: bytes) -> bytes:
    """The message with the flag that says that a trailer follows."""
    return message[:3] + bytes([message[3] | SEALED]) + message[4:]


@dataclass
class Seal:
    """The host's side of one authenticated session.

    Attributes:
        number: of the request made last, beyond the 16 bits of its sequence.
        events: sent by the device so far.
    """

    key: bytes
    number: int
    events: int
    _asked: dict[int, list[bytes]] = field(default_factory=dict)  # MACs, by their number

    def request(self, message: bytes) -> bytes:
        """The message with its trailer."""
        (sequence,) = struct.unpack_from("<H", message, 6)
        number = self.near(sequence)
        self.number = max(self.number, number)
        trailer = mac(self.key, TO_DEVICE, number, flagged(message))
        self._asked.setdefault(number, []).append(trailer)
        return flagged(message) + trailer

    def near(self, sequence: int) -> int:
        """The number with these 16 bits that is nearest to the last one."""
        ahead = (sequence - self.number) & 0xFFFF
        return self.number + (ahead if ahead < 0x8000 else ahead - 0x10000)

    def is_right(self, message: bytes) -> bool:
        """Whether a reply or event has the trailer that it must have."""
        kind = message[1]
        (sequence,) = struct.unpack_from("<H", message, 6)
        if kind == 3:
            ahead = (sequence - self.events) & 0xFFFF
            self.events += ahead
            counter, asked = self.events, [NOTHING_ANSWERED]
        else:
            counter = self.near(sequence)
            asked = self._asked.get(counter, [])
        text, trailer = message[:-TRAILER_BYTES], message[-TRAILER_BYTES:]
        return trailer in [mac(self.key, TO_HOST, counter, text, before) for before in asked]
