"""A board whose model is missing or refused: it answers, counts and streams, and learns nothing."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from board_in_process import (
    CHANGED,
    LOG,
    OK,
    PREDICTION,
    SAMPLES,
    UNLOADED,
    Board,
    feed,
    name,
    noise,
    refused,
)
from boards_with_flash import OWN_PAGES, MemoryFlash, SavingBoard, slot_pages
from wire_by_hand import (
    CALIBRATE,
    CLASS_ADD,
    CLASS_REMOVE,
    CLASS_STATUS,
    CLASS_WEIGHT,
    CONDITION,
    FEED,
    FEED_BEGIN,
    FEED_END,
    FINE_TUNE,
    HARDWARE,
    IMAGE_GET,
    IMAGE_READ,
    INFO,
    LABEL,
    LABEL_BACK,
    LOCATE,
    NAME_SET,
    RELEARN,
    RESET,
    SELF_TEST,
    SETTING_SET,
    UNKNOWN_NAME,
    UNKNOWNS,
    WATCH,
)

from tinyol_sim._core import lib
from tinyol_sim.refusals import describe

PING, GOODBYE, SETTINGS_LIST, CLASSES_LIST, CLASS_RENAME = 3, 4, 8, 12, 14
METRICS, ALARMS, STREAM, SESSION_BEGIN, SAVE = 20, 21, 24, 33, 34
IMAGE_PUT, IMAGE_WRITE, IMAGE_COMMIT = 38, 39, 40
NO_MODEL, UNKNOWN = -16, -21

# Each with a payload that a board with a model would not call malformed.
NEEDS_MODEL: dict[int, bytes] = {
    SETTINGS_LIST: b"\0\0",
    SETTING_SET: struct.pack("<HHf", 1, 0, 0.25),
    CLASSES_LIST: b"\0\0",
    CLASS_ADD: name("a"),
    CLASS_RENAME: b"\0\0" + name("b"),
    CLASS_REMOVE: b"\0\0",
    LABEL: struct.pack("<hHI", -1, 0, 0),
    LABEL_BACK: struct.pack("<hH", 0, 1),
    FINE_TUNE: struct.pack("<I", 1),
    METRICS: b"",
    FEED_BEGIN: b"",
    FEED: feed(noise(3)),
    FEED_END: b"",
    RESET: b"",
    SESSION_BEGIN: b"\x0f",
    SAVE: b"",
    IMAGE_GET: b"",
    IMAGE_READ: struct.pack("<II", 0, 4),
    IMAGE_PUT: struct.pack("<II", 24, 0),
    IMAGE_WRITE: struct.pack("<I", 0) + bytes(4),
    IMAGE_COMMIT: b"",
    RELEARN: struct.pack("<hH", 0, 1),
    CLASS_WEIGHT: struct.pack("<HHf", 0, 0, 1),
    CALIBRATE: struct.pack("<II", 0, 30),
    UNKNOWN_NAME: struct.pack("<I", 1) + name("a"),
    UNKNOWNS: b"",
    WATCH: b"",
    CLASS_STATUS: b"\0\0",
}


@pytest.fixture
def board() -> Board:
    board = Board(model=UNLOADED)
    board.hello()
    return board


@pytest.mark.parametrize("rate_hz", [0.0, 104.0])
def test_hello_says_that_there_is_no_model(rate_hz: float) -> None:
    board = Board(model=UNLOADED)
    if rate_hz > 0:
        lib.tinyol_board_give_sensor(board.handle, rate_hz)
    body = board.hello().body
    assert struct.unpack_from("<HHII", body) == (0, 512, 0x100, 1 | (4 if rate_hz > 0 else 0))
    assert body[12:16] == Board().hello().body[12:16]  # arithmetic and state format
    assert body[16:24] == bytes(8)
    assert struct.unpack_from("<f", body, 24) == (rate_hz,)
    assert body[28:48] == bytes(20)
    assert body[48:64] == b"sim".ljust(16, b"\0")
    assert body[64:] == b"\4" + bytes(11)  # at its own port, not paired


def test_what_needs_a_model_is_refused(board: Board) -> None:
    for opcode, payload in NEEDS_MODEL.items():
        for some in (payload, b"", b"\xff" * 40):
            assert refused(board.ask(opcode, some)) == (NO_MODEL, "model"), opcode
    assert board.ask(99).status == UNKNOWN
    assert board.told(CHANGED) == board.told(SAMPLES) == []
    assert struct.unpack_from("<H", board.hello(nonce=9).body) == (0,)


def test_all_requests_either_work_or_need_a_model(board: Board) -> None:
    for opcode in range(2, 60):
        if opcode not in NEEDS_MODEL:
            assert refused(board.ask(opcode, b"\xff" * 40))[0] != NO_MODEL, opcode


def test_info_is_zero_but_for_what_is_counted_without_a_model(board: Board) -> None:
    board.ask(CLASS_ADD, name("a"))
    body = board.ask(INFO).body
    expected = bytearray(len(body))
    struct.pack_into("<h", expected, 52, -1)  # no label
    struct.pack_into("<I", expected, 72, 1)  # refused requests
    struct.pack_into("<I", expected, 84, 3)  # self-test: the arithmetic, and no net that fails
    assert body == bytes(expected)
    assert len(body) == 100


def test_alarms_self_test_ping_and_goodbye(board: Board) -> None:
    assert board.ask(PING).status == OK
    assert board.ask(ALARMS).body == bytes(8)
    expected, found, net_expected, net_found = struct.unpack("<IIII", board.ask(SELF_TEST).body)
    assert expected == found != 0
    assert (net_expected, net_found) == (0, 0)
    assert board.ask(LOCATE, b"\x01").status == -14
    assert board.ask(CONDITION, b"\0").status == -3
    assert board.ask(GOODBYE).status == OK
    assert board.told(LOG) == []


def test_samples_are_counted_and_streamed_and_gaps_marked(board: Board) -> None:
    board.sense(noise(5, 1))
    board.ask(STREAM, b"\x0f")
    sent = noise(48, 2)
    board.sense(sent[:11])
    board.sense(sent[11:24], gap=True)
    board.sense(sent[24:])
    events = board.told(SAMPLES)
    at, gaps, streamed = 5, [], []
    for body in events:
        first, n, n_gaps, zero = struct.unpack_from("<QBBH", body)
        assert (first, zero, len(body)) == (at, 0, 12 + 12 * n)
        if n_gaps:
            gaps.append((first, n_gaps))
        streamed.append(np.frombuffer(body[12:], "<f4").reshape(n, 3))
        at += n
    assert gaps == [(5 + 11, 1)]
    n_streamed = at - 5
    assert n_streamed >= 40
    np.testing.assert_array_equal(np.concatenate(streamed), sent[:n_streamed])
    assert board.ask(PING).next_sample == 53
    assert struct.unpack_from("<QII", board.ask(INFO).body) == (0, 1, 0)
    assert board.told(PREDICTION) == []


def test_a_sample_that_cannot_be_is_counted_as_refused(board: Board) -> None:
    board.ask(STREAM, b"\x08")
    samples = noise(6)
    samples[1, 0], samples[4, 2] = np.nan, 1e6
    board.sense(samples)
    assert board.ask(PING).next_sample == 6
    assert struct.unpack_from("<QII", board.ask(INFO).body) == (0, 2, 2)
    assert b"sample refused" in board.told(LOG)[0]


def test_time_and_departing_peers_do_no_harm() -> None:
    board = Board(model=UNLOADED)
    board.hello()
    board.hello(link=1, nonce=2)
    board.ask(STREAM, b"\x0f")
    for hour in range(100):
        board.tick(hour * 3_600_000)
        board.sense(noise(100))
        board.hello(nonce=hour + 3, now_ms=(hour * 3_600_000) % 2**32)
        board.ask(STREAM, b"\x0f", now_ms=(hour * 3_600_000) % 2**32)
        lib.tinyol_board_drop(board.handle, 0)
        board.hello(nonce=hour + 4)
    assert board.ask(PING).next_sample == 10_000


def test_a_board_without_a_model_keeps_its_name_and_touches_nothing_that_was_learned() -> None:
    flash = MemoryFlash(2 * slot_pages() + OWN_PAGES)
    learned = SavingBoard(flash)
    learned.ask(CLASS_ADD, name("a"))
    learned.save()
    state, content = learned.state(), bytes(flash.content)
    board = SavingBoard(flash, UNLOADED)
    assert board.found == NO_MODEL
    assert describe(board.refusal) == "model: no model loaded"
    assert board.ask(NAME_SET, name("Keller")).status == OK
    assert board.ask(SAVE).status == NO_MODEL
    board.tick(3_600_000)
    board.hello(nonce=2)
    assert board.ask(INFO).body[88:] == bytes(12)
    kept = len(content) - OWN_PAGES * flash.page_bytes
    assert bytes(flash.content[:kept]) == content[:kept]
    again = SavingBoard(flash)
    assert again.state() == state
    assert again.ask(HARDWARE).body[20:] == b"Keller".ljust(24, b"\0")


def test_a_link_is_as_wide_as_ever() -> None:
    board = Board(model=UNLOADED, max_message=136)
    board.hello()
    board.ask(STREAM, b"\x0f")
    board.sense(noise(64))
    board.set_condition(0, 3, "x" * 80)
    for opcode, payload in ((INFO, b""), (ALARMS, b""), (HARDWARE, b""), (CONDITION, b"\0")):
        assert board.ask(opcode, payload).status == OK
