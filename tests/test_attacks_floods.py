"""Floods and guesses: memory and flash are bounded, alarms are told, the other link is served."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import attack_count
import numpy as np
from attacked_board import (
    LESSON,
    LOCKED,
    NOT_AUTHENTICATED,
    PING,
    RADIO,
    STREAM,
    USB,
    Attacked,
    hello,
    is_worthless,
)
from board_in_process import BOOT_ID, LOG, NOTICE, PREDICTION, Board, name, refused, request
from boards_with_flash import MemoryFlash, SavingBoard
from native_build import SANITIZED
from session_by_hand import flagged
from wire_by_hand import AUTHENTICATE, CHALLENGE, CLASS_ADD, INFO, LABEL

from tinyol_sim._core import lib

KIND = "floods and guesses"
# ASan holds back up to 256 MB of what is freed, on purpose.
MOST_BYTES = 300_000_000 if SANITIZED in os.environ else 4_000_000
MOST_SAVES = 16  # of the credit that a board has at its boot
HOUR_MS = 3_600_000


def resident_bytes() -> int:
    """Of this process, board included."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096


def test_thousands_of_hellos_cost_no_memory_and_teach_nothing() -> None:
    """More than there are session numbers: they begin again at 1, and none is 0."""
    attacked = Attacked(KIND)
    board, n = attacked.board, 70_000
    before, seen = attacked.learned(), bytearray(65536)  # by session number
    board.seals.pop(RADIO)
    for nonce in range(1000, 2000):
        seen[attacked.inject(hello(nonce))[0].session] = 1
    held = resident_bytes()
    attack_count.tried(KIND, n)
    for nonce in range(2000, 2000 + n - 1000):
        (reply,) = attacked.inject(hello(nonce))
        seen[reply.session] = 1
        if nonce % 1000 == 0:
            board.hello(USB, nonce=nonce % 7)  # the other link is served at once
            assert not board.ask(PING, b"", USB).status
    assert not seen[0]
    assert sum(seen) > 65_000
    assert resident_bytes() - held < MOST_BYTES
    assert attacked.learned() == before
    attack_count.beaten(KIND, n)
    board.hello(RADIO, nonce=22)
    assert not board.authenticate(attacked.key, RADIO).status


def test_thousands_of_challenges_repeat_none_and_write_no_flash() -> None:
    attacked = Attacked(KIND)
    board, n = attacked.board, 20_000
    board.seals.pop(RADIO)
    board.hello(RADIO, nonce=99)
    before = board.state()
    attack_count.tried(KIND, n)
    answers = {board.ask(CHALLENGE, bytes(16), RADIO).body for _ in range(n)}
    assert len(answers) == n
    assert all(len(answer) == 16 for answer in answers)
    assert board.state() == before
    attack_count.beaten(KIND, n)
    assert not board.authenticate(attacked.key, RADIO).status


