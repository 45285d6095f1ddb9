"""Taking back and warnings over the wire, byte by byte (docs/wire-protocol.md)."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from board_in_process import CHANGED, OK, SAMPLES, UNLOADED, Board, feed, name, noise, refused
from boards_with_flash import SAVE, UNSAVED, MemoryFlash, SavingBoard
from test_undo import after_undo, counters_of
from wire_by_hand import (
    CALIBRATE,
    CLASS_ADD,
    CLASS_REMOVE,
    FEED_BEGIN,
    FINE_TUNE,
    HARDWARE,
    IMAGE_GET,
    INFO,
    LABEL,
    LABEL_BACK,
    RELEARN,
    RESET,
    SETTING_SET,
    UNDO,
    UNKNOWN_NAME,
    UNKNOWNS,
    WATCH,
)

from tinyol_sim.settings import SETTINGS

STREAM, SESSION_BEGIN, FACTORY_RESET = 24, 33, 65
DO, SAY = bytes(4), b"\1\0\0\0"
UNDONE = struct.Struct("<BBhQIIII16s")
NOTHING = (-3, "undo")


def label(index: int, windows: int) -> bytes:
    return struct.pack("<hHI", index, 0, windows)


@pytest.fixture
def board() -> Board:
    """Two classes with 30 lessons, and an unknown event."""
    board = Board()
    board.hello()
    setting = struct.pack("<HHf", SETTINGS["unknown.windows"].id, 0, 1.0)
    assert board.ask(SETTING_SET, setting).status == OK
    for index, text in enumerate(("calm", "loud")):
        board.ask(CLASS_ADD, name(text))
        board.ask(LABEL, label(index, 30))
        board.sense((0.1 + index) * noise(400, index), gap=True)
    board.ask(LABEL, label(-1, 0))
    board.sense(100 * noise(60), gap=True)
    return board


REQUESTS = {
    "label": (LABEL, label(1, 20), 1, "loud"),
    "label_back": (LABEL_BACK, struct.pack("<hH", 0, 5), 0, "calm"),
    "relearn": (RELEARN, struct.pack("<hH", 1, 9), 1, "loud"),
    "name_unknown": (UNKNOWN_NAME, name("new"), -1, "new"),
    "name_unknown_known": (UNKNOWN_NAME, name("loud"), 1, "loud"),
    "fine_tune": (FINE_TUNE, struct.pack("<I", 12), -1, ""),
    "calibrate": (CALIBRATE, struct.pack("<II", 3, 30), -1, ""),
    "remove_class": (CLASS_REMOVE, struct.pack("<H", 0), 0, "calm"),
    "reset": (RESET, b"", -1, ""),
}


@pytest.mark.parametrize("what", REQUESTS)
def test_each_request_is_taken_back_and_said(board: Board, what: str) -> None:
    opcode, payload, index, class_name = REQUESTS[what]
    if opcode == UNKNOWN_NAME:
        payload = board.ask(UNKNOWNS).body[:4] + payload  # the latest one
    kept = board.state()
    at = counters_of(kept)[0]
    assert board.ask(opcode, payload).status == OK
    board.sense(noise(77, 5))
    now = board.state()
    said = board.ask(UNDO, SAY)
    assert board.state() == now
    reply = board.ask(UNDO, DO)
    assert reply.body == said.body
    number, zero, told_index, asked_at, *since, text = UNDONE.unpack(reply.body)
    assert (number, zero, told_index, asked_at) == (opcode, 0, index, at)
    assert text.rstrip(b"\0").decode() == class_name
    windows = counters_of(now)[1] - (0 if what == "reset" else counters_of(kept)[1])
    assert since[2:] == [windows, 0]
    expected = after_undo(kept, now, what)
    assert board.state() == expected
    assert reply.next_sample == counters_of(expected)[0]
    assert refused(board.ask(UNDO, DO)) == NOTHING
    assert refused(board.ask(UNDO, SAY)) == NOTHING


@pytest.mark.parametrize(
    "payload", [b"", b"\0", b"\0\0\0", bytes(5), b"\2\0\0\0", b"\0\1\0\0", b"\0\0\0\1"]
)
def test_any_other_payload_is_malformed(board: Board, payload: bytes) -> None:
    board.ask(LABEL, label(0, 5))
    assert board.ask(UNDO, payload).status == -15
    assert board.ask(UNDO, SAY).status == OK


def test_without_a_model_there_is_nothing_to_ask() -> None:
    board = Board(model=UNLOADED)
    board.hello()
    assert refused(board.ask(UNDO, SAY)) == (-16, "model")


def test_others_are_told_of_it_and_of_a_question_not(board: Board) -> None:
    board.hello(link=1, nonce=2)
    board.ask(STREAM, b"\4")
    board.ask(LABEL, label(0, 5))
    board.told(CHANGED, 0)
    board.told(CHANGED, 1)
    board.ask(UNDO, SAY)
    assert board.told(CHANGED, 0) == board.told(CHANGED, 1) == []
    board.ask(UNDO, DO)
    at = counters_of(board.state())[0]
    assert board.told(CHANGED, 0) == [struct.pack("<BBHQ", UNDO, 1, 0, at) + DO]
    assert board.told(CHANGED, 1) == [struct.pack("<BBHQ", UNDO, 0, 0, at) + DO]


def test_a_refusal_is_told_to_nobody(board: Board) -> None:
    board.hello(link=1, nonce=2)
    board.ask(SESSION_BEGIN, b"\0")
    board.told(CHANGED, 1)
    assert refused(board.ask(UNDO, DO)) == NOTHING
    assert board.told(CHANGED, 1) == []


def test_while_another_feeds_it_may_be_asked_and_not_done(board: Board) -> None:
    board.hello(link=1, nonce=2)
    board.ask(LABEL, label(0, 5))
    assert board.ask(FEED_BEGIN, link=1).status == OK
    assert refused(board.ask(UNDO, DO)) == (-17, "feeding")
    assert board.ask(UNDO, SAY).status == OK
    assert board.ask(UNDO, DO, link=1).status == OK


def test_a_session_begins_with_nothing_to_take_back(board: Board) -> None:
    board.ask(LABEL, label(0, 5))
    board.ask(SESSION_BEGIN, b"\0")
    assert refused(board.ask(UNDO, DO)) == NOTHING


def test_who_gets_the_board_next_cannot_bring_back_what_it_had_learned(board: Board) -> None:
    board.ask(LABEL, label(0, 5))
    assert board.ask(FACTORY_RESET, struct.pack("<I", 0x54455352)).status == OK
    assert refused(board.ask(UNDO, DO)) == NOTHING


def test_reading_the_state_leaves_it(board: Board) -> None:
    board.ask(LABEL, label(0, 5))
    board.ask(IMAGE_GET)
    for opcode in (INFO, WATCH, HARDWARE):
        board.ask(opcode)
    assert board.ask(UNDO, SAY).status == OK


def test_a_repeat_takes_nothing_back_a_second_time(board: Board) -> None:
    board.ask(LABEL, label(0, 5))
    board.sense(noise(100, 5))
    board.ask(UNDO, DO)
    state = board.state()
    board.ask(LABEL, label(0, 5))
    board.ask(UNDO, DO)
    repeat = board.current(UNDO, DO)
    (again,) = board.write(repeat)
    assert again.status == OK
    assert board.state() == state


def test_samples_behind_a_reset_that_is_taken_back_have_the_index_that_they_get(
    board: Board,
) -> None:
    board.ask(STREAM, b"\2")
    board.ask(RESET)
    board.sense(noise(3, 1))
    board.told(SAMPLES)
    reply = board.ask(UNDO, DO)
    before = board.told(SAMPLES)
    assert [struct.unpack_from("<QB", event) for event in before] == [(0, 3)]
    board.sense(noise(8, 2))
    (event,) = board.told(SAMPLES)
    assert struct.unpack_from("<QB", event) == (reply.next_sample, 8)


def test_it_counts_as_learned_since_the_last_save() -> None:
    board = SavingBoard(MemoryFlash(64))
    board.ask(CLASS_ADD, name("calm"))
    board.ask(LABEL, label(0, 5))
    board.sense(noise(100, 5))
    assert board.ask(SAVE).status == OK
    assert board.stored()[2] & UNSAVED == 0
    assert board.ask(UNDO, SAY).status == OK
    assert board.stored()[2] & UNSAVED == 0
    board.ask(UNDO, DO)
    assert board.stored()[2] & UNSAVED != 0
    state = board.state()
    assert board.ask(SAVE).status == OK
    again = SavingBoard(board.flash)
    assert again.state() == state
    assert refused(again.ask(UNDO, DO)) == NOTHING


# --- warnings ----------------------------------------------------------------------------------


def test_a_label_that_contradicts_what_it_is_sure_of(board: Board) -> None:
    board.sense(0.1 * noise(12, 50), gap=True)
    index, windows, confidence = struct.unpack("<hHf", board.ask(LABEL, label(1, 5)).body)
    assert (index, windows) == (0, 1)
    assert np.float32(0.9) <= confidence <= 1
    assert struct.unpack("<hHf", board.ask(LABEL, label(0, 5)).body) == (-1, 0, 0.0)


@pytest.mark.parametrize("payload", [label(-1, 5), label(1, 0)])
def test_to_end_labelling_contradicts_nothing(board: Board, payload: bytes) -> None:
    board.sense(0.1 * noise(12, 50), gap=True)
    assert struct.unpack("<hHf", board.ask(LABEL, payload).body) == (-1, 0, 0.0)


def test_late_labels_that_contradict_it(board: Board) -> None:
    board.sense(0.1 * noise(32, 51), gap=True)
    reply = board.ask(LABEL_BACK, struct.pack("<hH", 1, 5))
    lessons, zero, index, windows, confidence = struct.unpack("<HHhHf", reply.body)
    assert (lessons, zero, index) == (5, 0, 0)
    assert 3 <= windows <= 5
    assert np.float32(0.9) <= confidence <= 1


def test_a_class_that_is_not_there_is_refused_as_ever(board: Board) -> None:
    board.sense(0.1 * noise(32, 51), gap=True)
    for index in (2, -2, -32768, 32767):
        assert refused(board.ask(LABEL, label(index, 5))) == (-3, "class")
        assert refused(board.ask(LABEL_BACK, struct.pack("<hH", index, 5))) == (-3, "class")
    assert refused(board.ask(LABEL_BACK, struct.pack("<hH", -1, 5))) == (-3, "class")


@pytest.mark.parametrize(
    ("opcode", "begin", "end"),
    [
        (FINE_TUNE, struct.pack("<I", 5), struct.pack("<I", 0)),
        (CALIBRATE, struct.pack("<II", 0, 30), struct.pack("<II", 0, 0)),
    ],
)
def test_what_was_just_an_anomaly_is_to_become_normal(
    opcode: int, begin: bytes, end: bytes
) -> None:
    board = Board()
    board.hello()
    board.ask(SETTING_SET, struct.pack("<HHf", SETTINGS["anomaly.detector"].id, 0, 0.0))
    board.ask(SETTING_SET, struct.pack("<HHf", SETTINGS["anomaly.threshold"].id, 0, 1e-6))
    assert board.ask(opcode, begin).body == bytes(4)
    board.ask(opcode, end)
    board.ask(FEED_BEGIN)
    for seed in range(5):
        board.ask(29, feed(noise(40, seed)))
    assert board.ask(WATCH).body[36] == 1  # an alarm stands
    assert board.ask(opcode, begin).body == b"\1\0\0\0"
    assert board.ask(opcode, end).body == bytes(4)
