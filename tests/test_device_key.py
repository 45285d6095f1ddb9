"""The board's key: kept in flash through a power cut at whatever operation, and gone when it is."""

from __future__ import annotations

import random
import struct
import zlib

import pytest
from board_in_process import OK, UNLOADED, Board, name, refused
from boards_with_flash import (
    FLASH_FAILED,
    HEADER_BYTES,
    KEY_PAGES,
    NAME_PAGES,
    NOT_FOUND,
    PAGE_BYTES,
    MemoryFlash,
    SavingBoard,
    slot_pages,
)
from hypothesis import given
from hypothesis import strategies as st
from session_by_hand import key_id
from wire_by_hand import ACCESS, ACCESS_SET, CLASS_ADD, FACTORY_RESET, HARDWARE, NAME_SET, PAIR

LEARNED_PAGES = 3 * slot_pages()
KEY_AT = LEARNED_PAGES * PAGE_BYTES
RECORD_BYTES = 40  # pairings, reading, key
NO_ID = bytes(8)
UNPAIRED = (0, NO_ID, 0)
PAIRED, SHUT = 1, 8


@pytest.fixture
def flash() -> MemoryFlash:
    return MemoryFlash(LEARNED_PAGES + KEY_PAGES + NAME_PAGES)


def access(board: Board) -> tuple[int, bytes, int]:
    """Whether it is paired and reading shut, which key it has, and how many it had."""
    flags, _, _, found, pairings = struct.unpack_from("<BBH8sI", board.ask(ACCESS).body)
    return flags & (PAIRED | SHUT), found, pairings


def name_of(board: Board) -> str:
    return board.ask(HARDWARE).body[20:].rstrip(b"\0").decode()


def boot(flash: MemoryFlash, seed: int) -> SavingBoard:
    """A board that makes keys of its own, as each boot has a seed of its own."""
    board = SavingBoard(flash)
    board.give_random(random.Random(seed).randbytes(32))
    return board


@pytest.mark.parametrize("model", [None, UNLOADED])
def test_a_key_outlives_the_power(flash: MemoryFlash, model: bytes | None) -> None:
    board = SavingBoard(flash, model)
    assert access(board) == UNPAIRED
    keys = [board.pair()]
    for pairings in range(1, 4):
        assert access(board) == (PAIRED, key_id(keys[-1]), pairings)
        board = SavingBoard(flash, model)
        board.give_random(bytes([pairings]) * 31 + b"x")
        assert access(board) == (PAIRED, key_id(keys[-1]), pairings)
        board.authenticate(keys[-1])
        keys.append(board.pair(rotate=True))
        board.hello(nonce=pairings + 1)
    assert len(set(keys)) == 4
    assert not any(flash.erases[:LEARNED_PAGES])
    assert not any(flash.erases[LEARNED_PAGES + KEY_PAGES :])


def test_a_record_is_as_specified_and_the_one_before_is_gone(flash: MemoryFlash) -> None:
    board = SavingBoard(flash)
    first, second = board.pair(), board.pair(rotate=True)
    pages = [bytes(flash.content[KEY_AT + at :][:PAGE_BYTES]) for at in (0, PAGE_BYTES)]
    content = struct.pack("<II", 2, 0) + second
    fields = struct.unpack_from("<II4sHHII8s", pages[1])
    erases = fields[0]
    assert fields == (
        erases,
        ~erases & 0xFFFFFFFF,
        b"TOLR",
        1,
        0,
        2,
        RECORD_BYTES,
        b"KEY\0\0\0\0\0",
    )
    assert struct.unpack_from("<I", pages[1], 32) == (zlib.crc32(pages[1][:32] + content),)
    assert pages[1][36:] == (b"DONE" + content).ljust(PAGE_BYTES - 36, b"\xff")
    assert pages[0][8:].strip(b"\xff") == b""
    assert first not in bytes(flash.content)


def test_without_flash_of_its_own_a_key_lives_as_long_as_the_board() -> None:
    board = Board()
    board.hello()
    key = board.pair()
    assert access(board) == (PAIRED, key_id(key), 1)


