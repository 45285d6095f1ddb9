"""Requests 60 to 65, what a live session is, and who may ask for what."""

from __future__ import annotations

import struct
from dataclasses import dataclass

import pytest
from board_in_process import BOOT_ID, CHANGED, LOG, OK, SEED, UNLOADED, Board, name, noise, refused
from session_by_hand import key_id, mac, session_key
from wire_by_hand import (
    ACCESS,
    ACCESS_SET,
    AUTHENTICATE,
    CHALLENGE,
    CLASS_ADD,
    FACTORY_RESET,
    FEED_BEGIN,
    HARDWARE,
    IMAGE_GET,
    INFO,
    NAME_SET,
    PAIR,
    RESET,
    SETTING_SET,
    UNKNOWNS,
    WATCH,
)

from tinyol_host.access.needs import Need, need_of
from tinyol_host.protocol import Opcode
from tinyol_sim._core import lib

NOT_FOUND, EXISTS, BAD_VALUE, UNSUPPORTED, MALFORMED = -3, -4, -6, -14, -15
BUSY, BAD_SEQUENCE, NO_SESSION, UNKNOWN_REQUEST = -17, -18, -19, -21
NOT_AUTHENTICATED, NOT_PHYSICAL, LOCKED = -23, -24, -25
PING, GOODBYE, STREAM = 3, 4, 24
PAIRED, AUTHENTICATED, PHYSICAL, SHUT = 1, 2, 4, 8
FIRST, ROTATE, OPEN, CLOSE = bytes(4), b"\1\0\0\0", bytes(4), b"\1\0\0\0"
USB, RADIO = 0, 1

# docs/wire-protocol.md, "Who may ask for what".
ANYBODY = {1, 3, 4, 60, 61, 62}
READING = {2, 8, 12, 20, 21, 24, 48, 51, 56, 57, 58}
AT_THE_BOARD = {64, 65}
CHANGES = {9, 13, 14, 15, 16, 17, 18, 28, 29, 30, 32, 33, 34, 36, 37, 38, 39, 40, 44, 49, 50}
CHANGES |= {52, 53, 54, 55, 63, 66}


@dataclass
class Access:
    flags: int
    source: int
    key_id: bytes
    pairings: int
    wrong_macs: int
    no_key: int
    locked_ms: int


def access(board: Board, link: int = USB, now_ms: int = 0) -> Access:
    body = board.ask(ACCESS, link=link, now_ms=now_ms).body
    flags, source, zero, *rest = struct.unpack("<BBH8sIIII", body)
    assert zero == 0
    return Access(flags, source, *rest)


def hello_flags(board: Board, link: int, nonce: int) -> tuple[int, bytes]:
    flags, zeros, found = struct.unpack("<B3s8s", board.hello(link, nonce).body[-12:])
    assert zeros == bytes(3)
    return flags, found


@pytest.fixture
def board() -> Board:
    """One link at the board, and one over the radio; both have a session."""
    board = Board()
    board.set_radio(RADIO)
    board.hello(USB)
    board.hello(RADIO)
    return board


@pytest.fixture
def paired(board: Board) -> tuple[Board, bytes]:
    key = board.pair()
    board.hello(RADIO)
    return board, key


def test_the_host_knows_the_same_rules() -> None:
    """Those of the device are held against these sets below."""
    found = {need: {int(o) for o in Opcode if need_of(o) is need} for need in Need}
    assert found == {
        Need.NOTHING: ANYBODY,
        Need.READING: READING,
        Need.CHANGE: CHANGES,
        Need.PHYSICAL: AT_THE_BOARD,
    }


# --- pairing ---------------------------------------------------------------------------------


def test_a_key_is_made_once_and_another_one_on_request(board: Board) -> None:
    assert hello_flags(board, USB, 1) == (PHYSICAL, bytes(8))
    assert refused(board.ask(PAIR, ROTATE)) == (NOT_FOUND, "key")
    first = board.ask(PAIR, FIRST)
    assert (first.status, len(first.body), first.sealed) == (OK, 32, False)
    assert hello_flags(board, USB, 1) == (PAIRED | PHYSICAL, key_id(first.body))
    assert refused(board.ask(PAIR, FIRST)) == (EXISTS, "key")
    second = board.ask(PAIR, ROTATE).body
    assert second != first.body
    found = access(board)
    assert (found.flags, found.key_id, found.pairings) == (PAIRED | PHYSICAL, key_id(second), 2)


