"""What a board says of its hardware, the conditions that stand, and where it is."""

from __future__ import annotations

import struct

import pytest
from board_in_process import CHANGED, LOG, OK, UNLOADED, Board, feed, name, noise, refused
from small_replay import small_bundle
from wire_by_hand import (
    CLASS_ADD,
    CONDITION,
    FEED,
    FEED_BEGIN,
    HARDWARE,
    LOCATE,
    NAME_SET,
)

from tinyol_sim._core import lib

GOODBYE, STREAM, SESSION_BEGIN = 4, 24, 33
NOT_FOUND, UNSUPPORTED, MALFORMED, BUSY = -3, -14, -15, -17
STREAM_LOG, STREAM_ALL = b"\x08", b"\x0f"
INFORMATION, WARNING, ERROR = 1, 2, 3
RUNNING, STUCK = 1, 4
LED, SENSOR, MODEL = 8, 4, 16


@pytest.fixture
def board() -> Board:
    board = Board()
    board.hello()
    return board


def conditions(board: Board) -> list[tuple[int, str]]:
    """Level and text of each, asked for one by one; HARDWARE and each reply say how many."""
    n, found = board.ask(HARDWARE).body[1], []
    for number in range(n):
        reply = board.ask(CONDITION, bytes([number]))
        level, standing, zero = struct.unpack_from("<BBH", reply.body)
        assert (reply.status, standing, zero) == (OK, n, 0)
        found.append((level, reply.body[4:].decode()))
    assert refused(board.ask(CONDITION, bytes([n]))) == (NOT_FOUND, "condition")
    assert refused(board.ask(CONDITION, b"\xff")) == (NOT_FOUND, "condition")
    return found


def logged(board: Board, link: int = 0) -> list[tuple[int, str]]:
    return [(body[0], body[12:].decode()) for body in board.told(LOG, link)]


def test_what_hardware_tells(board: Board) -> None:
    body = board.ask(HARDWARE).body
    sensor, standing, zero, rate, dropped, used, size, text = struct.unpack("<BBHfIII24s", body)
    assert (sensor, standing, zero, rate, dropped) == (0, 0, 0, 0.0, 0)
    assert used == size > 0
    assert text == bytes(24)

    lib.tinyol_board_give_sensor(board.handle, 104.0)
    lib.tinyol_board_set_hardware(board.handle, STUCK, 2**32 - 1, 1000, 2048)
    body = board.ask(HARDWARE).body
    assert struct.unpack("<BBHfIII", body[:20]) == (STUCK, 0, 0, 104.0, 2**32 - 1, 1000, 2048)


def test_capabilities(board: Board) -> None:
    assert struct.unpack_from("<I", board.hello().body, 8) == (MODEL | 1,)
    lib.tinyol_board_give_sensor(board.handle, 104.0)
    lib.tinyol_board_give_led(board.handle)
    assert struct.unpack_from("<I", board.hello().body, 8) == (MODEL | LED | SENSOR | 1,)
    # The rate is still the model's.
    assert struct.unpack_from("<f", board.hello().body, 24) == (small_bundle().pipeline.rate_hz,)
    assert board.ask(HARDWARE).body[0] == RUNNING


def test_conditions_stand_until_they_are_taken_back(board: Board) -> None:
    assert conditions(board) == []
    board.set_condition(2, ERROR, "no sensor")
    board.set_condition(0, WARNING, "last run: Lüfter")
    assert conditions(board) == [(WARNING, "last run: Lüfter"), (ERROR, "no sensor")]
    board.set_condition(0, WARNING, "")
    assert conditions(board) == [(ERROR, "no sensor")]
    for slot in range(5):
        board.set_condition(slot, INFORMATION, f"slot {slot}")
    assert conditions(board) == [(INFORMATION, f"slot {slot}") for slot in range(5)]
    for slot in (-1, 5, 1 << 20):  # there are no such slots
        board.set_condition(slot, ERROR, "nowhere")
    assert len(conditions(board)) == 5
    for slot in range(5):
        board.set_condition(slot, INFORMATION, "")
    assert conditions(board) == []


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("x" * 80, "x" * 80),
        ("x" * 81, "x" * 80),
        ("x" * 300, "x" * 80),
        ("x" * 79 + "ü", "x" * 79),  # a character that does not fit whole
        ("x" * 78 + "ü!", "x" * 78 + "ü"),
        ("x" * 77 + "\N{SNOWMAN}" * 2, "x" * 77 + "\N{SNOWMAN}"),
        ("x" * 78 + "\N{SNOWMAN}", "x" * 78),
    ],
)
def test_80_bytes_of_a_text_are_told(given: str, kept: str) -> None:
    board = Board(max_message=136)  # the shortest link carries them
    board.hello()
    board.ask(STREAM, STREAM_LOG)
    board.set_condition(1, ERROR, given)
    assert logged(board) == [(ERROR, kept)]
    assert conditions(board) == [(ERROR, kept)]
    board.set_condition(1, ERROR, given)
    assert logged(board) == []  # the same again


def test_a_long_text_that_is_no_utf8_still_stands() -> None:
    board = Board()
    board.hello()
    board.ask(STREAM, STREAM_LOG)
    board.set_condition(0, ERROR, "\udc8a" * 120)
    assert board.ask(HARDWARE).body[1] == 1  # stands


