"""A second writer in a live session, and talking it down: nothing of it is done."""

from __future__ import annotations

import secrets
import struct

import attack_count
import pytest
from attacked_board import (
    CHANGES,
    LESSON,
    NO_SESSION,
    NOT_AUTHENTICATED,
    RADIO,
    REBOOTED,
    Attacked,
    hello,
    is_worthless,
    unsealed,
)
from board_in_process import BOOT_ID, refused, request
from session_by_hand import TRAILER_BYTES, flagged, mac
from wire_by_hand import AUTHENTICATE, CHALLENGE, LABEL

KIND = "injection, downgrade, no key"
EXISTS = -4


@pytest.mark.parametrize("opcode", sorted(CHANGES))
def test_no_change_without_a_mac_is_done_in_a_live_session(opcode: int) -> None:
    """The very message that the owner could send next, but for what only the key can make."""
    attacked = Attacked(KIND)
    board = attacked.board
    due = board.sequences[RADIO] + 3  # the two that attack() asks before come first
    message = request(opcode, CHANGES[opcode], board.sessions[RADIO], due, BOOT_ID)
    trailers = [bytes(8), b"\xff" * 8, secrets.token_bytes(8), mac(bytes(32), 1, due, message)]
    with attacked.attack(1 + len(trailers)):
        assert board.sequences[RADIO] + 1 == due
        assert is_worthless(attacked.inject(message))
        for trailer in trailers:
            assert is_worthless(attacked.inject(flagged(message) + trailer))


def test_no_bit_of_a_sealed_label_can_be_turned() -> None:
    """Every bit of header, payload and trailer; then the message as it was, which is taken."""
    attacked = Attacked(KIND)
    right = attacked.sealed(LABEL, LESSON)
    before = attacked.learned()
    for bit in range(8 * len(right)):
        attack_count.tried(KIND)
        turned = bytearray(right)
        turned[bit // 8] ^= 1 << bit % 8
        for reply in attacked.inject(bytes(turned)):
            assert reply.status in (NOT_AUTHENTICATED, NO_SESSION, REBOOTED)
            assert not reply.sealed
        attack_count.beaten(KIND)
    assert attacked.learned() == before
    (reply,) = attacked.inject(right)
    assert (reply.status, reply.sealed) == (0, True)


def test_no_byte_of_a_sealed_label_can_be_replaced() -> None:
    attacked = Attacked(KIND)
    right = attacked.sealed(LABEL, LESSON)
    before = attacked.learned()
    for at in range(len(right)):
        for value in range(256):
            if value == right[at]:
                continue
            attack_count.tried(KIND)
            for reply in attacked.inject(right[:at] + bytes([value]) + right[at + 1 :]):
                assert not reply.sealed
                assert reply.status < 0 or reply.opcode == 1
            attack_count.beaten(KIND)
    assert attacked.learned() == before
    assert attacked.inject(right)[0].status == 0


def test_no_trailer_can_be_cut_or_stretched() -> None:
    attacked = Attacked(KIND)
    right = attacked.sealed(LABEL, LESSON)
    before = attacked.learned()
    spoiled = [right[:n] for n in range(len(right))]
    spoiled += [right + bytes(n) for n in range(1, 64)]
    spoiled += [right[:-8] + right[-n:] for n in range(1, 8)]
    spoiled += [right[:-8] + right[-8:] * 2, right * 2, right[:-8] + right[-4:] * 2]
    body = right[:-TRAILER_BYTES]
    for n in range(9):  # the payload says that it begins or ends within the trailer
        spoiled.append(right[:12] + struct.pack("<H", 8 + n) + right[14:])
        spoiled.append(right[:12] + struct.pack("<H", 8 - n) + right[14:])
        spoiled.append(body[:12] + struct.pack("<H", 8 + n) + body[14:] + bytes(n) + right[-8:])
    for message in spoiled:
        if message == right:
            continue
        attack_count.tried(KIND)
        assert is_worthless(attacked.inject(message))
        attack_count.beaten(KIND)
    assert attacked.learned() == before
    assert attacked.inject(right)[0].status == 0


def test_a_trailer_of_one_message_is_none_of_another() -> None:
    attacked = Attacked(KIND)
    board = attacked.board
    trailers = [attacked.sealed(opcode, CHANGES[opcode])[-8:] for opcode in (LABEL, 18, 9, 50)]
    board.sequences[RADIO] -= 4
    board.seals[RADIO].number -= 4
    board.seals[RADIO]._asked.clear()
    for trailer in trailers:
        for opcode in (13, 32, 63, 54):
            with attacked.attack():
                due = board.sequences[RADIO] + 1
                message = request(opcode, CHANGES[opcode], board.sessions[RADIO], due, BOOT_ID)
                assert is_worthless(attacked.inject(flagged(message) + trailer))


# --- downgrade --------------------------------------------------------------------------------


def test_no_other_version_of_the_protocol_is_spoken() -> None:
    """Version 1 knew no authentication: what speaks it, or any other, is not heard at all."""
    attacked = Attacked(KIND)
    board = attacked.board
    for version in (0, 1, 3, 4, 127, 255):
        due = board.sequences[RADIO] + 3
        plain = request(LABEL, LESSON, board.sessions[RADIO], due, BOOT_ID)
        with attacked.attack(3):
            for message in (plain, hello(9), flagged(plain) + bytes(8)):
                assert attacked.inject(bytes([version]) + message[1:]) == []


def test_a_flag_that_is_stripped_is_missed() -> None:
    attacked = Attacked(KIND)
    for opcode in sorted(CHANGES):
        right = attacked.sealed(opcode, CHANGES[opcode])
        attack_count.tried(KIND)
        before = attacked.learned()
        assert is_worthless(attacked.inject(unsealed(right)))
        assert attacked.learned() == before
        attack_count.beaten(KIND)
        attacked.board.sequences[RADIO] -= 1
        attacked.board.seals[RADIO].number -= 1
        attacked.board.seals[RADIO]._asked.clear()


def test_a_sniffed_nonce_resumes_a_session_of_no_use() -> None:
    attacked = Attacked(KIND)
    board = attacked.board
    for _ in range(10):
        due = board.sequences[RADIO] + 3
        with attacked.attack(3):
            (reply,) = attacked.inject(hello(22))
            assert reply.session == board.sessions[RADIO]
            plain = request(LABEL, LESSON, reply.session, due, BOOT_ID)
            assert is_worthless(attacked.inject(plain))
            assert is_worthless(attacked.inject(flagged(plain) + secrets.token_bytes(8)))


def test_a_live_session_takes_no_other_key() -> None:
    """CHALLENGE in it, by a second writer and by the owner: the session stays as it is."""
    attacked = Attacked(KIND)
    board = attacked.board
    due = board.sequences[RADIO] + 3
    with attacked.attack():
        challenge = request(CHALLENGE, bytes(16), board.sessions[RADIO], due, BOOT_ID)
        assert is_worthless(attacked.inject(challenge))
    with attacked.attack():
        assert refused(board.ask(CHALLENGE, bytes(16), RADIO)) == (EXISTS, "session")
    with attacked.attack():
        empty = request(AUTHENTICATE, b"", board.sessions[RADIO], board.sequences[RADIO] + 1)
        empty = empty[:8] + struct.pack("<I", BOOT_ID) + empty[12:]
        assert is_worthless(attacked.inject(empty))


def test_hello_itself_cannot_be_sealed() -> None:
    attacked = Attacked(KIND)
    with attacked.attack(2):
        assert attacked.inject(flagged(hello(22)) + bytes(8)) == []
        assert attacked.inject(flagged(hello(99)) + bytes(8)) == []