def test_a_board_without_random_numbers_makes_no_key_and_no_challenge() -> None:
    board = Board()
    board.give_random(bytes(32))  # no seed: all alike
    board.hello()
    assert access(board).source == 0
    assert refused(board.ask(PAIR, FIRST)) == (UNSUPPORTED, "random")
    board.give_random(SEED)
    assert access(board).source == 2
    assert board.ask(PAIR, FIRST).status == OK
    board.give_random(bytes(32))
    assert refused(board.ask(CHALLENGE, bytes(16))) == (UNSUPPORTED, "random")


def test_whoever_lost_the_reply_to_pair_gets_it_again_until_they_leave(board: Board) -> None:
    key = board.ask(PAIR, FIRST).body
    (again,) = board.write(board.current(PAIR, FIRST))
    assert again.body == key
    lib.tinyol_board_drop(board.handle, USB)
    board.hello(USB)
    (gone,) = board.write(board.current(PAIR, FIRST))
    assert gone.status == BAD_SEQUENCE
    board.sequences[USB] = 1
    assert refused(board.ask(PAIR, FIRST)) == (EXISTS, "key")


def test_a_new_key_is_told_in_the_session_of_the_old_one_which_ends(
    paired: tuple[Board, bytes],
) -> None:
    board, key = paired
    for link in (USB, RADIO):
        assert board.authenticate(key, link).status == OK
    reply = board.ask(PAIR, ROTATE)
    assert (reply.status, reply.sealed) == (OK, True)  # its MAC, by the old key, was checked
    board.seals.clear()
    assert board.ask(PING).status == OK
    assert access(board).flags == PAIRED | PHYSICAL
    assert board.ask(PING, link=RADIO).status == NO_SESSION
    assert hello_flags(board, RADIO, 1) == (PAIRED, key_id(reply.body))
    assert refused(board.authenticate(key, RADIO)) == (NOT_AUTHENTICATED, "mac")
    assert board.authenticate(reply.body, RADIO).status == OK


# --- a live session --------------------------------------------------------------------------


def test_the_handshake_is_as_specified(paired: tuple[Board, bytes]) -> None:
    board, key = paired
    host = bytes(range(100, 116))
    device = board.ask(CHALLENGE, host, RADIO)
    assert (len(device.body), device.sealed) == (16, False)
    assert board.ask(CHALLENGE, host, RADIO).body != device.body
    (device,) = board.write(board.current(CHALLENGE, host, RADIO), RADIO)
    session, number = board.sessions[RADIO], board.sequences[RADIO] + 1
    derived = session_key(key, host, device.body, session, BOOT_ID)
    text = struct.pack("<BBBBHHIHH", 2, 1, AUTHENTICATE, 1, session, number, BOOT_ID, 0, 0)
    (reply,) = board.write(text + mac(derived, 1, number, text), RADIO)
    assert (reply.status, reply.sealed) == (OK, True)
    identity = board.hello(RADIO).body
    assert reply.body == identity  # HELLO's own fields, and now nobody can have changed them
    assert identity[-12] == PAIRED | AUTHENTICATED


def test_all_that_is_said_in_a_live_session_has_a_mac(paired: tuple[Board, bytes]) -> None:
    """Board checks each one."""
    board, key = paired
    assert board.authenticate(key, RADIO).status == OK
    assert board.ask(STREAM, b"\x1f", RADIO).sealed
    board.set_condition(0, 2, "a condition")
    board.sense(noise(200))
    assert board.ask(CLASS_ADD, name("a"), RADIO).sealed
    assert board.ask(CLASS_ADD, name("a"), RADIO).sealed  # refused
    assert board.ask(99, link=RADIO).sealed
    board.replies(RADIO)
    events = [event for event in board.events if event.link == RADIO]
    assert {event.opcode for event in events} >= {1, 2, CHANGED, LOG}
    assert all(event.sealed for event in events)
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))


def test_exactly_once_holds_in_a_live_session(paired: tuple[Board, bytes]) -> None:
    board, key = paired
    board.authenticate(key, RADIO)
    first = board.ask(CLASS_ADD, name("a"), RADIO)
    for payload in (name("a"), b""):  # a repeat may leave out the payload
        (again,) = board.write(board.current(CLASS_ADD, payload, RADIO), RADIO)
        assert again == first
    board.hello(RADIO)  # back after a cut: the session is live still
    (again,) = board.write(board.current(CLASS_ADD, name("a"), RADIO), RADIO)
    assert again == first
    board.sequences[RADIO] += 1
    early = board.ask(PING, link=RADIO)
    assert (early.status, early.sealed) == (BAD_SEQUENCE, True)
    board.sequences[RADIO] -= 2
    assert board.ask(CLASS_ADD, name("b"), RADIO).body == b"\1\0\0\0"


