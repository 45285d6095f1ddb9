"""Whoever comes without the key: may read unless that is shut, and changes nothing."""

from __future__ import annotations

import os

import attack_count
import pytest
from attacked_board import (
    CHANGES,
    LESSON,
    NO_SESSION,
    NOT_AUTHENTICATED,
    NOT_PHYSICAL,
    PHYSICAL,
    PING,
    RADIO,
    READING,
    USB,
    Attacked,
    hello,
    is_worthless,
)
from board_in_process import BOOT_ID, Board, refused, request
from session_by_hand import flagged, mac, session_key
from wire_by_hand import AUTHENTICATE, CHALLENGE, LABEL, PAIR

KIND = "injection, downgrade, no key"
EXISTS, NOT_FOUND = -4, -3


def stranger(attacked: Attacked, nonce: int = 99) -> None:
    """Whoever is in range, in a session of its own."""
    attacked.board.seals.pop(RADIO, None)
    attacked.board.hello(RADIO, nonce)


@pytest.mark.parametrize("opcode", sorted(CHANGES))
@pytest.mark.parametrize("paired", [True, False])
def test_the_radio_changes_nothing_without_the_key(opcode: int, paired: bool) -> None:
    attacked = Attacked(KIND)
    if not paired:
        attacked = Attacked.__new__(Attacked)
        attacked.kind, attacked.board, attacked.key = KIND, Board(), b""
        attacked.board.set_radio(RADIO)
    stranger(attacked)
    before = attacked.board.state()
    attack_count.tried(KIND)
    reply = attacked.board.ask(opcode, CHANGES[opcode], RADIO)
    where = "key" if paired else "pair"
    assert refused(reply) == (NOT_AUTHENTICATED, where)
    assert attacked.board.state() == before
    attack_count.beaten(KIND)
    assert not attacked.board.ask(PING, b"", RADIO).status


@pytest.mark.parametrize("opcode", sorted(PHYSICAL))
@pytest.mark.parametrize("live", [True, False])
def test_keys_are_made_and_boards_emptied_by_hand_only(opcode: int, live: bool) -> None:
    """Not over the radio, not even in a session that knows the key."""
    attacked = Attacked(KIND)
    if not live:
        stranger(attacked)
    for payload in (PHYSICAL[opcode], b"\0\0\0\0", b"", os.urandom(4)):
        attack_count.tried(KIND)
        before, key_id = attacked.board.state(), attacked.board.ask(62, b"", RADIO).body[4:12]
        assert refused(attacked.board.ask(opcode, payload, RADIO)) == (NOT_PHYSICAL, "usb")
        assert attacked.board.state() == before
        assert attacked.board.ask(62, b"", RADIO).body[4:12] == key_id
        attack_count.beaten(KIND)


def test_an_unpaired_board_is_not_paired_over_the_radio() -> None:
    board = Board()
    board.set_radio(RADIO)
    board.hello(RADIO)
    attack_count.tried(KIND, 2)
    assert refused(board.ask(PAIR, bytes(4), RADIO)) == (NOT_PHYSICAL, "usb")
    assert refused(board.ask(CHALLENGE, bytes(16), RADIO)) == (NOT_FOUND, "key")
    assert board.hello(RADIO).body[64] & 1 == 0
    attack_count.beaten(KIND, 2)


def test_an_unpaired_board_knows_no_session_key_that_can_be_guessed() -> None:
    """A key of zeros is none: AUTHENTICATE with it is refused."""
    board = Board()
    board.set_radio(RADIO)
    board.hello(RADIO)
    session = board.sessions[RADIO]
    for own in (bytes(16), b"\xff" * 16):
        attack_count.tried(KIND)
        board.ask(CHALLENGE, own, RADIO)
        due = board.sequences[RADIO] + 1
        message = flagged(request(AUTHENTICATE, b"", session, due, BOOT_ID))
        key = session_key(bytes(32), own, bytes(16), session, BOOT_ID)
        assert is_worthless(board.write(message + mac(key, 1, due, message), RADIO))
        attack_count.beaten(KIND)


def test_reading_that_is_shut_is_shut() -> None:
    attacked = Attacked(KIND)
    board = attacked.board
    assert not board.ask(24, b"\x1f", RADIO).status
    assert not board.ask(63, b"\1\0\0\0", RADIO).status
    attacked.feel()
    assert board.told(1, RADIO)  # the owner goes on reading
    stranger(attacked)
    for opcode, payload in READING.items():
        attack_count.tried(KIND)
        assert refused(board.ask(opcode, payload, RADIO)) == (NOT_AUTHENTICATED, "reading")
        attack_count.beaten(KIND)
    for opcode in (LABEL, 33, 36):
        attack_count.tried(KIND)
        assert refused(board.ask(opcode, CHANGES[opcode], RADIO)) == (NOT_AUTHENTICATED, "key")
        attack_count.beaten(KIND)
    board.events.clear()
    attacked.feel()
    assert board.told(1, RADIO) == board.told(2, RADIO) == []
    # A lapsed session reads no more than a stranger, and what it streamed has ended.
    assert not board.authenticate(attacked.key, RADIO).status
    assert not board.ask(24, b"\x1f", RADIO).status
    ping = request(PING, b"", board.sessions[RADIO], board.sequences[RADIO] + 1, BOOT_ID)
    for now_ms in range(0, 24_000, 500):
        attack_count.tried(KIND)
        attacked.inject(ping, now_ms=now_ms)
        attacked.inject(hello(99), now_ms=now_ms)
        board.tick(now_ms)
    board.seals.clear()
    board.events.clear()
    attacked.feel()
    assert board.told(1, RADIO) == board.told(2, RADIO) == []
    attack_count.beaten(KIND, 48)


def test_the_port_of_a_paired_board_needs_the_key_too() -> None:
    """But for what only whoever touches it can do."""
    attacked = Attacked(KIND)
    board = attacked.board
    board.hello(USB, nonce=12)
    for opcode, payload in CHANGES.items():
        attack_count.tried(KIND)
        before = board.state()
        assert refused(board.ask(opcode, payload, USB)) == (NOT_AUTHENTICATED, "key")
        assert board.state() == before
        attack_count.beaten(KIND)
    assert refused(board.ask(PAIR, bytes(4), USB)) == (EXISTS, "key")


def test_a_new_key_ends_every_session_of_the_old_one() -> None:
    attacked = Attacked(KIND)
    board = attacked.board
    held = attacked.sealed(LABEL, LESSON)
    board.hello(USB, nonce=12)
    new = board.pair(rotate=True, link=USB)
    assert new != attacked.key
    attack_count.tried(KIND, 3)
    before = board.state()
    assert attacked.inject(held)[0].status == NO_SESSION
    attacked.inject(hello(22))
    (reply,) = attacked.inject(held)
    assert (reply.status, reply.sealed) == (NOT_AUTHENTICATED, False)
    board.hello(RADIO, nonce=23)
    assert refused(board.authenticate(attacked.key, RADIO)) == (NOT_AUTHENTICATED, "mac")
    assert board.state() == before
    attack_count.beaten(KIND, 3)
    board.hello(RADIO, nonce=24)
    assert not board.authenticate(new, RADIO).status
