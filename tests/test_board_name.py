"""The board's name: kept in flash through a power cut at whatever operation, and never another."""

from __future__ import annotations

import random
import struct
import unicodedata
import zlib

import pytest
from board_in_process import OK, UNLOADED, Board, refused
from boards_with_flash import (
    FLASH_FAILED,
    HEADER_BYTES,
    KEY_PAGES,
    NAME_PAGES,
    PAGE_BYTES,
    UNSUPPORTED,
    MemoryFlash,
    SavingBoard,
    slot_pages,
)
from hypothesis import given
from hypothesis import strategies as st
from names_of_boards import NAMES, payload, record_bytes
from wire_by_hand import HARDWARE, NAME_SET

BAD_NAME = -5
LEARNED_PAGES = 3 * slot_pages()
FIRST_PAGE = LEARNED_PAGES + KEY_PAGES


def name_of(board: Board) -> str:
    field: bytes = board.ask(HARDWARE).body[20:]
    assert len(field) == 24
    name, _, padding = field.partition(b"\0")
    assert padding.strip(b"\0") == b""
    return name.decode()


def named(board: Board, name: str | bytes) -> bool:
    """False where the flash failed."""
    reply = board.ask(NAME_SET, payload(name))
    assert reply.status in (OK, FLASH_FAILED)
    return reply.status == OK


@pytest.fixture
def flash() -> MemoryFlash:
    return MemoryFlash(FIRST_PAGE + NAME_PAGES)


@pytest.mark.parametrize("model", [None, UNLOADED])
def test_a_board_goes_by_the_name_it_was_given_last(
    flash: MemoryFlash, model: bytes | None
) -> None:
    board = SavingBoard(flash, model)
    assert name_of(board) == ""
    for name in NAMES:
        assert named(board, name)
        assert name_of(board) == name
        if len(name) % 2:
            board = SavingBoard(flash, model)
            assert name_of(board) == name
    assert not any(flash.erases[:FIRST_PAGE])


def test_without_flash_a_name_lives_as_long_as_the_board() -> None:
    board = Board()
    board.hello()
    for name in NAMES * 5:
        assert named(board, name)
        assert name_of(board) == name


@pytest.mark.parametrize(
    "bad",
    [
        "x" * 21,
        "x" * 255,
        "\N{SNOWMAN}" * 7,
        "two\nlines",
        "\0",
        "\x7f",
        "\x85",
        "\N{RIGHT-TO-LEFT OVERRIDE}x",
        "\N{LINE SEPARATOR}",
        b"\xff",
        b"\xc3",
        b"\xc0\x80",
        b"\xed\xa0\x80",
    ],
)
def test_what_is_no_name_is_refused(flash: MemoryFlash, bad: str | bytes) -> None:
    board = SavingBoard(flash)
    named(board, "good")
    before = flash.operations
    reply = board.ask(NAME_SET, payload(bad))
    assert refused(reply) == (BAD_NAME, "name")
    assert struct.unpack_from("<II", reply.body, 32) == (20, len(payload(bad)) - 1)
    assert name_of(board) == "good"
    assert flash.operations == before
    assert name_of(SavingBoard(flash)) == "good"


@given(st.binary(max_size=24))
def test_only_what_is_a_name_is_ever_kept(raw: bytes) -> None:
    flash = MemoryFlash(NAME_PAGES)
    board = SavingBoard(flash, UNLOADED)
    if board.ask(NAME_SET, payload(raw)).status == OK:
        assert len(raw) <= 20
        assert not {unicodedata.category(char) for char in raw.decode()} & {"Cc", "Zl", "Zp"}
        assert name_of(board) == name_of(SavingBoard(flash, UNLOADED)) == raw.decode()
    else:
        assert name_of(board) == name_of(SavingBoard(flash, UNLOADED)) == ""


def test_a_record_is_as_specified(flash: MemoryFlash) -> None:
    board = SavingBoard(flash)
    for name in ("x", "Lüfter", ""):
        named(board, name)
    first, second = (
        bytes(flash.content[page * PAGE_BYTES : (page + 1) * PAGE_BYTES])
        for page in (FIRST_PAGE, FIRST_PAGE + 1)
    )
    for record, erases, sequence, content in (
        (second, 1, 2, b"\x07L\xc3\xbcfter"),
        (first, 2, 3, bytes(4)),
    ):
        fields = struct.unpack_from("<II4sHHII8s", record)
        key = b"NAME\0\0\0\0"
        assert fields == (erases, erases ^ 0xFFFFFFFF, b"TOLR", 1, 0, sequence, len(content), key)
        assert record[HEADER_BYTES : HEADER_BYTES + len(content)] == content
        assert struct.unpack_from("<I", record, 32) == (zlib.crc32(record[:32] + content),)
        assert record[36:40] == b"DONE"
        assert record[HEADER_BYTES + len(content) :].strip(b"\xff") == b""


