"""Messages in pieces against messages whole, both ways and at every size, by the C face alone."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable

import pytest
from board_in_process import OK, Board, feed, name, noise
from gatt_in_process import BULK, CONTROL, EVENTS, LINK, GattBoard
from hypothesis import given
from hypothesis import strategies as st

from tinyol_host import gatt
from tinyol_host.protocol import Kind, Message, Opcode
from tinyol_host.replies import Identity, Info, status_of
from tinyol_sim._core import ffi, lib

# By the bytes that a notification may have: the longest message.
MAX_MESSAGE = {20: 244, 30: 244, 179: 244, 180: 180, 244: 244, 509: 509}
OUTCOME_BYTES, OVERHEAD_BYTES = 12, 36  # header, outcome and trailer
BAD_CHECKSUM, NO_SESSION = -11, -19
BY = [CONTROL, BULK]
SIZES = pytest.mark.parametrize("room", MAX_MESSAGE)


def opened(room: int = 20) -> GattBoard:
    link = GattBoard(room)
    link.hello()
    return link


def write(link: GattBoard, values: list[bytes], by: int = CONTROL) -> list[tuple[int, Message]]:
    return [heard for value in values for heard in link.write(value, by)]


def reply_to(
    link: GattBoard, opcode: Opcode, payload: bytes = b"", by: int = CONTROL
) -> tuple[int, bytes]:
    """Status and own fields, by the characteristic of the request and by no other."""
    ((where, reply),) = link.ask(opcode, payload, by)
    assert (where, reply.kind, reply.opcode) == (by, Kind.REPLY, opcode)
    return status_of(reply.payload), reply.payload[OUTCOME_BYTES:]


def values_fit(link: GattBoard) -> bool:
    return max(len(value) for _, value in link.values) <= link.room


def malformed(link: GattBoard) -> int:
    """Messages that the board has not understood, as it says by USB."""
    link.board.hello(nonce=99)
    return Info.from_bytes(0, link.board.ask(Opcode.INFO).body).malformed


# --- both ways -------------------------------------------------------------------------------


@SIZES
def test_what_is_fed_in_pieces_is_what_was_fed_whole(room: int) -> None:
    whole, link = Board(max_message=MAX_MESSAGE[room]), opened(room)
    whole.hello()
    most = (MAX_MESSAGE[room] - 28) // 12
    x = noise(10 * most)
    script: list[tuple[Opcode, bytes]] = [(Opcode.FEED_BEGIN, b"")]
    script += [(Opcode.FEED, feed(list(x[i : i + most]))) for i in range(0, len(x), most)]
    for opcode, payload in script:
        assert reply_to(link, opcode, payload, BULK) == (OK, whole.ask(opcode, payload).body)
    assert link.board.state() == whole.state()
    assert values_fit(link)
    assert malformed(link) == 0


@SIZES
@pytest.mark.parametrize("by", BY)
def test_every_reply_is_that_of_another_link(room: int, by: int) -> None:
    whole, link = Board(max_message=MAX_MESSAGE[room]), opened(room)
    whole.hello()
    longest = MAX_MESSAGE[room] - OVERHEAD_BYTES
    script = [(Opcode.CLASS_ADD, name(f"class {i}")) for i in range(4)]
    asked = (Opcode.INFO, Opcode.PING, Opcode.METRICS, Opcode.ALARMS, Opcode.UNKNOWNS, Opcode.WATCH)
    script += [(opcode, b"") for opcode in asked]
    paged = (Opcode.SETTINGS_LIST, Opcode.CLASSES_LIST, Opcode.CLASS_STATUS)
    script += [(opcode, b"\0\0") for opcode in paged]
    script += [(Opcode.IMAGE_GET, b"")]
    script += [(Opcode.IMAGE_READ, struct.pack("<II", 0, longest))]
    for opcode, payload in script:
        reply = whole.ask(opcode, payload)
        assert reply_to(link, opcode, payload, by) == (reply.status, reply.body)
    assert len(reply.body) == longest
    assert values_fit(link)


@given(room=st.integers(20, 512), at=st.integers(0, 1000), n=st.integers(1, 484))
def test_a_notification_is_never_longer_than_allowed(room: int, at: int, n: int) -> None:
    link = opened(room)
    image = link.board.state()
    longest = (room if room >= 180 else 244) - OVERHEAD_BYTES
    at = min(at, len(image) - 1)
    n = min(n, longest, len(image) - at)
    assert reply_to(link, Opcode.IMAGE_GET)[0] == OK
    chunk = reply_to(link, Opcode.IMAGE_READ, struct.pack("<II", at, n))
    assert chunk == (OK, image[at : at + n])
    assert values_fit(link)


@given(
    image=st.binary(min_size=24, max_size=500), value=st.integers(5, 512), by=st.sampled_from(BY)
)
def test_any_bytes_arrive_as_they_were_sent(image: bytes, value: int, by: int) -> None:
    link = opened()
    announced = struct.pack("<II", len(image), zlib.crc32(image))
    assert reply_to(link, Opcode.IMAGE_PUT, announced)[0] == OK
    for at in range(0, len(image), 224):
        chunk = link.next(Opcode.IMAGE_WRITE, struct.pack("<I", at) + image[at : at + 224])
        ((where, reply),) = write(link, gatt.split(chunk, value), by)
        done = struct.pack("<I", min(at + 224, len(image)))
        assert (where, reply.payload[OUTCOME_BYTES:]) == (by, done)
    assert reply_to(link, Opcode.IMAGE_COMMIT)[0] not in (OK, BAD_CHECKSUM)  # it is no image


def test_a_notification_that_grew_is_made_use_of() -> None:
    link = opened(20)
    before = len(link.values)
    reply_to(link, Opcode.INFO)
    assert len(link.values) > before + 1
    lib.tinyol_board_gatt_open(link.board.handle, LINK, 244)  # the MTU was exchanged after HELLO
    before = len(link.values)
    reply_to(link, Opcode.INFO)
    assert len(link.values) == before + 1


def test_a_remembered_reply_that_is_too_long_by_now_comes_in_pieces() -> None:
    link = opened(509)
    reply_to(link, Opcode.IMAGE_GET)
    read = link.next(Opcode.IMAGE_READ, struct.pack("<II", 0, 400))
    ((_, first),) = write(link, [read])
    lib.tinyol_board_gatt_close(link.board.handle, LINK)
    lib.tinyol_board_gatt_open(link.board.handle, LINK, 20)
    link.room, link.values = 20, []
    link.hello()
    ((_, again),) = write(link, gatt.split(read, 20))
    assert again == first
    assert values_fit(link)


# --- pieces that go astray -------------------------------------------------------------------

Fault = Callable[[list[bytes], int], list[bytes]]


def lose(pieces: list[bytes], i: int) -> list[bytes]:
    return pieces[:i] + pieces[i + 1 :]


def double(pieces: list[bytes], i: int) -> list[bytes]:
    return [*pieces[: i + 1], *pieces[i:]]


def swap(pieces: list[bytes], i: int) -> list[bytes]:
    """With the next one; the last with the first."""
    swapped, j = list(pieces), (i + 1) % len(pieces)
    swapped[i], swapped[j] = pieces[j], pieces[i]
    return swapped


def end_early(pieces: list[bytes], i: int) -> list[bytes]:
    return pieces[:i]


FAULTS = st.sampled_from([lose, double, swap, end_early])


@given(
    fault=FAULTS,
    hit=st.integers(0, 5),
    piece=st.integers(0, 100),
    by=st.sampled_from(BY),
    value=st.integers(20, 140),
)
def test_a_piece_astray_costs_one_message_and_nothing_else(
    fault: Fault, hit: int, piece: int, by: int, value: int
) -> None:
    spoiled, clean = opened(), opened()
    x = noise(6 * 12)
    for link in (spoiled, clean):
        assert reply_to(link, Opcode.FEED_BEGIN)[0] == OK
    answered = []
    for i in range(6):
        payload = feed(list(x[12 * i : 12 * i + 12]))
        assert reply_to(clean, Opcode.FEED, payload)[0] == OK
        pieces = gatt.split(spoiled.next(Opcode.FEED, payload), value)
        sent = fault(pieces, piece % len(pieces)) if i == hit else pieces
        replies = write(spoiled, sent, by)
        answered.append(len(replies))
        if not replies:  # the repeat that a peer sends
            replies = write(spoiled, pieces, by)
        ((where, reply),) = replies
        assert (where, status_of(reply.payload)) == (by, OK)
    assert answered[:hit] + answered[hit + 1 :] == [1] * 5
    assert spoiled.board.state() == clean.board.state()
    assert malformed(spoiled) == 0  # no half message was taken for one


def test_pieces_follow_one_another_on_their_characteristic() -> None:
    link = opened()
    first, second = gatt.split(link.next(Opcode.PING), 16)
    assert link.write(first, BULK) == []
    assert link.write(second, CONTROL) == []
    assert link.write(second, BULK) == []
    assert len(write(link, [first, second], BULK)) == 1


@given(st.lists(st.tuples(st.sampled_from([CONTROL, EVENTS, BULK]), st.binary(max_size=512))))
def test_nonsense_is_ignored(values: list[tuple[int, bytes]]) -> None:
    link = opened()
    before = link.board.state()
    for characteristic, value in values:
        if value[:2] != b"\2\1":
            assert link.write(value, characteristic) == []
    assert reply_to(link, Opcode.PING) == (OK, b"")
    assert link.board.state() == before


def test_nobody_is_told_after_the_connection_has_ended() -> None:
    link = opened()
    assert reply_to(link, Opcode.STREAM, b"\3")[0] == OK
    lib.tinyol_board_gatt_close(link.board.handle, LINK)
    link.board.sense(noise(40))
    lib.tinyol_board_gatt_open(link.board.handle, LINK, 20)
    assert link.take() == []
    ((_, reply),) = link.ask(Opcode.PING)
    assert status_of(reply.payload) == NO_SESSION
    hello = link.hello()  # with the nonce of before: the session goes on, but not its streams
    last = Identity.from_bytes(hello.payload[OUTCOME_BYTES:]).last_sequence
    assert last == 3  # CHALLENGE, AUTHENTICATE, STREAM
    link.sequence = last
    link.board.sense(noise(40))
    assert link.take() == []
    assert reply_to(link, Opcode.PING) == (OK, b"")


@SIZES
def test_the_info_value_is_hellos_before_there_is_a_session(room: int) -> None:
    def info() -> bytes:
        out = ffi.new("uint8_t[512]")
        length = lib.tinyol_board_gatt_info(link.board.handle, LINK, out)
        return bytes(ffi.buffer(out, length))

    link = GattBoard(room)
    identity = Identity.from_bytes(info())
    assert (identity.board, identity.max_message) == ("sim", MAX_MESSAGE[room])
    assert info() == link.hello().payload[OUTCOME_BYTES:]
    for _ in range(3):
        reply_to(link, Opcode.PING)
    assert Identity.from_bytes(info()) == identity  # whoever reads it has no session
    again = Identity.from_bytes(link.hello().payload[OUTCOME_BYTES:])
    assert (again.last_sequence, again.is_authenticated) == (5, True)


# --- the host's side -------------------------------------------------------------------------

MESSAGES = st.binary(min_size=1, max_size=512).map(lambda m: b"\1" + m[1:])


@given(st.lists(st.tuples(MESSAGES, st.integers(10, 520))))
def test_what_was_split_is_put_together_one_after_the_other(sent: list[tuple[bytes, int]]) -> None:
    pieces, got = gatt.Assembler(), []
    for message, value in sent:
        values = gatt.split(message, value)
        assert all(pieces.add(part) is None for part in values[:-1])
        got.append(pieces.add(values[-1]))
    assert got == [message for message, _ in sent]
    assert pieces.dropped == 0


@given(
    fault=FAULTS,
    piece=st.integers(0, 100),
    value=st.integers(10, 200),
    sent=st.lists(MESSAGES, min_size=3, max_size=3),
)
def test_the_host_loses_one_message_at_most(
    fault: Fault, piece: int, value: int, sent: list[bytes]
) -> None:
    pieces = gatt.Assembler()
    before, spoiled, after = (gatt.split(message, value) for message in sent)
    wrong = fault(spoiled, piece % len(spoiled))
    got = [pieces.add(part) for part in (*before, *wrong, *after)]
    arrived = [message for message in got if message is not None]
    assert (arrived[0], arrived[-1]) == (sent[0], sent[2])
    assert set(arrived[1:-1]) <= {sent[1]}
    if len(arrived) < 3:
        assert pieces.dropped or not wrong


@given(st.lists(st.binary(max_size=512)))
def test_what_the_host_puts_together_is_never_longer_than_a_message(values: list[bytes]) -> None:
    pieces = gatt.Assembler()
    for value in values:
        message = pieces.add(value)
        assert message is None or len(message) <= 512
    assert pieces.add(b"\1 whole") == b"\1 whole"


def test_the_first_byte_of_a_piece() -> None:
    assert gatt.split(bytes(range(1, 8)), 4) == [b"\x80\1\2\3", b"\x81\4\5\6", b"\xc2\7"]
    assert gatt.split(b"\1\2\3\4", 4) == [b"\1\2\3\4"]
    assert [part[0] for part in gatt.split(bytes(64), 2)] == [*range(0x80, 0xBF), 0xFF]