def test_comings_and_goings_wear_no_flash_out() -> None:
    """While the owner teaches, a stranger comes and goes: each would be a reason to save."""
    flash = MemoryFlash(64)
    board = SavingBoard(flash)
    board.set_radio(RADIO)
    key = board.pair(link=USB)
    assert not board.authenticate(key, USB).status
    assert not board.ask(CLASS_ADD, name("normal"), USB).status
    assert not board.ask(LABEL, struct.pack("<hHI", 0, 0, 0xFFFFFFFF), USB).status
    before, rng = sum(flash.erases), np.random.default_rng(0)
    n = 3_000
    attack_count.tried(KIND, n)
    lessons = 0
    for i in range(n):
        now_ms = i * 1_000  # fifty minutes: no further credit comes
        board.sense(rng.normal(0, 0.3, (12, 3)).astype(np.float32))  # there is something to save
        board.hello(RADIO, nonce=1000 + i, now_ms=now_ms)
        if i % 3 == 0:
            board.ask(4, b"", RADIO, now_ms)  # GOODBYE
        if i % 3 == 1:
            lib.tinyol_board_drop(board.handle, RADIO)
        board.ask(PING, b"", USB, now_ms)
        board.tick(now_ms)
    (lessons,) = struct.unpack_from("<I", board.ask(INFO, b"", USB, n * 1000).body, 20)
    assert lessons > n
    saves = struct.unpack_from("<I", board.ask(INFO, b"", USB, n * 1000).body, 88)[0]
    assert 0 < saves <= MOST_SAVES
    slot_pages = -(-lib.tinyol_board_max_image_bytes(board.handle) // flash.page_bytes) + 1
    assert sum(flash.erases) - before <= MOST_SAVES * slot_pages
    attack_count.beaten(KIND, n)


def test_a_flood_hides_no_alarm_and_moves_no_prediction() -> None:
    """The owner at the port is told the same, byte for byte, as of a board that nobody floods."""
    told = []
    for flooded in (False, True):
        board = Board()
        board.set_radio(RADIO)
        board.hello(USB)
        key = board.pair(link=USB)
        assert not board.authenticate(key, USB).status
        assert not board.ask(STREAM, b"\x19", USB).status  # predictions, log, notices
        rng, n = np.random.default_rng(3), 0
        for i in range(400):
            size = 0.2 if i < 300 else 3.0
            if flooded:
                for k in range(25):
                    attack_count.tried(KIND)
                    board.write(hello(10_000 + 25 * i + k), RADIO)
                    board.write(request(LABEL, LESSON, k, k, BOOT_ID), RADIO)
                    n += 1
            board.sense((rng.normal(0, size, (10, 3)) + np.array([0, 0, 1])).astype(np.float32))
        told.append((board.told(PREDICTION, USB), board.told(NOTICE, USB)))
        attack_count.beaten(KIND, n)
    assert told[0] == told[1]
    predictions, notices = told[1]
    assert len(predictions) > 700
    assert any(notice[0] == 1 and notice[1] == 1 for notice in notices)  # an alarm began


def guess(board: Board, session: int, sequence: int, now_ms: int) -> list[tuple[int, str, int]]:
    """AUTHENTICATE with a MAC made up: status, what, need of the answer."""
    message = flagged(request(AUTHENTICATE, b"", session, sequence, BOOT_ID))
    trailer = struct.pack("<Q", now_ms * 2654435761 & (2**64 - 1))
    replies = board.write(message + trailer, RADIO, now_ms)
    return [(*refused(r), struct.unpack_from("<I", r.body, 32)[0]) for r in replies]


def test_whoever_guesses_has_a_guess_a_minute() -> None:
    """Ten tries a second for three hours; the port is not locked for it, and the owner is told."""
    attacked = Attacked(KIND)
    board = attacked.board
    assert not board.authenticate(attacked.key, USB).status
    assert not board.ask(STREAM, b"\x08", USB).status
    board.seals.pop(RADIO)
    board.hello(RADIO, nonce=99)
    attacked.feel(1500)  # a kind of message is logged once in 1,000 samples
    looked_at, waits = 0, []
    before = board.state()
    for now_ms in range(0, 3 * HOUR_MS, 1_000):
        board.tick(now_ms)
        if now_ms % 10_000 == 0:
            assert not board.ask(PING, b"", USB, now_ms).status
        reply = board.ask(CHALLENGE, bytes(16), RADIO, now_ms)
        if reply.status:
            assert reply.status == LOCKED
        for _ in range(10):
            attack_count.tried(KIND)
            due = board.sequences[RADIO] + 1
            for status, where, need in guess(board, board.sessions[RADIO], due, now_ms):
                assert (status, where) in ((NOT_AUTHENTICATED, "mac"), (LOCKED, "key"))
                if status == LOCKED:
                    waits.append(need)
            attack_count.beaten(KIND)
        looked_at += not reply.status
    assert looked_at <= 5 + 7 + 3 * HOUR_MS // 64_000
    assert max(waits) == 64_000
    assert board.state() == before
    assert any(b"wrong MAC" in text for text in board.told(LOG, USB))
    assert struct.unpack_from("<I", board.ask(62, b"", USB, now_ms).body, 16)[0] >= looked_at
    later = 3 * HOUR_MS + 65_000
    board.hello(RADIO, nonce=100, now_ms=later)
    assert not board.authenticate(attacked.key, RADIO, later).status


def test_wrong_macs_lock_nobody_out_who_is_in() -> None:
    """A second writer guesses in the owner's live session: the owner is served as ever."""
    attacked = Attacked(KIND)
    board = attacked.board
    for i in range(2_000):
        due = board.sequences[RADIO] + 1
        message = flagged(request(LABEL, LESSON, board.sessions[RADIO], due, BOOT_ID))
        attack_count.tried(KIND)
        replies = attacked.inject(message + struct.pack("<Q", i), now_ms=i)
        assert is_worthless(replies)
        assert i < 5 or i > 1_000 or replies == []  # locked: it is not even told
        if i % 10 == 0:
            reply = board.ask(PING, b"", RADIO, i)
            assert (reply.status, reply.sealed) == (0, True)
        attack_count.beaten(KIND)


def test_garbage_of_any_length_is_borne_on_both_links() -> None:
    attacked = Attacked(KIND)
    rng = np.random.default_rng(7)
    held, n = resident_bytes(), 20_000
    right = attacked.sealed(PING)
    before = attacked.learned()
    for i in range(n):
        garbage = rng.bytes(int(rng.integers(0, 600)))
        if i % 2:  # a header as it should be, and garbage behind it
            size = max(0, len(garbage) - int(rng.integers(0, 24)))
            opcode = int(rng.integers(0, 80))
            flags = int(rng.integers(0, 2))
            if opcode == 1:
                continue
            garbage = (
                struct.pack("<BBBBHHIHH", 2, 1, opcode, flags, *right_header(right), size, 0)
                + garbage
            )
        attack_count.tried(KIND)
        for reply in attacked.inject(garbage, RADIO, now_ms=i % 100):
            assert reply.status < 0
        attack_count.beaten(KIND)
    assert attacked.learned() == before
    assert resident_bytes() - held < MOST_BYTES
    assert attacked.inject(right)[0].status == 0


def right_header(message: bytes) -> tuple[int, int, int]:
    """Session, sequence and boot id of a message."""
    session, sequence, boot_id = struct.unpack_from("<HHI", message, 4)
    return session, sequence, boot_id
