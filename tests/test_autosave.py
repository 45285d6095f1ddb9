"""When a board saves by itself: when a peer leaves, and once an hour, if it has learned."""

from __future__ import annotations

import struct

import pytest
from board_in_process import OK, name, noise
from boards_with_flash import (
    FAILED,
    GOODBYE,
    OWN_PAGES,
    THERE,
    UNSAVED,
    MemoryFlash,
    SavingBoard,
    slot_pages,
)
from hypothesis import given
from hypothesis import strategies as st
from wire_by_hand import CLASS_ADD, IMAGE_GET, IMAGE_READ, LABEL, RESET, SETTING_SET, UNTIL_STOPPED

from tinyol_sim._core import lib

HOUR_MS = 3_600_000
BURST = 16
LEARN = (LABEL, struct.pack("<hHI", 0, 0, UNTIL_STOPPED))


@pytest.fixture
def flash() -> MemoryFlash:
    return MemoryFlash(3 * slot_pages() + OWN_PAGES)


def leave(board: SavingBoard, how: str, now_ms: int) -> None:
    if how == "goodbye":
        assert board.ask(GOODBYE, now_ms=now_ms).status == OK
    elif how == "cut":
        lib.tinyol_board_drop(board.handle, 0)
    elif how == "another session":
        board.hello(nonce=99, now_ms=now_ms)
    board.tick(now_ms + (10_001 if how == "silence" else 0))


@pytest.mark.parametrize("how", ["goodbye", "cut", "silence", "another session"])
def test_a_peer_that_leaves_has_what_it_taught_saved(flash: MemoryFlash, how: str) -> None:
    board = SavingBoard(flash)
    board.tick(0)
    board.ask(CLASS_ADD, name("a"))
    state = board.state()
    board.tick(1000)
    assert flash.operations == 0
    leave(board, how, 2000)
    assert SavingBoard(flash).state() == state


def test_a_peer_that_only_looked_costs_no_save(flash: MemoryFlash) -> None:
    board = SavingBoard(flash)
    board.sense(noise(100))
    for i in range(5):
        board.stored()
        leave(board, "goodbye", 1000 * i)
        board.hello(nonce=i + 2)
    assert flash.operations == 0
    # ... and a departure is not remembered for what is learned later.
    board.ask(CLASS_ADD, name("a"))
    board.tick(6000)
    assert flash.operations == 0


def learning_alone(flash: MemoryFlash, now_ms: int) -> SavingBoard:
    """A board whose peer has left, and that goes on learning."""
    board = SavingBoard(flash, now_ms=now_ms)
    board.tick(now_ms)
    board.ask(CLASS_ADD, name("a"), now_ms=now_ms)
    board.ask(*LEARN, now_ms=now_ms)
    board.ask(GOODBYE, now_ms=now_ms)
    board.tick(now_ms)
    return board


def count_saves(flash: MemoryFlash) -> int:
    """A save erases all pages of a slot, and no page wears otherwise."""
    return sum(flash.erases) // slot_pages()


@pytest.mark.parametrize("start_ms", [0, 5000, 2**31 - HOUR_MS, 2**32 - HOUR_MS // 2])
def test_every_hour_while_it_learns_also_when_the_clock_wraps(
    flash: MemoryFlash, start_ms: int
) -> None:
    board = learning_alone(flash, start_ms)
    assert count_saves(flash) == 1
    for minute in range(1, 5 * 60 + 1):
        board.sense(noise(12, minute))
        board.tick(start_ms + minute * 60_000)
        assert count_saves(flash) == 1 + minute // 60
    state = board.state()
    assert SavingBoard(flash).state() == state


def test_no_save_in_hours_without_a_lesson(flash: MemoryFlash) -> None:
    board = learning_alone(flash, 0)
    board.hello(nonce=3)
    board.ask(LABEL, struct.pack("<hHI", -1, 0, 0))
    for hour in range(1, 5):
        board.sense(noise(60))
        board.tick(hour * HOUR_MS)
    assert count_saves(flash) == 1


def test_what_was_saved_on_request_is_not_saved_again(flash: MemoryFlash) -> None:
    board = SavingBoard(flash)
    board.tick(0)
    board.ask(CLASS_ADD, name("a"))
    assert board.save().status == OK
    leave(board, "goodbye", 1000)
    board.tick(HOUR_MS)
    assert count_saves(flash) == 1


def test_peers_that_come_and_go_all_day_do_not_wear_the_flash_out(flash: MemoryFlash) -> None:
    board = SavingBoard(flash)
    board.tick(0)
    for second in range(0, 10 * 3600, 20):
        now_ms = second * 1000
        board.hello(nonce=second + 2, now_ms=now_ms)
        value = 0.01 + (second % 7) / 100
        assert board.ask(SETTING_SET, struct.pack("<HHf", 1, 0, value), now_ms=now_ms).status == OK
        board.ask(GOODBYE, now_ms=now_ms)
        board.tick(now_ms)
        hours = second // 3600
        assert count_saves(flash) <= BURST + hours
    assert count_saves(flash) == BURST + 9
    # What the last of them changed is saved when the next hour has passed.
    state = board.state()
    board.tick(10 * HOUR_MS)
    assert SavingBoard(flash).state() == state


@given(st.lists(st.integers(1, 50_000_000), min_size=1, max_size=60), st.integers(0, 2**32 - 1))
def test_never_more_than_the_credit_however_time_passes(steps_ms: list[int], start: int) -> None:
    flash = MemoryFlash(3 * slot_pages() + OWN_PAGES)
    board = learning_alone(flash, start)
    passed_ms = 0
    for step_ms in steps_ms:
        passed_ms += step_ms
        board.sense(noise(12))
        board.tick(start + passed_ms)
        assert count_saves(flash) <= 1 + passed_ms // HOUR_MS


def test_an_image_on_its_way_is_not_disturbed(flash: MemoryFlash) -> None:
    board = SavingBoard(flash)
    board.hello(link=1, nonce=2)
    board.tick(0)
    board.ask(CLASS_ADD, name("a"))
    length, _ = struct.unpack("<II", board.ask(IMAGE_GET, link=1).body)
    expected = board.state()
    board.ask(RESET)
    board.ask(GOODBYE)
    board.tick(1000)
    assert flash.operations == 0
    image = b"".join(
        board.ask(IMAGE_READ, struct.pack("<II", at, min(400, length - at)), link=1).body
        for at in range(0, length, 400)
    )
    assert image == expected
    board.tick(2000)
    assert SavingBoard(flash).state() == board.state()


def test_flash_that_fails_is_tried_again_in_an_hour_only(flash: MemoryFlash) -> None:
    board = learning_alone(flash, 0)
    saved = board.state()
    for page in range(flash.n_pages):
        flash.stick(page * flash.page_bytes + 50)
    tries = []
    for minute in range(1, 121):
        board.sense(noise(12, minute))
        before = flash.operations
        board.tick(minute * 60_000)
        if flash.operations > before:
            tries.append(minute)
    assert tries == [60, 120]
    board.hello(nonce=5)
    assert board.stored()[2] == THERE | UNSAVED | FAILED
    assert SavingBoard(flash).state() == saved