@pytest.mark.parametrize("pages", [1, NAME_PAGES, NAME_PAGES + KEY_PAGES - 1])
def test_where_there_is_no_room_for_a_key_none_is_made(pages: int) -> None:
    board = SavingBoard(MemoryFlash(pages), UNLOADED)
    assert refused(board.ask(PAIR, bytes(4))) == (-14, "key")
    assert access(board) == UNPAIRED


def change(board: SavingBoard, what: str, key: bytes | None) -> bool:
    """Pairs, rotates or shuts reading; False where the flash failed."""
    if what == "shut":
        assert key is not None
        board.authenticate(key)
        reply = board.ask(ACCESS_SET, bytes([1, 0, 0, 0]))
    else:
        reply = board.ask(PAIR, bytes([what == "rotate", 0, 0, 0]))
    assert reply.status in (OK, FLASH_FAILED)
    return reply.status == OK


@pytest.mark.parametrize("what", ["pair", "rotate", "shut"])
def test_the_power_fails_at_every_operation_of_a_change(flash: MemoryFlash, what: str) -> None:
    """What was so, or what was asked for, and never less."""
    rng = random.Random(1)
    board = SavingBoard(flash)
    board.save()
    state = board.state()
    key = None if what == "pair" else board.pair()
    before = access(board)
    content = bytes(flash.content)

    board, start = boot(flash, 1), flash.operations
    assert change(board, what, key)
    n_operations = flash.operations - start
    board.hello(nonce=2)
    after = access(board)
    outcomes = []
    for operation in [*range(1, n_operations + 1)] * 4 + [1] * 20 + [n_operations] * 20:
        flash.content[:] = content
        board = boot(flash, 1)
        assert access(board) == before
        flash.cut_at(operation, seed=rng.randrange(1, 1 << 32))
        change(board, what, key)
        board = boot(flash, 2)
        found = access(board)
        assert found in (before, after)
        outcomes.append((operation, found == after))
        assert board.state() == state
        # Whatever the cut left: the next key counts, now and after the next boot.
        newest = board.pair(rotate=found[2] > 0)
        assert access(SavingBoard(flash))[1] == key_id(newest)
    # The record counts from its last word on; behind that come the erase of the older one's page
    # and the two words that count it.
    last_word = n_operations - 3
    assert not any(new for operation, new in outcomes if operation < last_word)
    assert all(new for operation, new in outcomes if operation > last_word)


def test_the_power_fails_at_every_operation_of_a_factory_reset(flash: MemoryFlash) -> None:
    """While anything learned is left, so is the key; no older key or name comes back."""
    rng = random.Random(2)
    board = SavingBoard(flash)
    fresh = board.state()
    keys = [board.pair(), board.pair(rotate=True)]
    board.hello(nonce=2)
    board.authenticate(keys[-1])
    for label in ("a", "b"):
        board.ask(CLASS_ADD, name(label))
        board.ask(NAME_SET, name(f"board {label}"))
        board.save()
    learned = board.state()
    content = bytes(flash.content)

    start = flash.operations
    assert board.ask(FACTORY_RESET, b"RSET").status == OK
    n_operations = flash.operations - start
    board.hello(nonce=3)
    assert (access(board), board.state(), name_of(board)) == (UNPAIRED, fresh, "")
    for operation in [*range(1, n_operations + 1)] * 10:
        flash.content[:] = content
        board = SavingBoard(flash)
        flash.cut_at(operation, seed=rng.randrange(1, 1 << 32))
        assert board.ask(FACTORY_RESET, b"RSET").status == FLASH_FAILED
        board = SavingBoard(flash)
        assert board.state() in (learned, fresh)
        assert name_of(board) in ("board b", "")
        assert access(board) in ((PAIRED, key_id(keys[-1]), 2), UNPAIRED)
        if access(board) == UNPAIRED:
            assert (board.state(), name_of(board)) == (fresh, "")
        assert board.ask(FACTORY_RESET, b"RSET").status == OK
        board = SavingBoard(flash)
        assert (access(board), board.state(), name_of(board)) == (UNPAIRED, fresh, "")


