"""Payloads of the requests about access, and what their replies carry (docs/wire-protocol.md)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum

from tinyol_host.access.device_key import CHALLENGE_BYTES, KEY_BYTES, DeviceKey
from tinyol_host.errors import ProtocolError
from tinyol_host.payloads import exactly

PAIRED, AUTHENTICATED, PHYSICAL, READING_NEEDS_KEY = 1, 2, 4, 8  # bits of ACCESS's flags
_FACTORY_RESET = 0x54455352  # "RSET", so that no stray message does it
_ACCESS = struct.Struct("<BBH8sIIII")


class RandomSource(IntEnum):
    """Where the board's random numbers come from."""

    NONE = 0
    HARDWARE = 1
    HOST = 2

    @property
    def words(self) -> str:
        """For a person."""
        return _SOURCES[self]


_SOURCES = {
    RandomSource.NONE: "none: it cannot be paired",
    RandomSource.HARDWARE: "the generator in the board's chip",
    RandomSource.HOST: "the computer that runs this simulated board",
}


@dataclass(frozen=True)
class Access:
    """Who may do what, and what was refused.

    key_id: 16 hex digits, zeros unless paired. The counts but for `pairings` are since boot.
    """

    paired: bool
    authenticated: bool  # this session
    physical: bool  # this link ends at the board's own port
    reading_needs_key: bool  # over the radio
    random_source: RandomSource
    key_id: str
    pairings: int  # keys made so far
    wrong_macs: int
    refused: int  # for want of a key
    locked_ms: int  # until the next try on this link; 0 = not locked

    @classmethod
    def from_bytes(cls, body: bytes) -> Access:
        """ProtocolError if the body is not as specified."""
        flags, source, _, key_id, pairings, wrong, refused, locked = exactly(
            _ACCESS, body, "ACCESS's reply"
        )
        if source not in RandomSource.__members__.values():
            raise ProtocolError(f"ACCESS's reply names random source {source}, which is not known")
        return cls(
            paired=bool(flags & PAIRED),
            authenticated=bool(flags & AUTHENTICATED),
            physical=bool(flags & PHYSICAL),
            reading_needs_key=bool(flags & READING_NEEDS_KEY),
            random_source=RandomSource(source),
            key_id=key_id.hex(),
            pairings=pairings,
            wrong_macs=wrong,
            refused=refused,
            locked_ms=locked,
        )


def access_set(reading_needs_key: bool) -> bytes:
    """Whether reading over the radio needs the key."""
    return struct.pack("<B3x", reading_needs_key)


def pair(rotate: bool) -> bytes:
    """The first key, or another one in place of the one that there is."""
    return struct.pack("<B3x", rotate)


def factory_reset() -> bytes:
    """Everything is erased, the key too."""
    return struct.pack("<I", _FACTORY_RESET)


def device_challenge(body: bytes) -> bytes:
    """CHALLENGE's reply; ProtocolError if it is not 16 bytes."""
    if len(body) != CHALLENGE_BYTES:
        raise ProtocolError(f"CHALLENGE's reply has {len(body)} bytes, not {CHALLENGE_BYTES}")
    return body


def new_key(body: bytes, name: str, paired: str) -> DeviceKey:
    """PAIR's reply; ProtocolError if it holds no key."""
    if len(body) != KEY_BYTES or not any(body):
        raise ProtocolError(f"PAIR's reply holds no key of {KEY_BYTES} bytes")
    return DeviceKey(body, name, paired)
