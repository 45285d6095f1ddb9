"""The device's side of the wire protocol: exactly once, per link, and deaf to nonsense."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_replay import small_bundle
from wire_by_hand import (
    CLASS_ADD,
    FEED,
    FEED_BEGIN,
    FEED_END,
    HELLO,
    IMAGE_GET,
    IMAGE_READ,
    LABEL,
    RESET,
    SELF_TEST,
    SETTING_SET,
    encode_frame,
)

from tinyol_sim._core import ffi, lib
from tinyol_sim.refusals import new_refusal
from tinyol_sim.twin import Twin

INFO, PING, CLASSES_LIST, STREAM = 2, 3, 12, 24
IMAGE_PUT, IMAGE_WRITE, IMAGE_COMMIT = 38, 39, 40
REPLY, EVENT = 2, 3
OK, BUSY, BAD_SEQUENCE, NO_SESSION, REBOOTED, UNKNOWN = 0, -17, -18, -19, -20, -21
BOOT_ID = 77
HEADER = struct.Struct("<BBBBHHIHH")


@dataclass
class Message:
    """A message taken from the device; `body` is what follows a reply's outcome."""

    kind: int
    opcode: int
    session: int
    sequence: int
    status: int
    next_sample: int
    body: bytes


@dataclass
class Board:
    """A device in this process, spoken to in raw messages."""

    boot_id: int = BOOT_ID
    sessions: dict[int, int] = field(default_factory=dict)
    sequences: dict[int, int] = field(default_factory=dict)
    events: list[Message] = field(default_factory=list)

    def __post_init__(self) -> None:
        image = small_bundle().model_image
        handle = lib.tinyol_board_new(image, len(image), self.boot_id, new_refusal())
        assert handle != ffi.NULL
        self.handle = ffi.gc(handle, lib.tinyol_board_free)

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
            assert (version, flags, boot, zero) == (1, 0, self.boot_id, 0)
            assert size == length - HEADER.size
            if kind == EVENT:
                self.events.append(Message(kind, opcode, session, sequence, 0, 0, raw[16:]))
                continue
            status, index = struct.unpack_from("<b3xQ", raw, 16)
            found.append(Message(kind, opcode, session, sequence, status, index, raw[28:]))
        return found

    def hello(self, link: int = 0, nonce: int = 1, now_ms: int = 0) -> Message:
        payload = struct.pack("<QQ", nonce, 0)
        (reply,) = self.write(request(HELLO, payload), link, now_ms)
        self.sessions[link] = reply.session
        (self.sequences[link],) = struct.unpack_from("<H", reply.body)
        return reply

    def ask(self, opcode: int, payload: bytes = b"", link: int = 0, now_ms: int = 0) -> Message:
        """The next request of a link's session."""
        self.sequences[link] = (self.sequences[link] + 1) % 65536
        (reply,) = self.write(self.current(opcode, payload, link), link, now_ms)
        return reply

    def current(self, opcode: int, payload: bytes = b"", link: int = 0) -> bytes:
        return request(opcode, payload, self.sessions[link], self.sequences[link], self.boot_id)

    def state(self) -> bytes:
        capacity = lib.tinyol_board_max_image_bytes(self.handle)
        out = ffi.new("uint8_t[]", capacity)
        return bytes(ffi.buffer(out, lib.tinyol_board_export(self.handle, out, capacity)))

    def sense(self, samples: np.ndarray[Any, np.dtype[np.float32]], gap: bool = False) -> None:
        data = np.ascontiguousarray(samples, np.float32)
        lib.tinyol_board_sense(self.handle, ffi.from_buffer("float *", data), len(data), gap)


def request(
    opcode: int, payload: bytes = b"", session: int = 0, sequence: int = 0, boot_id: int = 0
) -> bytes:
    return HEADER.pack(1, 1, opcode, 0, session, sequence, boot_id, len(payload), 0) + payload


def name(text: str) -> bytes:
    return bytes([len(text.encode())]) + text.encode()


def noise(n: int, seed: int = 0) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.random.default_rng(seed).normal(0, 0.3, (n, 3)).astype(np.float32)


def feed(samples: Sequence[Any], gap: bool = False) -> bytes:
    data = np.asarray(samples, "<f4")
    return struct.pack("<BBH", len(data), gap, 0) + data.tobytes()


@pytest.fixture
def board() -> Board:
    board = Board()
    board.hello()
    return board


def test_a_repeated_request_is_answered_from_memory(board: Board) -> None:
    first = board.ask(CLASS_ADD, name("normal"))
    assert (first.status, first.body) == (OK, b"\0\0\0\0")
    (again,) = board.write(board.current(CLASS_ADD, name("normal")))
    assert again == first
    assert struct.unpack_from("<H", board.ask(CLASSES_LIST, b"\0\0").body) == (1,)


