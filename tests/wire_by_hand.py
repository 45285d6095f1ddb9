"""The wire protocol written down a second time, from docs/wire-protocol.md alone."""

from __future__ import annotations

import struct
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from session_by_hand import SEALED, TRAILER_BYTES, Seal, session_key

from tinyol_sim.emulator.machine import Machine

HELLO, INFO, CLASS_ADD, CLASS_REMOVE, SETTING_SET = 1, 2, 13, 15, 9
LABEL, LABEL_BACK, FINE_TUNE = 16, 17, 18
FEED_BEGIN, FEED, FEED_END = 28, 29, 30
RESET, IMAGE_GET, IMAGE_READ, SELF_TEST = 32, 36, 37, 44
HARDWARE, NAME_SET, LOCATE, CONDITION = 48, 49, 50, 51
RELEARN, CLASS_WEIGHT, CALIBRATE, UNKNOWN_NAME = 52, 53, 54, 55
UNKNOWNS, WATCH, CLASS_STATUS = 56, 57, 58
CHALLENGE, AUTHENTICATE, ACCESS, ACCESS_SET, PAIR, FACTORY_RESET = 60, 61, 62, 63, 64, 65
UNDO = 66
UNTIL_STOPPED = 0xFFFFFFFF
SAMPLES_PER_FEED = 40
REPLY_TIMEOUT_S = 10.0

_HEADER = struct.Struct("<BBBBHHIHH")
_OUTCOME = struct.Struct("<b3xQ")


def encode_frame(message: bytes) -> bytes:
    """Message and CRC-32 in COBS, and the closing zero."""
    out = bytearray()
    for part in (message + struct.pack("<I", zlib.crc32(message))).split(b"\0"):
        while len(part) >= 254:
            out += b"\xff" + part[:254]
            part = part[254:]
        out += bytes([len(part) + 1]) + part
    return bytes(out) + b"\0"


def decode_frame(frame: bytes) -> bytes:
    """The message of a frame without its closing zero."""
    out, at = bytearray(), 0
    while at < len(frame):
        code = frame[at]
        out += frame[at + 1 : at + code]
        at += code
        if code < 255 and at < len(frame):
            out.append(0)
    message, crc = bytes(out[:-4]), bytes(out[-4:])
    assert crc == struct.pack("<I", zlib.crc32(message))
    return message


@dataclass
class Wire:
    """One session with a machine that is running."""

    machine: Machine
    session: int = 0
    sequence: int = 0
    boot_id: int = 0
    next_sample: int = 0
    seal: Seal | None = None  # once it is authenticated

    def hello(self, nonce: int = 1) -> bytes:
        """Opens the session; the reply's own fields."""
        header, fields = self._exchange(HELLO, struct.pack("<QQ", nonce, 0))
        self.session, self.boot_id = header[4], header[6]
        return fields

    def request(self, opcode: int, payload: bytes = b"") -> bytes:
        """Has a request executed; the reply's own fields."""
        self.sequence = (self.sequence + 1) % 65536
        return self._exchange(opcode, payload)[1]

    def authenticate(self, key: bytes) -> bytes:
        """From now on every message has a MAC; AUTHENTICATE's own fields."""
        own = bytes(range(16))
        challenge = self.request(CHALLENGE, own)
        derived = session_key(key, own, challenge, self.session, self.boot_id)
        self.seal = Seal(derived, self.sequence, events=0)
        return self.request(AUTHENTICATE)

    def feed(self, samples: NDArray[np.float32]) -> None:
        """Samples without a gap before the first."""
        for start in range(0, len(samples), SAMPLES_PER_FEED):
            part = samples[start : start + SAMPLES_PER_FEED]
            self.request(FEED, struct.pack("<BBH", len(part), 0, 0) + part.astype("<f4").tobytes())

    def add_class(self, name: str) -> None:
        """CLASS_ADD."""
        self.request(CLASS_ADD, bytes([len(name)]) + name.encode())

    def state(self) -> bytes:
        """The state image, in chunks."""
        length, crc = struct.unpack("<II", self.request(IMAGE_GET))
        image = b"".join(
            self.request(IMAGE_READ, struct.pack("<II", at, min(400, length - at)))
            for at in range(0, length, 400)
        )
        assert zlib.crc32(image) == crc
        return image

    def _exchange(self, opcode: int, payload: bytes) -> tuple[tuple[int, ...], bytes]:
        header = _HEADER.pack(
            2, 1, opcode, 0, self.session, self.sequence, self.boot_id, len(payload), 0
        )
        request, flags = header + payload, 0
        if self.seal is not None:
            request, flags = self.seal.request(request), SEALED
        self.machine.write(encode_frame(request))
        for message in self._messages():
            fields = _HEADER.unpack_from(message)
            assert fields[:4] == (2, 2, opcode, flags)
            if self.seal is not None:
                assert self.seal.is_right(message)
                message = message[:-TRAILER_BYTES]
            assert fields[5] == self.sequence
            assert fields[7] == len(message) - _HEADER.size
            status, self.next_sample = _OUTCOME.unpack_from(message, _HEADER.size)
            assert status == 0, (opcode, status, message[28:])
            return fields, message[_HEADER.size + _OUTCOME.size :]
        raise AssertionError(f"no reply to request {opcode}")

    def _messages(self) -> Iterator[bytes]:
        deadline = time.monotonic() + REPLY_TIMEOUT_S
        while time.monotonic() < deadline:
            for frame in self.machine.read(1.0).split(b"\0"):
                if frame:
                    yield decode_frame(frame)


def open_wire(machine: Machine) -> Wire:
    """A session, opened."""
    wire = Wire(machine)
    wire.hello()
    return wire