@given(st.integers(0, KEY_PAGES * PAGE_BYTES - 1), st.integers(1, 255))
def test_a_damaged_key_is_no_key_and_an_older_one_does_not_come_back(at: int, flipped: int) -> None:
    flash = MemoryFlash(KEY_PAGES + NAME_PAGES)
    board = SavingBoard(flash, UNLOADED)
    keys = [board.pair(), board.pair(rotate=True)]
    flash.content[at] = bytes([flash.content[at][0] ^ flipped])
    hit = PAGE_BYTES <= at < PAGE_BYTES + HEADER_BYTES + RECORD_BYTES
    board = SavingBoard(flash, UNLOADED)
    assert access(board) == (UNPAIRED if hit else (PAIRED, key_id(keys[1]), 2))
    newest = board.pair(rotate=not hit)
    assert access(SavingBoard(flash, UNLOADED))[1] == key_id(newest)


@pytest.mark.parametrize("content", [b"", bytes(4), bytes(36), bytes(44)])
def test_a_whole_record_that_holds_no_key_counts_as_none(
    flash: MemoryFlash, content: bytes
) -> None:
    head = struct.pack("<II4sHHII8s", 1, ~1 & 0xFFFFFFFF, b"TOLR", 1, 0, 1, len(content), b"KEY")
    crc = struct.pack("<I", zlib.crc32(head + content))
    record = head + crc + b"DONE" + content
    flash.content[KEY_AT : KEY_AT + len(record)] = record
    board = SavingBoard(flash)
    assert access(board) == UNPAIRED
    assert access(board)[1] != key_id(board.pair())
    assert access(SavingBoard(flash))[0] == PAIRED


def test_the_same_setting_again_wears_no_flash_and_rotation_keeps_it(flash: MemoryFlash) -> None:
    board = SavingBoard(flash)
    key = board.pair()
    board.hello(nonce=2)
    board.authenticate(key)
    before = flash.operations
    board.ask(ACCESS_SET, bytes(4))
    assert flash.operations == before
    board.ask(ACCESS_SET, bytes([1, 0, 0, 0]))
    assert access(board) == (PAIRED | SHUT, key_id(key), 1)
    before = flash.operations
    board.ask(ACCESS_SET, bytes([1, 0, 0, 0]))
    assert flash.operations == before
    rotated = board.pair(rotate=True)
    assert access(SavingBoard(flash)) == (PAIRED | SHUT, key_id(rotated), 2)


def test_flash_that_holds_nothing_more_is_told_and_the_key_stays(flash: MemoryFlash) -> None:
    board = SavingBoard(flash)
    key = board.pair()
    flash.stick(KEY_AT + PAGE_BYTES + 8)  # where the record's magic would be
    assert refused(board.ask(PAIR, bytes([1, 0, 0, 0]))) == (FLASH_FAILED, "flash")
    assert access(board) == (PAIRED, key_id(key), 1)
    assert access(SavingBoard(flash)) == (PAIRED, key_id(key), 1)


def test_a_factory_reset_erases_what_any_model_has_learned() -> None:
    """A board whose model is missing or another one, and pages that are in nobody's slot."""
    for model, more in ((UNLOADED, 0), (None, 2)):
        flash = MemoryFlash(LEARNED_PAGES + more + KEY_PAGES + NAME_PAGES)
        learned = SavingBoard(flash)
        learned.ask(CLASS_ADD, name("a"))
        learned.save()
        flash.content[KEY_AT : KEY_AT + more * PAGE_BYTES] = b"x" * more * PAGE_BYTES
        board = SavingBoard(flash, model)
        board.pair()
        assert board.ask(FACTORY_RESET, b"RSET").status == OK
        for page in range(LEARNED_PAGES + more + KEY_PAGES):
            content = bytes(flash.content[page * PAGE_BYTES : (page + 1) * PAGE_BYTES])
            assert content[8:].strip(b"\xff") == b""  # behind the count of its erases
        assert SavingBoard(flash).found == NOT_FOUND