def test_a_request_out_of_order_is_not_executed(board: Board) -> None:
    for sequence in (0, 2, 3, 65535):
        if sequence == 0:
            continue  # nothing was executed yet: there is no reply to remember
        (reply,) = board.write(request(CLASS_ADD, name("x"), board.sessions[0], sequence, BOOT_ID))
        assert reply.status == BAD_SEQUENCE
        assert struct.unpack_from("<I", reply.body, 24) == (1,)
    assert struct.unpack_from("<H", board.ask(CLASSES_LIST, b"\0\0").body) == (0,)


def test_sequence_numbers_wrap(board: Board) -> None:
    for _ in range(65540):
        board.sequences[0] = (board.sequences[0] + 1) % 65536
        lib.tinyol_board_receive(board.handle, 0, board.current(PING), 16, 0)
        lib.tinyol_board_take(board.handle, 0, ffi.new("uint8_t[512]"))
    assert board.ask(PING).status == OK


def test_no_session_and_another_boot(board: Board) -> None:
    (reply,) = board.write(request(PING, b"", board.sessions[0], 1, BOOT_ID + 1))
    assert reply.status == REBOOTED
    (reply,) = board.write(request(PING, b"", board.sessions[0] + 1, 1, BOOT_ID))
    assert reply.status == NO_SESSION
    (reply,) = board.write(request(PING, b"", board.sessions[0], 1, BOOT_ID), link=1)
    assert reply.status == NO_SESSION
    assert board.ask(PING).status == OK


def test_the_same_nonce_resumes_and_another_begins_anew(board: Board) -> None:
    board.ask(CLASS_ADD, name("normal"))
    lib.tinyol_board_drop(board.handle, 0)
    session = board.sessions[0]
    board.hello(nonce=1)
    assert (board.sessions[0], board.sequences[0]) == (session, 1)
    # The reply was lost with the link: the repeat is answered from memory.
    assert board.write(board.current(CLASS_ADD, name("normal")))[0].status == OK
    board.hello(nonce=2)
    assert board.sessions[0] != session
    assert board.sequences[0] == 0
    assert board.ask(CLASS_ADD, name("normal")).status == -4


def test_links_have_sessions_of_their_own(board: Board) -> None:
    board.hello(link=1, nonce=9)
    assert board.ask(CLASS_ADD, name("a"), link=0).status == OK
    assert board.ask(CLASS_ADD, name("b"), link=1).status == OK
    board.replies(0)
    changed = [event for event in board.events if event.opcode == 3]
    assert [event.body[0] for event in changed] == [CLASS_ADD, CLASS_ADD]


def test_while_one_link_feeds_the_other_may_look_but_not_touch(board: Board) -> None:
    board.hello(link=1, nonce=9)
    assert board.ask(FEED_BEGIN).status == OK
    assert board.ask(CLASS_ADD, name("a"), link=1).status == BUSY
    assert board.ask(FEED, feed(noise(3)), link=1).status == BUSY
    assert board.ask(INFO, link=1).status == OK
    before = board.ask(INFO).next_sample
    board.sense(noise(50))
    assert board.ask(INFO).next_sample == before  # the own sensor is not heard
    assert board.ask(FEED_END).status == OK
    assert board.ask(CLASS_ADD, name("a"), link=1).status == OK
    board.sense(noise(5))
    assert board.ask(INFO).next_sample == before + 5


def test_a_fed_board_is_the_twin(board: Board) -> None:
    twin = Twin(small_bundle())
    samples = noise(400)
    samples[123, 1] = np.nan
    assert board.ask(FEED_BEGIN).status == OK
    twin.gap()
    assert board.ask(CLASS_ADD, name("a")).status == OK
    assert board.ask(LABEL, struct.pack("<hHI", 0, 0, 5)).status == OK
    twin.add_class("a")
    twin.label("a", 5)
    for at in range(0, 400, 40):
        reply = board.ask(FEED, feed(samples[at : at + 40], gap=at == 200))
        assert reply.next_sample == at + 40
    twin.feed(samples, gaps=[200])
    assert board.ask(FEED_END).status == OK
    twin.gap()
    assert board.state() == twin.state


