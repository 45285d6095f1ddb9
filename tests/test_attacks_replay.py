"""What was heard on the air is of no use: not again, not later, not elsewhere, not backwards."""

from __future__ import annotations

import struct

import attack_count
import pytest
from attacked_board import (
    BAD_SEQUENCE,
    LESSON,
    NO_SESSION,
    NOT_AUTHENTICATED,
    PING,
    RADIO,
    REBOOTED,
    USB,
    Attacked,
    hello,
    is_worthless,
)
from board_in_process import BOOT_ID, Board, refused, request
from session_by_hand import TO_DEVICE, TRAILER_BYTES, flagged, mac
from wire_by_hand import CLASS_ADD, INFO, LABEL

from tinyol_sim._core import ffi, lib

KIND = "replay and reflection"
LIVE_MS = 20_000


def heard_lessons(attacked: Attacked, n: int = 8) -> list[bytes]:
    """LABELs of the owner, executed, as an attacker heard them; the last was taken back."""
    heard = []
    for _ in range(n):
        message = attacked.sealed(LABEL, LESSON)
        (reply,) = attacked.inject(message)
        assert not reply.status
        heard.append(message)
    assert not attacked.board.ask(LABEL, struct.pack("<hHI", -1, 0, 0), RADIO).status
    return heard


def test_a_label_replayed_in_its_session_is_not_learned() -> None:
    attacked = Attacked(KIND)
    for message in heard_lessons(attacked):
        with attacked.attack():
            (reply,) = attacked.inject(message)
            assert (reply.status, reply.sealed) == (BAD_SEQUENCE, True)


def test_the_last_request_replayed_is_answered_from_memory_and_not_executed() -> None:
    attacked = Attacked(KIND)
    board = attacked.board
    message = attacked.sealed(LABEL, struct.pack("<hHI", 0, 0, 1))
    (first,) = attacked.inject(message)
    attacked.feel()  # the one window is labelled, and no other
    taught = attacked.learned()
    for _ in range(50):
        attack_count.tried(KIND)
        assert attacked.inject(message) == [first]
        assert attacked.learned() == taught
        attack_count.beaten(KIND)
    assert struct.unpack_from("<h", board.ask(INFO, b"", RADIO).body, 52) == (-1,)


def test_replay_in_a_later_session_is_refused() -> None:
    attacked = Attacked(KIND)
    heard = heard_lessons(attacked)
    attacked.board.hello(RADIO, nonce=23)
    assert not attacked.board.authenticate(attacked.key, RADIO).status
    for message in heard:
        with attacked.attack():
            (reply,) = attacked.inject(message)
            assert (reply.status, reply.sealed) == (NO_SESSION, False)
        # Addressed to the session that there is now, and to the number that is due.
        due = attacked.board.sequences[RADIO] + 1
        moved = message[:4] + struct.pack("<HH", attacked.board.sessions[RADIO], due) + message[8:]
        with attacked.attack():
            assert is_worthless(attacked.inject(moved))


def test_replay_to_the_other_link_and_from_it_is_refused() -> None:
    attacked = Attacked(KIND)
    board = attacked.board
    board.hello(USB, nonce=12)
    assert not board.authenticate(attacked.key, USB).status
    message = attacked.sealed(LABEL, LESSON)
    for session in (board.sessions[USB], board.sessions[RADIO]):
        for sequence in range(1, 8):
            moved = message[:4] + struct.pack("<HH", session, sequence) + message[8:]
            attack_count.tried(KIND)
            before = attacked.taught()
            replies = attacked.inject(moved, USB)
            assert is_worthless(replies) or replies[0].status == NO_SESSION
            attacked.feel()
            assert attacked.taught() == before
            attack_count.beaten(KIND)


def test_replay_after_a_boot_is_refused() -> None:
    """The boot id is in the header and in the session's key: neither can be made to fit."""
    attacked = Attacked(KIND)
    heard = heard_lessons(attacked)
    again = Attacked(KIND, Board(boot_id=78))
    for message in heard:
        with again.attack():
            (reply,) = again.inject(message)
            assert (reply.status, reply.sealed) == (REBOOTED, False)
        due = again.board.sequences[RADIO] + 1
        session = again.board.sessions[RADIO]
        fitted = message[:4] + struct.pack("<HHI", session, due, 78) + message[12:]
        with again.attack():
            assert is_worthless(again.inject(fitted))


def test_a_whole_session_replayed_byte_for_byte_opens_nothing() -> None:
    """HELLO, CHALLENGE and AUTHENTICATE as they were heard: the device's challenge is another."""
    board = Board()
    board.set_radio(RADIO)
    board.hello(USB)
    key = board.pair(link=USB)
    heard: list[bytes] = []
    plain_write = board.write

    def eavesdropped(message: bytes, link: int = 0, now_ms: int = 0):  # type: ignore[no-untyped-def]
        if link == RADIO:
            heard.append(message)
        return plain_write(message, link, now_ms)

    board.write = eavesdropped  # type: ignore[method-assign]
    board.hello(RADIO, nonce=5)
    assert not board.authenticate(key, RADIO).status
    assert not board.ask(CLASS_ADD, b"\1a", RADIO).status
    board.write = plain_write  # type: ignore[method-assign]
    before = board.state()
    for _ in range(20):
        attack_count.tried(KIND, len(heard))
        board.hello(RADIO, nonce=6)  # a new session, then the old one again
        board.seals.clear()
        for message in heard:
            session = board.sessions[RADIO]
            if message[2] != 1:
                message = message[:4] + struct.pack("<H", session) + message[6:]
            for reply in board.write(message, RADIO):
                assert reply.opcode in (1, 60) or reply.status < 0
                if reply.opcode == 1:
                    board.sessions[RADIO] = reply.session
        assert board.state() == before
        attack_count.beaten(KIND, len(heard))