def test_a_session_of_more_requests_than_a_sequence_counts(paired: tuple[Board, bytes]) -> None:
    board, key = paired
    board.authenticate(key, RADIO)
    for _ in range(0x10000 + 10):
        assert board.ask(PING, link=RADIO).sealed
    assert board.seals[RADIO].number == 0x10000 + 12


def test_a_session_is_not_live_after_20_s_without_a_new_request(
    paired: tuple[Board, bytes],
) -> None:
    board, key = paired
    board.authenticate(key, RADIO, now_ms=1000)
    assert board.ask(PING, link=RADIO, now_ms=21000).sealed
    (again,) = board.write(board.current(PING, link=RADIO), RADIO, 41000)
    assert again.sealed
    held_back = board.current(CLASS_ADD, name("late"), RADIO)
    board.tick(41001)
    assert board.ask(PING, link=RADIO, now_ms=41001).status == NO_SESSION
    board.hello(RADIO, now_ms=41001)
    (late,) = board.write(held_back, RADIO, 41001)
    assert (refused(late), late.sealed) == ((NOT_AUTHENTICATED, "mac"), False)
    assert board.authenticate(key, RADIO, 41001).status == OK


def test_a_live_session_takes_no_other_key(paired: tuple[Board, bytes]) -> None:
    board, key = paired
    board.authenticate(key, RADIO)
    assert refused(board.ask(CHALLENGE, bytes(16), RADIO)) == (EXISTS, "session")
    assert board.ask(AUTHENTICATE, link=RADIO).status == OK
    board.hello(RADIO, nonce=2)
    assert refused(board.ask(CLASS_ADD, name("a"), RADIO)) == (NOT_AUTHENTICATED, "key")


# --- failures --------------------------------------------------------------------------------


def test_who_does_not_know_the_key_is_told_counted_and_slowed_down(
    paired: tuple[Board, bytes],
) -> None:
    board, key = paired
    board.ask(STREAM, b"\x08")  # the log
    wrong = bytes(32)
    for failures in range(1, 6):
        assert refused(board.authenticate(wrong, RADIO)) == (NOT_AUTHENTICATED, "mac")
        assert access(board).wrong_macs == failures
    assert [text[12:].decode() for text in board.told(LOG)] == [
        "refused: a message with a wrong MAC"
    ]
    locked = board.authenticate(key, RADIO)
    assert refused(locked) == (LOCKED, "key")
    assert struct.unpack_from("<I", locked.body, 32) == (1000,)
    assert access(board, RADIO).locked_ms == 1000
    assert access(board, USB).locked_ms == 0  # a lock is the link's own
    assert board.authenticate(key, USB).status == OK
    assert board.authenticate(key, RADIO, now_ms=1000).status == OK
    assert access(board, RADIO, now_ms=1000).locked_ms == 0


def test_a_challenge_is_good_for_one_try(paired: tuple[Board, bytes]) -> None:
    board, key = paired
    host = bytes(16)
    device = board.ask(CHALLENGE, host, RADIO).body
    session, number = board.sessions[RADIO], board.sequences[RADIO] + 1
    derived = session_key(key, host, device, session, BOOT_ID)
    text = struct.pack("<BBBBHHIHH", 2, 1, AUTHENTICATE, 1, session, number, BOOT_ID, 0, 0)
    right = text + mac(derived, 1, number, text)
    for message in (right[:-1] + bytes([right[-1] ^ 1]), right):
        (reply,) = board.write(message, RADIO)
        assert refused(reply) == (NOT_AUTHENTICATED, "mac")
    bare = text[:3] + b"\0" + text[4:]
    (reply,) = board.write(bare, RADIO)
    assert refused(reply) == (NOT_AUTHENTICATED, "mac")
    assert access(board, RADIO).flags == PAIRED


def test_while_a_link_is_locked_its_live_session_goes_on_and_the_wrong_is_not_answered(
    paired: tuple[Board, bytes],
) -> None:
    board, key = paired
    board.authenticate(key, RADIO)
    board.sequences[RADIO] += 1
    right = board.current(CLASS_ADD, name("a"), RADIO)
    wrong = right[:-1] + bytes([right[-1] ^ 1])
    for _ in range(5):
        (reply,) = board.write(wrong, RADIO)
        assert (refused(reply), reply.sealed) == ((NOT_AUTHENTICATED, "mac"), False)
    for _ in range(100):
        assert board.write(wrong, RADIO) == []
    (done,) = board.write(right, RADIO)
    assert (done.status, done.sealed) == (OK, True)
    found = access(board, RADIO)
    assert (found.wrong_macs, found.locked_ms) == (105, 1000)


