"""What was learned survives the power's end, at whatever operation of the flash it comes."""

from __future__ import annotations

import itertools
import random
import struct
import zlib

import numpy as np
import pytest
from board_in_process import LOG, OK, Board, name, noise, small_model
from boards_with_flash import (
    FAILED,
    FLASH_FAILED,
    HEADER_BYTES,
    NOT_FOUND,
    OWN_PAGES,
    PAGE_BYTES,
    SAVE,
    THERE,
    TOO_SMALL,
    UNSAVED,
    UNSUPPORTED,
    MemoryFlash,
    SavingBoard,
    different_states,
    slot_pages,
)
from hypothesis import given
from hypothesis import strategies as st
from small_replay import small_bundle
from wire_by_hand import (
    CLASS_ADD,
    FINE_TUNE,
    IMAGE_GET,
    IMAGE_READ,
    INFO,
    LABEL,
    LABEL_BACK,
    RESET,
    SETTING_SET,
)

from tinyol_sim.refusals import describe
from tinyol_sim.state_image import StateImage

SLOT = slot_pages()
STATES = different_states(8)
FRESH = Board().state()
BUSY = -17


@pytest.fixture
def flash() -> MemoryFlash:
    return MemoryFlash(3 * SLOT + OWN_PAGES)


def test_a_board_goes_on_from_what_it_saved_last(flash: MemoryFlash) -> None:
    board = SavingBoard(flash)
    assert (board.found, board.state()) == (NOT_FOUND, FRESH)
    for state in STATES:
        board.take(state)
        reply = board.save()
        assert (reply.status, reply.body) == (OK, struct.pack("<I", len(state)))
        board = SavingBoard(flash)
        assert (board.found, board.state()) == (OK, state)


def test_a_record_is_as_specified(flash: MemoryFlash) -> None:
    for state in STATES[:4]:  # the fourth goes to the first slot again
        board = SavingBoard(flash)
        board.take(state)
        board.save()
    record = bytes(flash.content)
    erases, complement, magic, form, zero, sequence, length = struct.unpack_from(
        "<II4sHHII", record
    )
    assert (erases, complement) == (2, 2 ^ 0xFFFFFFFF)
    assert (magic, form, zero, sequence, length) == (b"TOLR", 1, 0, 4, len(STATES[3]))
    assert record[24:32].hex() == small_bundle().model_id
    image = record[HEADER_BYTES : HEADER_BYTES + length]
    assert image == STATES[3]
    assert struct.unpack_from("<I", record, 32) == (zlib.crc32(record[:32] + image),)
    assert record[36:40] == b"DONE"
    assert record[HEADER_BYTES + length : SLOT * PAGE_BYTES].strip(b"\xff") == b""


@pytest.mark.parametrize("n_slots", [2, 3])
def test_the_power_fails_at_every_operation_of_every_save(n_slots: int) -> None:
    """Within an erase any bytes are left, within a word any of the bits that it clears."""
    flash = MemoryFlash(n_slots * SLOT + OWN_PAGES)
    rng = random.Random(1)
    before = FRESH
    for after, next_one in itertools.pairwise(STATES[: n_slots + 2]):
        content = bytes(flash.content)
        board, start = SavingBoard(flash), flash.operations
        board.take(after)
        board.save()
        n_operations = flash.operations - start
        n_words = (HEADER_BYTES + len(after)) // 4
        assert n_operations == SLOT + n_words
        whole = bytes(flash.content)
        outcomes = []
        operations = [*range(1, n_operations + 1)] + [*range(1, SLOT + 1)] * 3
        for operation in operations:
            flash.content[:] = content
            board = SavingBoard(flash)
            assert board.state() == before
            board.take(after)
            flash.cut_at(operation, seed=rng.randrange(1, 1 << 32))
            assert board.save().status == FLASH_FAILED
            board = SavingBoard(flash)
            found = board.state()
            assert found in (before, after)
            outcomes.append(found == after)
            if operation % 10 == 0 or operation > n_operations - 3:
                board.take(next_one)
                assert board.save().status == OK
                assert SavingBoard(flash).state() == next_one
        # Only the last word makes the new state count.
        assert not any(outcomes[: n_operations - 1])
        flash.content[:] = whole
        before = after