def test_predictions_come_as_counted_events(board: Board) -> None:
    board.ask(STREAM, b"\x03")
    board.sense(noise(60))
    board.replies()
    predictions = [event for event in board.events if event.opcode == 1]
    raw = b"".join(event.body[12:] for event in board.events if event.opcode == 2)
    windows = Twin(small_bundle()).feed(noise(60))
    assert len(predictions) == len(windows)
    for event, error in zip(predictions, windows.error, strict=True):
        assert struct.unpack_from("<f", event.body, 16) == (error,)
    assert [event.sequence for event in board.events] == list(range(1, len(board.events) + 1))
    assert raw == noise(60)[: len(raw) // 12].astype("<f4").tobytes()
    assert 60 - len(raw) // 12 < 8


def test_an_image_moves_in_checked_chunks(board: Board) -> None:
    board.ask(CLASS_ADD, name("a"))
    length, crc = struct.unpack("<II", board.ask(IMAGE_GET).body)
    board.sense(noise(100))  # goes on meanwhile; the staged image does not change
    board.hello(link=1, nonce=9)
    assert board.ask(IMAGE_PUT, struct.pack("<II", 1, 0), link=1).status == BUSY
    assert board.ask(IMAGE_READ, struct.pack("<II", length, 1)).status == -6
    chunks = [
        board.ask(IMAGE_READ, struct.pack("<II", at, min(300, length - at))).body
        for at in range(0, length, 300)
    ]
    image = b"".join(chunks)
    assert zlib.crc32(image) == crc
    assert board.ask(IMAGE_PUT, struct.pack("<II", 1, 0), link=1).status == OK  # it is done

    other = Board()
    other.hello()
    assert other.ask(IMAGE_PUT, struct.pack("<II", length, crc)).status == OK
    assert other.ask(IMAGE_COMMIT).status == -8  # nothing has come yet
    assert other.ask(IMAGE_WRITE, struct.pack("<I", 300) + chunks[1]).status == -6  # a hole
    for at, chunk in enumerate(chunks):
        reply = other.ask(IMAGE_WRITE, struct.pack("<I", 300 * at) + chunk)
    assert struct.unpack("<I", reply.body) == (length,)
    assert other.ask(IMAGE_COMMIT).status == OK
    assert other.state() == image


def test_a_damaged_image_changes_nothing(board: Board) -> None:
    image = bytearray(board.state())
    image[60] ^= 1
    before = board.state()
    board.ask(IMAGE_PUT, struct.pack("<II", len(image), zlib.crc32(image)))
    for at in range(0, len(image), 400):
        board.ask(IMAGE_WRITE, struct.pack("<I", at) + image[at : at + 400])
    assert board.ask(IMAGE_COMMIT).status == -11
    assert board.state() == before
    assert board.ask(IMAGE_PUT, struct.pack("<II", 1 << 30, 0)).status == -7


def test_a_silent_peer_is_dropped(board: Board) -> None:
    almost = 2**32 - 5000  # the clock wraps while the peer is silent
    board.hello(now_ms=almost)
    board.ask(FEED_BEGIN, now_ms=almost)
    board.ask(STREAM, b"\x01", now_ms=almost)
    lib.tinyol_board_tick(board.handle, 4999)
    assert board.ask(PING, now_ms=4999).status == OK
    lib.tinyol_board_tick(board.handle, 15_001)
    (reply,) = board.write(board.current(PING), now_ms=15_001)
    assert reply.status == NO_SESSION
    board.sense(noise(60))
    assert board.replies() == []
    assert board.events == []
    board.hello(nonce=1)
    assert board.ask(INFO).next_sample == 60  # no longer fed: the sensor was heard


def test_refusals_name_what_and_change_nothing(board: Board) -> None:
    before = board.state()
    for opcode, payload, status in (
        (99, b"", UNKNOWN),
        (CLASS_ADD, name("x" * 16), -5),
        (CLASS_ADD, b"\x05abc", -15),
        (LABEL, struct.pack("<hHI", 3, 0, 1), -3),
        (SETTING_SET, struct.pack("<HHf", 1, 0, np.nan), -1),
        (SETTING_SET, struct.pack("<HHf", 999, 0, 1.0), -3),
        (FEED, feed(noise(1)), -3),
        (FEED_END, b"", -3),
        (IMAGE_COMMIT, b"", -3),
        (RESET, b"\0", -15),
    ):
        reply = board.ask(opcode, payload)
        assert reply.status == status, (opcode, reply)
        assert len(reply.body) == 32
    assert board.state() == before


def test_self_test_passes_here(board: Board) -> None:
    expected, found = struct.unpack("<II", board.ask(SELF_TEST).body)
    assert expected == found


@given(st.lists(st.binary(max_size=600), max_size=20))
def test_nonsense_is_counted_and_ignored(messages: list[bytes]) -> None:
    board = Board()
    board.hello()
    before = board.state()
    for message in messages:
        board.write(message)
    assert board.state() == before
    assert board.ask(PING).status == OK


@given(
    st.lists(st.tuples(st.integers(0, 50), st.binary(max_size=80)), max_size=30),
    st.integers(0, 1),
)
def test_any_payload_is_executed_or_refused(requests: list[tuple[int, bytes]], link: int) -> None:
    board = Board()
    board.hello(link)
    for opcode, payload in requests:
        if opcode == 4 or (opcode == HELLO and len(payload) == 16):
            continue  # both end the session
        if opcode == HELLO:
            assert board.write(request(HELLO, payload), link) == []
            continue
        reply = board.ask(opcode, payload, link)
        assert -21 <= reply.status <= 0
    assert board.ask(PING, link=link).status == OK


@given(st.binary(max_size=512))
def test_frames_are_those_of_the_specification(message: bytes) -> None:
    frame = ffi.new("uint8_t[524]")
    length = lib.tinyol_encode_frame(message, len(message), frame)
    assert bytes(ffi.buffer(frame, length)) == encode_frame(message)