def test_without_a_key_there_is_nothing_to_authenticate_by(board: Board) -> None:
    assert refused(board.ask(CHALLENGE, bytes(16), RADIO)) == (NOT_FOUND, "key")
    board.sequences[RADIO] += 1
    (reply,) = board.write(board.current(AUTHENTICATE, link=RADIO), RADIO)
    assert refused(reply) == (NOT_AUTHENTICATED, "mac")


# --- who may ask for what --------------------------------------------------------------------


def answers(board: Board, link: int) -> dict[int, tuple[int, str]]:
    """To every opcode there is and is not, but for HELLO, and GOODBYE, which ends the session."""
    opcodes = [opcode for opcode in range(256) if opcode not in (1, GOODBYE, AUTHENTICATE)]
    # AUTHENTICATE is no other request: without a MAC it is not executed.
    return {opcode: refused(board.ask(opcode, b"\xff" * 41, link)) for opcode in opcodes}


def test_every_request_has_one_need(paired: tuple[Board, bytes]) -> None:
    board, key = paired
    strangers = answers(board, RADIO)
    needy = {op for op, found in strangers.items() if found == (NOT_AUTHENTICATED, "key")}
    assert needy == CHANGES
    assert {op for op, found in strangers.items() if found[0] == NOT_PHYSICAL} == AT_THE_BOARD
    assert access(board).no_key == len(CHANGES)
    wired = answers(board, USB)
    assert {op for op, found in wired.items() if found[0] == NOT_AUTHENTICATED} == CHANGES
    unknown = {op for op, found in strangers.items() if found[0] == UNKNOWN_REQUEST}
    known = ANYBODY | READING | CHANGES | AT_THE_BOARD
    assert unknown == set(range(256)) - known
    board.authenticate(key, RADIO)
    assert not any(found[0] == NOT_AUTHENTICATED for found in answers(board, RADIO).values())


def test_an_unpaired_board_is_changed_at_its_own_port_only(board: Board) -> None:
    strangers = answers(board, RADIO)
    needy = {op for op, found in strangers.items() if found == (NOT_AUTHENTICATED, "pair")}
    assert needy == CHANGES
    assert not any(found[0] == NOT_AUTHENTICATED for found in answers(board, USB).values())


def test_reading_may_need_the_key_too(paired: tuple[Board, bytes]) -> None:
    board, key = paired
    assert board.ask(STREAM, b"\x1f", RADIO).status == OK
    board.authenticate(key, USB)
    assert board.ask(ACCESS_SET, CLOSE).status == OK
    assert access(board, RADIO).flags == PAIRED | SHUT
    strangers = answers(board, RADIO)
    needy = {op for op, found in strangers.items() if found == (NOT_AUTHENTICATED, "reading")}
    assert needy == READING
    board.events.clear()
    board.sense(noise(200))  # its streams have ended, and it is told of no change
    assert board.ask(CLASS_ADD, name("secret")).status == OK
    board.replies(RADIO)
    assert [event for event in board.events if event.link == RADIO] == []
    board.authenticate(key, RADIO)
    assert board.ask(INFO, link=RADIO).status == OK
    assert board.ask(CLASS_ADD, name("told")).status == OK
    assert len(board.told(CHANGED, RADIO)) == 1
    assert board.ask(ACCESS_SET, OPEN).status == OK
    board.hello(RADIO, nonce=2)
    assert board.ask(INFO, link=RADIO).status == OK


def test_what_changes_nothing_learned_is_told_to_nobody(paired: tuple[Board, bytes]) -> None:
    board, key = paired
    board.ask(STREAM, b"\x04")  # changes by this link too
    board.authenticate(key)
    board.ask(ACCESS_SET, CLOSE)
    board.ask(ACCESS_SET, OPEN)
    board.ask(ACCESS)
    board.ask(PAIR, ROTATE)
    board.seals.clear()
    assert board.told(CHANGED) == []


# --- back to the factory ---------------------------------------------------------------------


