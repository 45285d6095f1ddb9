"""Messages on a byte stream: message and CRC-32 in COBS, then a zero byte."""

from __future__ import annotations

import re
import zlib

from cobs import cobs

from tinyol_host.protocol import MAX_MESSAGE_BYTES

CRC_BYTES = 4
# COBS adds one byte, and one more for each full block of 254.
MAX_FRAME_BYTES = MAX_MESSAGE_BYTES + CRC_BYTES + (MAX_MESSAGE_BYTES + CRC_BYTES) // 254 + 1

_ZEROS = re.compile(rb"\0+")  # empty frames are allowed: a run of zeros is one end


def encode_frame(message: bytes) -> bytes:
    """One frame, its closing zero included."""
    crc = zlib.crc32(message).to_bytes(CRC_BYTES, "little")
    return bytes(cobs.encode(message + crc)) + b"\0"


class FrameParser:
    """Takes a stream in pieces of any size; finds its place again at the next zero."""

    def __init__(self) -> None:
        self.bad_frames = 0  # wrong COBS or CRC, or too long
        self._frame = bytearray()
        self._skipping = False  # too long already: up to the next zero it is one bad frame

    def push(self, data: bytes) -> list[bytes]:
        """The messages that these bytes complete."""
        messages = []
        *ends, rest = _ZEROS.split(data)
        for end in ends:
            self._append(end)
            message = self._finish()
            if message is not None:
                messages.append(message)
        self._append(rest)
        return messages

    def _append(self, part: bytes) -> None:
        if self._skipping:
            return
        self._frame += part
        if len(self._frame) > MAX_FRAME_BYTES:
            self._frame.clear()
            self._skipping = True

    def _finish(self) -> bytes | None:
        frame, skipped = bytes(self._frame), self._skipping
        self._frame.clear()
        self._skipping = False
        if not frame and not skipped:
            return None
        message = None if skipped else _decode(frame)
        if message is None:
            self.bad_frames += 1
        return message


def _decode(frame: bytes) -> bytes | None:
    try:
        content = bytes(cobs.decode(frame))
    except cobs.DecodeError:
        return None
    message, crc = content[:-CRC_BYTES], content[-CRC_BYTES:]
    if not message or len(message) > MAX_MESSAGE_BYTES:
        return None
    return message if crc == zlib.crc32(message).to_bytes(CRC_BYTES, "little") else None
