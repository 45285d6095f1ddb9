"""One message of the wire protocol: its constants, its header, and both ways to bytes.

docs/wire-protocol.md says every byte; firmware/lib/tinyol/src/tinyol/message.h is the other side.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum

from tinyol_host.errors import ProtocolError

PROTOCOL_VERSION = 2
HEADER_BYTES = 16
MAX_MESSAGE_BYTES = 512  # header, payload and trailer together
AUTH_TRAILER_BYTES = 8
FLAG_AUTHENTICATED = 1  # a trailer follows the payload
UNTIL_STOPPED = 0xFFFFFFFF

# version, kind, opcode, flags, session, sequence, boot id, payload length, 0
_HEADER = struct.Struct("<BBBBHHIHH")
assert _HEADER.size == HEADER_BYTES


class Kind(IntEnum):
    """What a message is."""

    REQUEST = 1
    REPLY = 2
    EVENT = 3


class Opcode(IntEnum):
    """What a request asks for."""

    HELLO = 1
    INFO = 2
    PING = 3
    GOODBYE = 4
    SETTINGS_LIST = 8
    SETTING_SET = 9
    CLASSES_LIST = 12
    CLASS_ADD = 13
    CLASS_RENAME = 14
    CLASS_REMOVE = 15
    LABEL = 16
    LABEL_BACK = 17
    FINE_TUNE = 18
    METRICS = 20
    ALARMS = 21
    STREAM = 24
    FEED_BEGIN = 28
    FEED = 29
    FEED_END = 30
    RESET = 32
    SESSION_BEGIN = 33
    SAVE = 34
    IMAGE_GET = 36
    IMAGE_READ = 37
    IMAGE_PUT = 38
    IMAGE_WRITE = 39
    IMAGE_COMMIT = 40
    SELF_TEST = 44
    HARDWARE = 48
    NAME_SET = 49
    LOCATE = 50
    CONDITION = 51
    RELEARN = 52
    CLASS_WEIGHT = 53
    CALIBRATE = 54
    UNKNOWN_NAME = 55
    UNKNOWNS = 56
    WATCH = 57
    CLASS_STATUS = 58
    CHALLENGE = 60
    AUTHENTICATE = 61
    ACCESS = 62
    ACCESS_SET = 63
    PAIR = 64
    FACTORY_RESET = 65
    UNDO = 66


class EventType(IntEnum):
    """What an event tells."""

    PREDICTION = 1
    SAMPLES = 2
    CHANGED = 3
    LOG = 4
    NOTICE = 5


@dataclass(frozen=True)
class Message:
    """A header and its payload."""

    kind: int
    opcode: int  # of the request and its reply; an event's type
    session: int
    sequence: int  # 0 to 65535
    boot_id: int
    payload: bytes
    flags: int = 0
    trailer: bytes = b""  # AUTH_TRAILER_BYTES where the flag says so, else none

    def to_bytes(self) -> bytes:
        """The message as it goes over a link; ProtocolError if a field does not fit."""
        due = AUTH_TRAILER_BYTES if self.flags & FLAG_AUTHENTICATED else 0
        if len(self.trailer) != due:
            raise ProtocolError(f"a trailer of {len(self.trailer)} bytes; it must have {due}")
        total = HEADER_BYTES + len(self.payload) + due
        if total > MAX_MESSAGE_BYTES:
            raise ProtocolError(
                f"a message of {total} bytes; the protocol allows {MAX_MESSAGE_BYTES}"
            )
        try:
            header = _HEADER.pack(
                PROTOCOL_VERSION,
                self.kind,
                self.opcode,
                self.flags,
                self.session,
                self.sequence,
                self.boot_id,
                len(self.payload),
                0,
            )
        except struct.error as error:
            raise ProtocolError(f"a header's field is out of range: {error}") from None
        return header + self.payload + self.trailer

    @classmethod
    def from_bytes(cls, data: bytes) -> Message:
        """Reads exactly one message; ProtocolError if the bytes are anything else."""
        if not HEADER_BYTES <= len(data) <= MAX_MESSAGE_BYTES:
            raise ProtocolError(
                f"a message has {HEADER_BYTES} to {MAX_MESSAGE_BYTES} bytes, not {len(data)}"
            )
        version, kind, opcode, flags, session, sequence, boot_id, size, zero = _HEADER.unpack_from(
            data
        )
        if version != PROTOCOL_VERSION:
            raise ProtocolError(wrong_version(version))
        if kind not in Kind.__members__.values():
            raise ProtocolError(f"a message's kind is 1 to 3, not {kind}")
        if flags & ~FLAG_AUTHENTICATED or zero:
            raise ProtocolError("a message's reserved bits are not 0")
        due = AUTH_TRAILER_BYTES if flags & FLAG_AUTHENTICATED else 0
        if len(data) != HEADER_BYTES + size + due:
            raise ProtocolError(
                f"a message says that it has {HEADER_BYTES + size + due} bytes, not {len(data)}"
            )
        end = HEADER_BYTES + size
        return cls(
            kind, opcode, session, sequence, boot_id, data[HEADER_BYTES:end], flags, data[end:]
        )


def wrong_version(version: int) -> str:
    """What to tell a person whose device speaks another version of the protocol."""
    older = "the firmware" if version < PROTOCOL_VERSION else "this program"
    return (
        f"the device speaks protocol version {version}, this program version"
        f" {PROTOCOL_VERSION}; update {older}"
    )


def foreign_version_of_hello(data: bytes) -> int | None:
    """The version in a HELLO reply of another version than ours; None if it is anything else.

    Version, kind and opcode keep their places in every version, so that this can be told.
    """
    if len(data) < HEADER_BYTES or data[1:3] != bytes([Kind.REPLY, Opcode.HELLO]):
        return None
    return None if data[0] == PROTOCOL_VERSION else data[0]