def test_the_power_fails_at_every_operation_of_every_naming(flash: MemoryFlash) -> None:
    """Within an erase any bytes are left, within a word any of the bits that it clears."""
    rng = random.Random(1)
    learned = SavingBoard(flash)
    learned.save()
    state = learned.state()
    before = ""
    for after, next_one in zip(NAMES[:6], NAMES[1:7], strict=True):
        content = bytes(flash.content)
        board, start = SavingBoard(flash), flash.operations
        assert named(board, after)
        n_operations = flash.operations - start
        assert n_operations == 1 + (HEADER_BYTES + record_bytes(after)) // 4
        whole = bytes(flash.content)
        outcomes = []
        for operation in [*range(1, n_operations + 1)] * 4 + [1] * 20 + [n_operations] * 20:
            flash.content[:] = content
            board = SavingBoard(flash)
            assert name_of(board) == before
            flash.cut_at(operation, seed=rng.randrange(1, 1 << 32))
            assert not named(board, after)
            board = SavingBoard(flash)
            found = name_of(board)
            assert found in (before, after)
            outcomes.append((operation, found == after))
            assert board.state() == state
            assert named(board, next_one)
            assert name_of(SavingBoard(flash)) == next_one
        # Only the last word makes the new name count.
        assert not any(new for operation, new in outcomes if operation < n_operations)
        flash.content[:] = whole
        before = after


@given(
    st.lists(
        st.tuples(
            st.integers(0, len(NAMES) - 1),
            st.integers(0, 20),  # cut at; 0: not
            st.integers(1, 2**32 - 1),
            st.booleans(),  # switched off and on afterwards, or the flash alone recovers
        ),
        min_size=1,
        max_size=10,
    )
)
def test_any_sequence_of_names_and_cuts(steps: list[tuple[int, int, int, bool]]) -> None:
    flash = MemoryFlash(NAME_PAGES)
    flash.content[:] = random.Random(len(steps)).randbytes(len(flash.content))  # as it came
    board, kept = SavingBoard(flash, UNLOADED), ""
    for which, cut_at, seed, reboot in steps:
        name = NAMES[which]
        flash.cut_at(cut_at, seed)
        done = named(board, name)
        if done:
            kept = name
        else:
            assert name_of(board) == kept  # what is answered is what was so far
        if reboot:
            board = SavingBoard(flash, UNLOADED)
            assert name_of(board) in (kept, kept if done else name)
            kept = name_of(board)
        else:
            flash.power_on()
            # Whatever the flash holds: the same name again makes it certain.
            assert named(board, kept)
            assert name_of(SavingBoard(flash, UNLOADED)) == kept
            board = SavingBoard(flash, UNLOADED)


@given(st.integers(0, 2 * PAGE_BYTES - 1), st.integers(1, 255))
def test_a_damaged_record_is_passed_over_for_the_one_before(at: int, flipped: int) -> None:
    flash = MemoryFlash(NAME_PAGES)
    board = SavingBoard(flash, UNLOADED)
    for name in ("first", "second"):
        named(board, name)
    flash.content[at] = bytes([flash.content[at][0] ^ flipped])
    hit = PAGE_BYTES <= at < PAGE_BYTES + HEADER_BYTES + record_bytes("second")
    board = SavingBoard(flash, UNLOADED)
    assert name_of(board) == ("first" if hit else "second")
    assert named(board, "third")
    assert name_of(SavingBoard(flash, UNLOADED)) == "third"


@pytest.mark.parametrize(
    "content",
    [
        b"\x03a\nb",  # no name
        b"\xff" + b"a" * 23,
        b"\x15" + b"a" * 21 + bytes(2),  # too long
        b"\x03abc" + bytes(4),  # of another length
        b"\x07abc",
        b"",
    ],
)
def test_a_whole_record_that_holds_no_name_counts_as_none(
    flash: MemoryFlash, content: bytes
) -> None:
    header = struct.pack("<II4sHHII8s", 1, ~1 & 0xFFFFFFFF, b"TOLR", 1, 0, 1, len(content), b"NAME")
    crc = struct.pack("<I", zlib.crc32(header + content))
    at = FIRST_PAGE * PAGE_BYTES
    record = header + crc + b"DONE" + content
    flash.content[at : at + len(record)] = record
    board = SavingBoard(flash)
    assert name_of(board) == ""
    assert named(board, "Keller")
    assert name_of(SavingBoard(flash)) == "Keller"


def test_the_same_again_wears_no_flash_and_others_wear_both_pages(flash: MemoryFlash) -> None:
    board = SavingBoard(flash)
    for name in ("", "", "a", "a", "a"):
        assert named(board, name)
    assert flash.erases[FIRST_PAGE:] == [1, 0]
    board = SavingBoard(flash)
    for i in range(40):
        assert named(board, f"name {i // 2}")
    assert flash.erases[FIRST_PAGE:] == [11, 10]


def test_flash_that_holds_nothing_more_is_told_and_the_last_name_stays(
    flash: MemoryFlash,
) -> None:
    board = SavingBoard(flash)
    assert named(board, "first")
    flash.stick((FIRST_PAGE + 1) * PAGE_BYTES + HEADER_BYTES)
    assert refused(board.ask(NAME_SET, payload("second"))) == (FLASH_FAILED, "flash")
    assert name_of(board) == "first"
    assert name_of(SavingBoard(flash)) == "first"


@pytest.mark.parametrize("n_pages", [0, 1])
def test_a_region_without_two_pages_keeps_no_name(n_pages: int) -> None:
    board = SavingBoard(MemoryFlash(n_pages), UNLOADED)
    for name in ("a", "", "x" * 21):
        assert refused(board.ask(NAME_SET, payload(name))) == (UNSUPPORTED, "name")
    assert name_of(board) == ""
