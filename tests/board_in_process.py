"""A device in this process, spoken to in raw messages: docs/wire-protocol.md by hand."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from session_by_hand import SEALED, TRAILER_BYTES, Seal, session_key
from small_replay import small_bundle
from wire_by_hand import AUTHENTICATE, CHALLENGE, HELLO, PAIR

from tinyol_sim._core import ffi, lib
from tinyol_sim.refusals import describe, new_refusal

EVENT = 3
OK = 0
PREDICTION, SAMPLES, CHANGED, LOG, NOTICE = 1, 2, 3, 4, 5
BOOT_ID = 77
SEED = bytes(range(32))  # of the board's random numbers
HEADER = struct.Struct("<BBBBHHIHH")
UNLOADED = b""  # in place of a model: a board without one


@dataclass
class Message:
    """A message taken from the device; `body` is what follows a reply's outcome. A trailer was
    checked if the session is authenticated on this side too."""

    kind: int
    opcode: int
    session: int
    sequence: int
    status: int
    next_sample: int
    body: bytes
    link: int
    sealed: bool


@cache
def small_model() -> bytes:
    return small_bundle().model_image


@dataclass
class Board:
    """A device in this process, spoken to in raw messages."""

    boot_id: int = BOOT_ID
    max_message: int = 512
    model: bytes = field(default_factory=small_model)
    sessions: dict[int, int] = field(default_factory=dict)
    sequences: dict[int, int] = field(default_factory=dict)
    events: list[Message] = field(default_factory=list)
    seals: dict[int, Seal] = field(default_factory=dict)  # of the links that are authenticated

    def __post_init__(self) -> None:
        refusal = new_refusal()
        if self.model == UNLOADED:
            handle = lib.tinyol_board_new_unloaded(self.boot_id, self.max_message, refusal)
        else:
            handle = lib.tinyol_board_new(
                self.model, len(self.model), self.boot_id, self.max_message, refusal
            )
        assert handle != ffi.NULL, describe(refusal)
        self.handle = ffi.gc(handle, lib.tinyol_board_free)
        self.give_random(SEED)

    def write(self, message: bytes, link: int = 0, now_ms: int = 0) -> list[Message]:
        """Raw bytes in; the replies out. Events are kept aside."""
        lib.tinyol_board_receive(self.handle, link, message, len(message), now_ms)
        return self.replies(link)

    def replies(self, link: int = 0) -> list[Message]:
        out, found = ffi.new("uint8_t[512]"), []
        while length := lib.tinyol_board_take(self.handle, link, out):
            raw = bytes(ffi.buffer(out, length))
            version, kind, opcode, flags, session, sequence, boot, size, zero = HEADER.unpack_from(
                raw
            )
            assert (version, boot, zero) == (2, self.boot_id, 0)
            assert flags in (0, SEALED)
            assert length <= self.max_message
            if flags == SEALED:
                assert link not in self.seals or self.seals[link].is_right(raw)
                raw = raw[:-TRAILER_BYTES]
            assert size == len(raw) - HEADER.size
            head, sealed = (kind, opcode, session, sequence), flags == SEALED
            if kind == EVENT:
                self.events.append(Message(*head, 0, 0, raw[16:], link, sealed))
                continue
            status, index = struct.unpack_from("<b3xQ", raw, 16)
            found.append(Message(*head, status, index, raw[28:], link, sealed))
        return found

    def hello(self, link: int = 0, nonce: int = 1, now_ms: int = 0) -> Message:
        payload = struct.pack("<QQ", nonce, 0)
        (reply,) = self.write(request(HELLO, payload), link, now_ms)
        if self.sessions.get(link) != reply.session:
            self.seals.pop(link, None)
        self.sessions[link] = reply.session
        (self.sequences[link],) = struct.unpack_from("<H", reply.body)
        return reply

    def ask(self, opcode: int, payload: bytes = b"", link: int = 0, now_ms: int = 0) -> Message:
        """The next request of a link's session."""
        self.sequences[link] = (self.sequences[link] + 1) % 65536
        (reply,) = self.write(self.current(opcode, payload, link), link, now_ms)
        return reply

    def current(self, opcode: int, payload: bytes = b"", link: int = 0) -> bytes:
        message = request(opcode, payload, self.sessions[link], self.sequences[link], self.boot_id)
        return self.seals[link].request(message) if link in self.seals else message

    def give_random(self, seed: bytes) -> None:
        """32 bytes."""
        lib.tinyol_board_give_random(self.handle, seed)

    def set_radio(self, link: int) -> None:
        """Who speaks over this link does not touch the board."""
        lib.tinyol_board_set_physical(self.handle, link, 0)

    def pair(self, rotate: bool = False, link: int = 0) -> bytes:
        """The key that the board makes."""
        reply = self.ask(PAIR, bytes([rotate, 0, 0, 0]), link)
        assert reply.status == OK
        self.seals.clear()
        return reply.body

    def authenticate(self, key: bytes, link: int = 0, now_ms: int = 0) -> Message:
        """From now on the link's session has MACs, unless the reply to AUTHENTICATE refuses."""
        self.seals.pop(link, None)
        own = bytes(16)
        challenge = self.ask(CHALLENGE, own, link, now_ms)
        if challenge.status != OK:
            return challenge
        number = self.sequences[link]
        derived = session_key(key, own, challenge.body, self.sessions[link], self.boot_id)
        events = sum(1 for event in self.events if event.link == link)
        self.seals[link] = Seal(derived, number, events)
        reply = self.ask(AUTHENTICATE, b"", link, now_ms)
        if reply.status != OK:  # not executed
            del self.seals[link]
            self.sequences[link] = number
        return reply

    def told(self, opcode: int, link: int = 0) -> list[bytes]:
        """Payloads of the events of one type that a link has got; they are then forgotten."""
        self.replies(link)
        found = [e for e in self.events if (e.opcode, e.link) == (opcode, link)]
        self.events = [event for event in self.events if event not in found]
        return [event.body for event in found]

    def state(self) -> bytes:
        capacity = lib.tinyol_board_max_image_bytes(self.handle)
        out = ffi.new("uint8_t[]", capacity)
        return bytes(ffi.buffer(out, lib.tinyol_board_export(self.handle, out, capacity)))

    def sense(self, samples: NDArray[np.float32], gap: bool = False) -> None:
        data = np.ascontiguousarray(samples, np.float32)
        lib.tinyol_board_sense(self.handle, ffi.from_buffer("float *", data), len(data), gap)

    def set_condition(self, slot: int, level: int, text: str) -> None:
        raw = text.encode(errors="surrogateescape")
        lib.tinyol_board_set_condition(self.handle, slot, level, raw)

    def tick(self, now_ms: int) -> None:
        lib.tinyol_board_tick(self.handle, now_ms & 0xFFFFFFFF)


def refused(reply: Message) -> tuple[int, str]:
    """Status and what was refused; "" where nothing was."""
    return reply.status, reply.body[:32].split(b"\0")[0].decode() if reply.status else ""


def request(
    opcode: int, payload: bytes = b"", session: int = 0, sequence: int = 0, boot_id: int = 0
) -> bytes:
    return HEADER.pack(2, 1, opcode, 0, session, sequence, boot_id, len(payload), 0) + payload


def name(text: str) -> bytes:
    return bytes([len(text.encode())]) + text.encode()


def noise(n: int, seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(0, 0.3, (n, 3)).astype(np.float32)


def feed(samples: Sequence[Any], gap: bool = False) -> bytes:
    data = np.asarray(samples, "<f4")
    return struct.pack("<BBH", len(data), gap, 0) + data.tobytes()