def test_a_factory_reset_leaves_nothing(paired: tuple[Board, bytes]) -> None:
    board, key = paired
    fresh = Board().state()
    for link in (USB, RADIO):
        board.authenticate(key, link)
    board.ask(CLASS_ADD, name("a"))
    board.ask(NAME_SET, name("Pumpe"))
    board.ask(SETTING_SET, struct.pack("<HHf", 1, 0, 0.0))
    board.ask(ACCESS_SET, CLOSE)
    board.sense(noise(100))
    assert board.state() != fresh
    before = board.ask(INFO).body
    board.told(CHANGED, RADIO)
    reply = board.ask(FACTORY_RESET, b"RSET")
    assert (reply.status, reply.body, reply.sealed) == (OK, b"", True)
    assert [told[0] for told in board.told(CHANGED, RADIO)] == [RESET]
    board.seals.clear()
    assert board.state() == fresh
    assert board.ask(HARDWARE).body[20:] == bytes(24)
    assert access(board).flags == PHYSICAL
    assert board.ask(PING, link=RADIO).status == NO_SESSION
    assert board.ask(INFO).body[:64] != before[:64]
    assert refused(board.ask(66, bytes(4))) == (NOT_FOUND, "undo")
    assert board.ask(CLASS_ADD, name("b")).status == OK  # as a new board at its own port


def test_what_another_link_is_about_holds_up_a_factory_reset(
    paired: tuple[Board, bytes],
) -> None:
    board, key = paired
    board.authenticate(key, RADIO)
    board.ask(FEED_BEGIN, link=RADIO)
    assert refused(board.ask(FACTORY_RESET, b"RSET")) == (BUSY, "feeding")
    board.ask(30, link=RADIO)
    board.ask(IMAGE_GET, link=RADIO)
    assert refused(board.ask(FACTORY_RESET, b"RSET")) == (BUSY, "image transfer")
    assert access(board).flags == PAIRED | PHYSICAL


def test_a_board_without_a_model_has_a_key_too() -> None:
    board = Board(model=UNLOADED)
    board.hello()
    key = board.pair()
    assert refused(board.ask(NAME_SET, name("a"))) == (NOT_AUTHENTICATED, "key")
    assert board.authenticate(key).status == OK
    assert board.ask(NAME_SET, name("a")).status == OK
    assert board.ask(FACTORY_RESET, b"RSET").status == OK
    board.seals.clear()
    assert access(board).flags == PHYSICAL


# --- payloads and sizes ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("opcode", "payload"),
    [
        (ACCESS, b"\0"),
        (ACCESS_SET, b""),
        (ACCESS_SET, b"\2\0\0\0"),
        (ACCESS_SET, b"\1\0\0\1"),
        (ACCESS_SET, bytes(5)),
        (AUTHENTICATE, b"\0"),
        (CHALLENGE, bytes(15)),
        (CHALLENGE, bytes(17)),
        (FACTORY_RESET, b"RSE"),
        (FACTORY_RESET, b"RSETT"),
        (PAIR, b""),
        (PAIR, b"\2\0\0\0"),
        (PAIR, b"\1\1\0\0"),
        (PAIR, bytes(5)),
    ],
)
def test_payloads_that_are_none(paired: tuple[Board, bytes], opcode: int, payload: bytes) -> None:
    board, key = paired
    board.authenticate(key)
    assert refused(board.ask(opcode, payload)) == (MALFORMED, "payload")
    assert access(board).flags == PAIRED | AUTHENTICATED | PHYSICAL


def test_a_factory_reset_wants_to_be_meant(board: Board) -> None:
    board.pair()
    assert refused(board.ask(FACTORY_RESET, b"TESR")) == (BAD_VALUE, "confirmation")
    assert access(board).flags == PAIRED | PHYSICAL


def test_the_smallest_link_carries_all_of_it() -> None:
    """Board holds every message against the link's limit."""
    board = Board(max_message=136)
    board.hello()
    key = board.pair()
    assert board.authenticate(key).status == OK
    board.ask(STREAM, b"\x1f")
    for opcode in (INFO, WATCH, UNKNOWNS, HARDWARE, ACCESS):
        assert board.ask(opcode).status == OK
    board.set_condition(0, 2, "x" * 80)
    assert board.ask(51, b"\0").status == OK
    board.sense(noise(200))
    assert board.replies() == []
    assert len(board.events) > 10


def test_what_fits_is_the_same_in_a_session_that_is_live_and_one_that_is_not() -> None:
    lengths = []
    for live in (False, True):
        board = Board(max_message=200)
        board.hello()
        key = board.pair()
        board.hello(nonce=2)
        if live:
            board.authenticate(key)
        lengths.append(len(board.ask(8, b"\0\0").body))  # a page of settings
    assert lengths[0] == lengths[1] == 200 - 16 - 12 - 8  # header, outcome, trailer
