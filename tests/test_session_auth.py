"""Session keys and MACs against hashlib, and everything that a MAC must not let pass."""

from __future__ import annotations

import pytest
from access_library import REPLY_OR_EVENT, REQUEST, SessionAuth, load_access
from hypothesis import given
from hypothesis import strategies as st
from session_by_hand import mac, session_key

KEY, HOST, DEVICE = bytes(range(32)), bytes(range(50, 66)), bytes(range(90, 106))
MESSAGES = st.binary(min_size=16, max_size=504)
COUNTERS = st.integers(0, 2**64 - 1)
pytestmark = pytest.mark.usefixtures("access_library")


def live(key: bytes = KEY, session: int = 3, boot_id: int = 77) -> SessionAuth:
    auth = SessionAuth()
    auth.challenge(key, HOST, DEVICE, session, boot_id)
    auth.confirm()
    return auth


@given(
    key=st.binary(min_size=32, max_size=32),
    host=st.binary(min_size=16, max_size=16),
    device=st.binary(min_size=16, max_size=16),
    session=st.integers(0, 0xFFFF),
    boot_id=st.integers(0, 0xFFFFFFFF),
    counter=COUNTERS,
    direction=st.sampled_from([REQUEST, REPLY_OR_EVENT]),
    message=MESSAGES,
    answered=st.none() | st.binary(min_size=8, max_size=8),
)
def test_the_bytes_are_as_specified(
    key: bytes,
    host: bytes,
    device: bytes,
    session: int,
    boot_id: int,
    counter: int,
    direction: int,
    message: bytes,
    answered: bytes | None,
) -> None:
    auth = SessionAuth()
    auth.challenge(key, host, device, session, boot_id)
    derived = session_key(key, host, device, session, boot_id)
    expected = mac(derived, direction, counter, message, answered or bytes(8))
    assert auth.seal(direction, counter, message, answered) == message + expected
    if answered is None:
        assert auth.verify(direction, counter, message + expected)


@given(MESSAGES, COUNTERS, st.integers(0, 4095), st.integers(0, 63))
def test_no_other_message_counter_direction_or_session_passes(
    message: bytes, counter: int, bit: int, counter_bit: int
) -> None:
    auth = live()
    sealed = auth.seal(REQUEST, counter, message)
    assert auth.verify(REQUEST, counter, sealed)
    spoiled = bytearray(sealed)
    spoiled[bit // 8 % len(sealed)] ^= 1 << bit % 8
    assert not auth.verify(REQUEST, counter, bytes(spoiled))
    assert not auth.verify(REQUEST, counter, sealed[:-1])
    assert not auth.verify(REQUEST, counter, sealed + b"\0")
    assert not auth.verify(REQUEST, counter ^ 1 << counter_bit, sealed)
    assert not auth.verify(REPLY_OR_EVENT, counter, sealed)
    for other in (live(session=4), live(boot_id=78), live(bytes(32))):
        assert not other.verify(REQUEST, counter, sealed)


def test_a_reply_is_bound_to_the_request_it_answers() -> None:
    auth, message = live(), bytes(28)
    asked, other = b"12345678", b"12345679"
    replies = {auth.seal(REPLY_OR_EVENT, 1, message, answered) for answered in (asked, other)}
    assert len(replies | {auth.seal(REPLY_OR_EVENT, 1, message)}) == 3


def test_nothing_passes_without_a_key() -> None:
    auth, message = SessionAuth(), bytes(16)
    unkeyed = auth.seal(REQUEST, 1, message)
    assert auth.state == (False, False)
    assert not auth.verify(REQUEST, 1, unkeyed)
    auth.confirm()  # there is nothing to confirm
    assert auth.state == (False, False)
    auth.challenge(KEY, HOST, DEVICE, 1, 1)
    assert auth.state == (True, False)
    auth.confirm()
    assert auth.state == (False, True)
    auth.forget()
    assert auth.state == (False, False)
    assert auth.is_wiped
    assert not auth.verify(REQUEST, 1, auth.seal(REQUEST, 1, message))


@pytest.mark.parametrize("length", range(24))
def test_what_has_no_room_for_a_trailer_does_not_pass(length: int) -> None:
    assert not live().verify(REQUEST, 0, bytes(length))


@given(st.integers(0, 2**63), st.integers(-0x8000, 0x7FFF))
def test_a_requests_number_is_the_nearest_that_ends_so(executed: int, ahead: int) -> None:
    number = (executed + ahead) % 2**64
    assert load_access().lib.tinyol_access_number(executed, number & 0xFFFF) == number