def test_who_is_told_of_a_condition_and_when(board: Board) -> None:
    board.hello(link=1, nonce=2)
    board.ask(STREAM, STREAM_LOG)
    assert logged(board) == []
    board.set_condition(0, WARNING, "sensor: silent")
    assert logged(board) == [(WARNING, "sensor: silent")]
    assert logged(board, link=1) == []
    board.set_condition(0, WARNING, "sensor: silent")  # the same again
    assert logged(board) == []
    board.set_condition(0, ERROR, "sensor: silent")
    board.set_condition(0, ERROR, "sensor: missing")
    board.set_condition(3, INFORMATION, "model: none")
    said = [(ERROR, "sensor: silent"), (ERROR, "sensor: missing"), (INFORMATION, "model: none")]
    assert logged(board) == said
    # To a link that begins to listen, and to it alone.
    for opcode in (STREAM, SESSION_BEGIN):
        assert board.ask(opcode, STREAM_ALL, link=1).status == OK
        assert logged(board, link=1) == said[1:]
        assert board.ask(opcode, STREAM_LOG, link=1).status == OK
        assert logged(board, link=1) == []
        board.ask(STREAM, b"\x07", link=1)
    assert logged(board) == []
    # A peer that comes back listens anew.
    board.ask(GOODBYE)
    board.hello(nonce=3)
    board.ask(STREAM, STREAM_LOG)
    assert logged(board) == said[1:]
    # What was taken back and came up again is told again, its end is not.
    board.set_condition(0, ERROR, "")
    assert logged(board) == []
    board.set_condition(0, ERROR, "sensor: missing")
    assert logged(board) == [(ERROR, "sensor: missing")]


def test_every_condition_is_logged_whatever_was_logged_just_now(board: Board) -> None:
    """They are no kinds of messages that come once in 1,000 samples."""
    board.ask(STREAM, STREAM_LOG)
    for i in range(20):
        board.set_condition(0, WARNING, f"change {i}")
    assert len(logged(board)) == 20


def test_a_board_without_an_led_cannot_be_located(board: Board) -> None:
    for seconds in (b"\0", b"\x05"):
        assert refused(board.ask(LOCATE, seconds)) == (UNSUPPORTED, "led")
    assert not lib.tinyol_board_locating(board.handle, 0)


@pytest.mark.parametrize("start_ms", [0, 5000, 2**31 - 500, 2**32 - 500])
def test_the_led_blinks_for_as_long_as_was_asked(board: Board, start_ms: int) -> None:
    lib.tinyol_board_give_led(board.handle)
    board.hello(nonce=2, now_ms=start_ms)

    def locating(after_ms: int) -> bool:
        return bool(lib.tinyol_board_locating(board.handle, (start_ms + after_ms) % 2**32))

    assert not locating(0)
    assert board.ask(LOCATE, b"\x02", now_ms=start_ms).status == OK
    assert [locating(ms) for ms in (-3, 0, 1999, 2000, 5000)] == [True] * 3 + [False] * 2
    assert board.ask(LOCATE, b"\0", now_ms=start_ms).status == OK
    assert not locating(1)
    assert board.ask(LOCATE, b"\xff", now_ms=start_ms).status == OK
    board.tick((start_ms + 254_999) % 2**32)  # the peer is gone meanwhile
    assert [locating(ms) for ms in (254_999, 255_000)] == [True, False]
    # And not again when the clock has gone half round, or all of it.
    board.tick((start_ms + 256_000) % 2**32)
    assert not any(locating(ms) for ms in (2**31 + 1, 2**32 - 1000, 2**32 + 1000))


def test_they_are_executed_while_another_feeds_and_change_nothing(board: Board) -> None:
    lib.tinyol_board_give_led(board.handle)
    board.hello()
    board.hello(link=1, nonce=2)
    board.ask(STREAM, STREAM_ALL)
    board.ask(FEED_BEGIN)
    board.ask(FEED, feed(noise(10)))
    assert board.ask(CLASS_ADD, name("a"), link=1).status == BUSY
    board.set_condition(0, WARNING, "something")
    for link in (0, 1):
        board.told(CHANGED, link)
    before = board.state()
    for opcode, payload in (
        (HARDWARE, b""),
        (NAME_SET, name("Lüfter im Keller")),
        (LOCATE, b"\x01"),
        (CONDITION, b"\0"),
    ):
        for link in (0, 1):
            assert board.ask(opcode, payload, link=link).status == OK
    assert board.state() == before
    assert board.told(CHANGED) == board.told(CHANGED, link=1) == []


@pytest.mark.parametrize("model", [None, UNLOADED])
def test_what_is_malformed_is_refused(model: bytes | None) -> None:
    board = Board() if model is None else Board(model=model)
    lib.tinyol_board_give_led(board.handle)
    board.hello()
    for opcode, payload in (
        (HARDWARE, b"\0"),
        (NAME_SET, b""),
        (NAME_SET, b"\x03ab"),
        (NAME_SET, b"\x01ab"),
        (NAME_SET, b"\0a"),
        (LOCATE, b""),
        (LOCATE, b"\x01\0"),
        (CONDITION, b""),
        (CONDITION, b"\0\0"),
    ):
        assert refused(board.ask(opcode, payload)) == (MALFORMED, "payload"), (opcode, payload)
    assert not lib.tinyol_board_locating(board.handle, 0)
    assert board.ask(HARDWARE).body[20:] == bytes(24)
    for opcode in (45, 46, 47, 59, 67):
        assert board.ask(opcode).status == -21


def test_a_repeat_is_answered_from_memory(board: Board) -> None:
    assert board.ask(NAME_SET, name("first")).status == OK
    repeat = board.current(NAME_SET, name("other"))
    assert board.write(repeat)[0].status == OK
    assert board.ask(HARDWARE).body[20:].rstrip(b"\0") == b"first"