def test_a_sequence_that_comes_round_again_replays_nothing() -> None:
    """65,536 requests later the 16 bits of the header are the same; the MAC's counter is not."""
    attacked = Attacked(KIND)
    board = attacked.board
    message = attacked.sealed(LABEL, LESSON)
    assert not attacked.inject(message)[0].status
    assert not board.ask(LABEL, struct.pack("<hHI", -1, 0, 0), RADIO).status
    (heard_at,) = struct.unpack_from("<H", message, 6)
    while (board.sequences[RADIO] + 1) & 0xFFFF != heard_at:
        board.ask(PING, b"", RADIO)
    before = attacked.taught()
    attack_count.tried(KIND)
    (reply,) = attacked.inject(message)
    assert refused(reply) == (NOT_AUTHENTICATED, "mac")
    attacked.feel()
    assert attacked.taught() == before
    attack_count.beaten(KIND)
    assert not board.ask(PING, b"", RADIO).status  # the owner goes on


@pytest.mark.parametrize("kind", [1, 2, 3])
def test_what_the_device_says_does_not_command_it(kind: int) -> None:
    """Its own sealed replies and events, sent back: as they are, and dressed up as requests."""
    attacked = Attacked(KIND)
    board = attacked.board
    assert not board.ask(24, b"\x1f", RADIO).status
    said = raw_answers(attacked)
    assert {message[1] for message in said} == {2, 3}
    for message in said:
        for opcode in (message[2], LABEL, CLASS_ADD):
            attack_count.tried(KIND)
            dressed = message[:1] + bytes([kind, opcode]) + message[3:]
            before = attacked.learned()
            for reply in attacked.inject(dressed):
                assert reply.status in (NOT_AUTHENTICATED, NO_SESSION, BAD_SEQUENCE)
            assert attacked.learned() == before
            attack_count.beaten(KIND)
    assert not board.ask(PING, b"", RADIO).status


def raw_answers(attacked: Attacked) -> list[bytes]:
    """Bytes of a reply and of some events, as they came."""
    board, out, said = attacked.board, ffi.new("uint8_t[512]"), []
    for _ in range(4):
        message = attacked.sealed(LABEL, LESSON)
        lib.tinyol_board_receive(board.handle, RADIO, message, len(message), 0)
        attacked.feel(20)
        while length := lib.tinyol_board_take(board.handle, RADIO, out):
            raw = bytes(ffi.buffer(out, length))
            assert board.seals[RADIO].is_right(raw)
            said.append(raw)
    board.ask(LABEL, struct.pack("<hHI", -1, 0, 0), RADIO)
    return said


def test_a_mac_of_the_other_direction_is_none() -> None:
    """Made with the right key and counter, but as the device would have made it."""
    attacked = Attacked(KIND)
    seal = attacked.board.seals[RADIO]
    for direction in (0, 2, 3, 255):
        with attacked.attack():
            number = seal.number + 1
            session = attacked.board.sessions[RADIO]
            message = flagged(request(LABEL, LESSON, session, number, BOOT_ID))
            forged = message + mac(seal.key, direction, number, message)
            assert is_worthless(attacked.inject(forged))
    right = attacked.sealed(LABEL, LESSON)
    assert right[-TRAILER_BYTES:] == mac(seal.key, TO_DEVICE, seal.number, right[:-TRAILER_BYTES])
    assert attacked.inject(right)[0].status == 0  # else none of the above has shown anything


# --- held back, and delivered when it suits ---------------------------------------------------


def test_a_label_that_was_held_back_is_worth_nothing_soon() -> None:
    """Jammed, kept, and delivered when the machine is broken: the session is not live any more."""
    attacked = Attacked(KIND)
    board = attacked.board
    held = attacked.sealed(LABEL, LESSON)
    lib.tinyol_board_drop(board.handle, RADIO)
    for later_ms in (LIVE_MS + 1, LIVE_MS + 5_000, 3_600_000, 86_400_000):
        attack_count.tried(KIND)
        before = attacked.taught()
        assert attacked.inject(hello(22), now_ms=later_ms)[0].status == 0
        (reply,) = attacked.inject(held, now_ms=later_ms)
        assert (reply.status, reply.sealed) == (NOT_AUTHENTICATED, False)
        attacked.feel()
        assert attacked.taught() == before
        attack_count.beaten(KIND)


def test_nothing_that_was_heard_keeps_a_session_live() -> None:
    """Repeats of the last request, HELLOs and garbage every second, then the label held back."""
    attacked = Attacked(KIND)
    board = attacked.board
    last = attacked.sealed(PING)
    assert not attacked.inject(last)[0].status
    held = attacked.sealed(LABEL, LESSON)
    board.seals.clear()  # from here on only the attacker speaks
    before = attacked.taught()
    for now_ms in range(0, LIVE_MS + 3_000, 1_000):
        attack_count.tried(KIND, 3)
        for message in (last, hello(22), last[:-1] + b"\0"):
            attacked.inject(message, now_ms=now_ms)
        board.tick(now_ms)
    for reply in attacked.inject(held, now_ms=LIVE_MS + 3_000):
        assert reply.status in (NOT_AUTHENTICATED, NO_SESSION)
    attacked.feel()
    assert attacked.taught() == before
    attack_count.beaten(KIND, 3 * (LIVE_MS + 3_000) // 1_000)
