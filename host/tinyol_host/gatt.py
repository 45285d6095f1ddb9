"""The GATT service's names, and messages in pieces where a value cannot hold one whole.

The device's side is firmware/lib/tinyol/src/tinyol/gatt_link.h, every byte in
docs/wire-protocol.md.
"""

from __future__ import annotations

from tinyol_host.errors import ProtocolError
from tinyol_host.protocol import MAX_MESSAGE_BYTES

SERVICE = "7b1e0001-6c0f-4e5a-9a7d-54696e794f4c"
CONTROL = "7b1e0002-6c0f-4e5a-9a7d-54696e794f4c"
EVENTS = "7b1e0003-6c0f-4e5a-9a7d-54696e794f4c"
BULK = "7b1e0004-6c0f-4e5a-9a7d-54696e794f4c"
INFO = "7b1e0005-6c0f-4e5a-9a7d-54696e794f4c"

MAX_VALUE_BYTES = 512  # Bluetooth Core, Vol 3 Part F, 3.2.9
_PIECE, _LAST, _NUMBER = 0x80, 0x40, 0x3F


def split(message: bytes, max_value: int) -> list[bytes]:
    """The values that carry a message: itself, or pieces of at most `max_value` bytes.

    Raises:
        ProtocolError: more pieces than can be numbered, 64.
    """
    if len(message) <= max_value:
        return [message]
    step = max_value - 1
    parts = [message[at : at + step] for at in range(0, len(message), step)] if step > 0 else []
    if not 0 < len(parts) <= _NUMBER + 1:
        raise ProtocolError(
            f"a message of {len(message)} bytes cannot go in values of {max_value} bytes"
        )
    last = len(parts) - 1
    return [
        bytes([_PIECE | number | (_LAST if number == last else 0)]) + part
        for number, part in enumerate(parts)
    ]


class Assembler:
    """Puts the pieces of one characteristic together; what does not fit is dropped and counted."""

    def __init__(self) -> None:
        self.dropped = 0
        self._parts: list[bytes] = []

    def add(self, value: bytes) -> bytes | None:
        """A value that came in; the message, if that completes one."""
        if not value:
            return None
        if not value[0] & _PIECE:
            self._drop()
            return value
        number = value[0] & _NUMBER
        if number == 0:
            self._drop()
        elif number != len(self._parts):
            self._drop()
            self.dropped += 1
            return None
        self._parts.append(value[1:])
        if not value[0] & _LAST:
            return None
        message = b"".join(self._parts)
        self._parts.clear()
        if len(message) > MAX_MESSAGE_BYTES:
            self.dropped += 1
            return None
        return message

    def _drop(self) -> None:
        self.dropped += bool(self._parts)
        self._parts.clear()