@given(
    n_slots=st.integers(2, 5),
    page_bytes=st.sampled_from([64, 256, 1024]),
    steps=st.lists(
        st.tuples(
            st.integers(0, len(STATES) - 1),
            st.one_of(st.just(0), st.integers(1, 300)),  # cut at; 0: not
            st.integers(1, 2**32 - 1),
            st.booleans(),  # switched off and on afterwards
        ),
        min_size=1,
        max_size=8,
    ),
)
def test_any_sequence_of_saves_and_cuts(
    n_slots: int, page_bytes: int, steps: list[tuple[int, int, int, bool]]
) -> None:
    flash = MemoryFlash(n_slots * slot_pages(page_bytes=page_bytes) + OWN_PAGES, page_bytes)
    flash.content[:] = random.Random(n_slots).randbytes(len(flash.content))  # as it came
    board, kept = SavingBoard(flash), FRESH
    for which, cut_at, seed, reboot in steps:
        board.take(STATES[which])
        flash.cut_at(cut_at, seed)
        saved = board.save().status == OK
        cut = not saved
        assert saved or cut_at > 0
        allowed = [STATES[which]] if saved else [kept, STATES[which]]
        if reboot or cut:
            board = SavingBoard(flash)
            kept = board.state()
            assert kept in allowed
        else:
            (kept,) = allowed
            flash.cut_at(0)
    assert SavingBoard(flash).state() == kept


@given(st.integers(0, 3 * SLOT * PAGE_BYTES - 1), st.integers(1, 255))
def test_a_damaged_record_is_passed_over_for_the_one_before(at: int, flipped: int) -> None:
    flash = MemoryFlash(3 * SLOT + OWN_PAGES)
    for state in STATES[:3]:
        board = SavingBoard(flash)
        board.take(state)
        board.save()
    flash.content[at] = bytes([flash.content[at][0] ^ flipped])
    slot, offset = divmod(at, SLOT * PAGE_BYTES)
    hit = slot == 2 and offset < HEADER_BYTES + len(STATES[2])
    board = SavingBoard(flash)
    assert board.state() == (STATES[1] if hit else STATES[2])
    board.take(STATES[4])
    assert board.save().status == OK
    assert SavingBoard(flash).state() == STATES[4]


def test_all_pages_wear_alike_and_the_wear_is_known() -> None:
    flash = MemoryFlash(4 * SLOT + 2 + OWN_PAGES)  # two pages are too few for a slot
    board = SavingBoard(flash)
    for i in range(50):
        if i % 7 == 0:
            board = SavingBoard(flash)
        board.take(STATES[i % len(STATES)])
        board.save()
        used = flash.erases[: 4 * SLOT]
        assert max(used) - min(used) <= 1
        assert board.stored()[1] == max(used)
        assert not any(flash.erases[4 * SLOT :])
    assert board.stored()[:2] == (1, 13)
    assert SavingBoard(flash).stored() == (0, 13, THERE)


def test_wear_stays_level_through_power_cuts(flash: MemoryFlash) -> None:
    rng = random.Random(2)
    for i in range(200):
        board = SavingBoard(flash)
        board.take(STATES[i % len(STATES)])
        flash.cut_at(rng.randrange(SLOT + 1, 500), seed=i + 1)
        board.save()
    used = flash.erases[: 3 * SLOT]
    assert max(used) < 3 * min(used)
    known = SavingBoard(flash).stored()[1]
    assert 0.9 * max(used) <= known <= max(used)


def test_another_models_record_is_never_taken_for_ones_own() -> None:
    flash = MemoryFlash(4 * SLOT + OWN_PAGES)
    other = small_bundle(seed=3).model_image
    assert slot_pages(other) == SLOT
    ours = SavingBoard(flash)
    ours.take(STATES[0])
    ours.save()
    theirs = SavingBoard(flash, other)
    assert theirs.found == NOT_FOUND
    theirs.ask(CLASS_ADD, name("theirs"))
    state = theirs.state()
    assert StateImage.from_bytes(state).model_id != small_bundle().model_id
    assert theirs.save().status == OK
    assert SavingBoard(flash).state() == STATES[0]
    assert SavingBoard(flash, other).state() == state
    # The slots' turns come; the newest record of whoever saves is spared.
    ours = SavingBoard(flash)
    for i in range(1, 6):
        flash.cut_at(100)  # within a save
        ours.take(STATES[7])
        ours.save()
        ours = SavingBoard(flash)
        assert ours.state() == STATES[i - 1]
        ours.take(STATES[i])
        assert ours.save().status == OK
        assert SavingBoard(flash, other).state() in (state, Board(model=other).state())
    assert SavingBoard(flash, other).found == NOT_FOUND
    assert SavingBoard(flash).state() == STATES[5]


@pytest.mark.parametrize("n_pages", [0, 1, SLOT, 2 * SLOT - 1])
def test_a_region_without_two_slots_is_refused(n_pages: int) -> None:
    board = SavingBoard(MemoryFlash(n_pages + OWN_PAGES))
    assert board.found == TOO_SMALL
    assert describe(board.refusal) == (
        "flash: too small in this build"
        f" (needed {2 * SLOT * PAGE_BYTES}, found {n_pages * PAGE_BYTES})"
    )


def test_a_slot_that_does_not_hold_is_passed_over(flash: MemoryFlash) -> None:
    slot_bytes = SLOT * PAGE_BYTES
    for offset in (0, 5, 36, 41, HEADER_BYTES + len(STATES[0]) - 1):
        stuck = MemoryFlash(3 * SLOT + OWN_PAGES)
        stuck.stick(slot_bytes + offset)
        for state in STATES[:6]:
            board = SavingBoard(stuck)
            board.take(state)
            assert board.save().status == OK
            assert SavingBoard(stuck).state() == state


def test_flash_that_holds_nothing_more_is_told_and_the_last_state_stays(
    flash: MemoryFlash,
) -> None:
    board = SavingBoard(flash)
    board.take(STATES[0])
    board.save()
    for slot in (1, 2):
        flash.stick(slot * SLOT * PAGE_BYTES + 41)
    board.ask(24, b"\x08")  # the log
    board.take(STATES[1])
    refused = board.save()
    assert (refused.status, refused.body[:6]) == (FLASH_FAILED, b"flash\0")
    assert board.stored()[2] == THERE | UNSAVED | FAILED
    assert b"save failed" in board.told(LOG)[0]
    assert SavingBoard(flash).state() == STATES[0]


def test_a_board_without_a_store_says_so() -> None:
    board = Board()
    board.hello()
    refused = board.ask(SAVE)
    assert (refused.status, refused.body[:6]) == (UNSUPPORTED, b"store\0")
    assert board.ask(INFO).body[88:] == bytes(12)


def test_a_save_waits_for_the_other_links_image(flash: MemoryFlash) -> None:
    board = SavingBoard(flash)
    board.hello(link=1, nonce=2)
    length, crc = struct.unpack("<II", board.ask(IMAGE_GET, link=1).body)
    refused = board.save()
    assert (refused.status, refused.body[:15]) == (BUSY, b"image transfer\0")
    chunks = [
        board.ask(IMAGE_READ, struct.pack("<II", at, min(400, length - at)), link=1).body
        for at in range(0, length, 400)
    ]
    assert zlib.crc32(b"".join(chunks)) == crc
    assert board.save().status == OK
    # One's own transfer ends.
    board.ask(IMAGE_GET)
    assert board.save().status == OK
    assert board.ask(IMAGE_READ, struct.pack("<II", 0, 4)).status == NOT_FOUND
    assert board.ask(SAVE, b"\0").status == -15


CHANGES: dict[str, list[tuple[int, bytes]]] = {
    "a class": [(CLASS_ADD, name("b"))],
    "a name": [(14, struct.pack("<H", 0) + name("c"))],
    "no class": [(15, struct.pack("<H", 0))],
    "a setting": [(SETTING_SET, struct.pack("<HHf", 1, 0, 0.25))],
    "a late label": [(LABEL_BACK, struct.pack("<hH", 0, 1))],
    "a lesson": [(LABEL, struct.pack("<hHI", 0, 0, 1))],
    "a step": [(FINE_TUNE, struct.pack("<I", 1))],
    "a reset": [(RESET, b"")],
}
NO_CHANGES: dict[str, list[tuple[int, bytes]]] = {
    "windows": [],
    "a session": [(33, b"\0")],
    "no label": [(LABEL, struct.pack("<hHI", -1, 0, 0))],
    "a refusal": [(CLASS_ADD, name("a"))],
    "a look": [(IMAGE_GET, b"")],
}


@pytest.mark.parametrize("what", [*CHANGES, *NO_CHANGES])
def test_what_counts_as_learned(flash: MemoryFlash, what: str) -> None:
    board = SavingBoard(flash)
    board.ask(CLASS_ADD, name("a"))
    board.sense(noise(60))
    assert board.stored() == (0, 0, THERE | UNSAVED)
    board.save()
    assert board.stored() == (1, 1, THERE)
    for opcode, payload in (CHANGES | NO_CHANGES)[what]:
        board.ask(opcode, payload)
    board.sense(noise(40))
    assert board.stored() == (1, 1, THERE | (UNSAVED if what in CHANGES else 0))


def test_saving_changes_nothing_that_is_learned(flash: MemoryFlash) -> None:
    boards = [SavingBoard(flash), Board(model=small_model())]
    boards[1].hello()
    samples = np.concatenate([noise(100, seed) for seed in range(4)])
    for board in boards:
        board.ask(CLASS_ADD, name("a"))
        board.ask(LABEL, struct.pack("<hHI", 0, 0, 0xFFFFFFFF))
        board.ask(FINE_TUNE, struct.pack("<I", 30))
        for start in range(0, len(samples), 50):
            board.sense(samples[start : start + 50])
            if board is boards[0]:
                assert board.ask(SAVE).status == OK
    assert boards[0].state() == boards[1].state()
    assert boards[0].state() == SavingBoard(flash).state()
