"""The GATT glue of the core: values, pieces, characteristics."""

from __future__ import annotations

import struct

import pytest
from board_in_process import noise
from gatt_in_process import BULK, CONTROL, EVENTS, LINK, GattBoard
from hypothesis import given
from hypothesis import strategies as st

from tinyol_host import gatt, requests
from tinyol_host.errors import ProtocolError
from tinyol_host.protocol import Kind, Opcode
from tinyol_host.replies import Identity, status_of
from tinyol_sim._core import ffi, lib

SIZES = [20, 21, 60, 179, 180, 244, 509]


@pytest.mark.parametrize("room", SIZES)
def test_every_request_is_answered_and_no_value_is_too_long(room: int) -> None:
    board = GattBoard(room)
    identity = Identity.from_bytes(board.hello().payload[12:])
    assert identity.max_message == (room if room >= 180 else 244)
    ((where, reply),) = board.ask(Opcode.CLASS_ADD, requests.class_add("tilted"))
    assert (where, status_of(reply.payload)) == (CONTROL, 0)
    for opcode, payload in (
        (Opcode.INFO, b""),
        (Opcode.METRICS, b""),
        (Opcode.SETTINGS_LIST, requests.settings_list()),
        (Opcode.WATCH, b""),
        (Opcode.PING, b""),
        (Opcode.ACCESS, b""),
    ):
        ((where, reply),) = board.ask(opcode, payload)
        assert (where, reply.kind, status_of(reply.payload)) == (CONTROL, Kind.REPLY, 0)
    assert max(len(value) for _, value in board.values) <= room
    in_pieces = [value for _, value in board.values if value[0] & 0x80]
    assert bool(in_pieces) == (room < 180)  # a page of settings fills a message


@pytest.mark.parametrize("room", [20, 244])
def test_a_reply_comes_by_the_characteristic_of_its_request(room: int) -> None:
    board = GattBoard(room)
    board.hello()
    assert [where for where, _ in board.ask(Opcode.PING, characteristic=BULK)] == [BULK]
    assert [where for where, _ in board.ask(Opcode.PING)] == [CONTROL]
    board.ask(Opcode.STREAM, b"\x03", characteristic=BULK)
    board.board.sense(noise(60))
    heard = board.take()
    assert {where for where, _ in heard} == {EVENTS}
    assert len([message for _, message in heard if message.opcode == 1]) > 5
    assert [message.sequence for _, message in heard] == list(range(1, len(heard) + 1))
    # What is written to a characteristic that only notifies is not heard.
    assert board.write(board.next(Opcode.PING), EVENTS) == []


def classes(board: GattBoard) -> int:
    ((_, reply),) = board.ask(Opcode.CLASSES_LIST, b"\0\0")
    return int(struct.unpack_from("<H", reply.payload, 12)[0])


@pytest.mark.parametrize("spoil", ["lost", "doubled", "swapped", "without a beginning"])
def test_a_spoiled_piece_costs_one_message_and_nothing_else(spoil: str) -> None:
    board = GattBoard(20)
    board.hello()
    assert classes(board) == 0
    request = board.next(Opcode.CLASS_ADD, requests.class_add("a long name"))
    pieces = gatt.split(request, 12)
    assert len(pieces) >= 3
    wrong = {
        "lost": [pieces[0], *pieces[2:]],
        "doubled": [pieces[0], pieces[1], pieces[1], *pieces[2:]],
        "swapped": [pieces[1], pieces[0], *pieces[2:]],
        "without a beginning": pieces[1:],
    }[spoil]
    for piece in wrong:
        assert board.write(piece) == []
    lib.tinyol_board_gatt_write(board.board.handle, LINK, CONTROL, b"", 0, 0)
    for piece in pieces:
        replies = board.write(piece)
    ((_, reply),) = replies
    assert status_of(reply.payload) == 0
    assert classes(board) == 1


def test_a_whole_message_ends_one_in_pieces() -> None:
    board = GattBoard(60)
    board.hello()
    first, *rest = gatt.split(board.next(Opcode.CLASS_ADD, requests.class_add("b")), 10)
    board.sequence -= 1  # it will not be executed
    board.write(first)
    assert len(board.write(board.next(Opcode.PING))) == 1
    for piece in rest:
        assert board.write(piece) == []


def test_pieces_that_are_too_many_are_dropped() -> None:
    board = GattBoard(244)
    board.hello()
    for number in range(64):
        last = 0x40 if number == 63 else 0
        assert board.write(bytes([0x80 | number | last]) + bytes(200)) == []
    assert len(board.ask(Opcode.PING)) == 1


def test_who_is_cut_off_in_a_message_begins_anew() -> None:
    board = GattBoard(20)
    board.hello()
    request = board.next(Opcode.CLASS_ADD, requests.class_add("c"))
    first, *rest = gatt.split(request, 20)
    board.write(first)
    lib.tinyol_board_gatt_close(board.board.handle, LINK)
    lib.tinyol_board_gatt_open(board.board.handle, LINK, 20)
    board.hello()
    for piece in rest:
        assert board.write(piece) == []
    for piece in (first, *rest):
        replies = board.write(piece)
    assert len(replies) == 1
    assert classes(board) == 1


def test_the_info_value_is_hellos() -> None:
    board = GattBoard(244)
    out = ffi.new("uint8_t[512]")
    length = lib.tinyol_board_gatt_info(board.board.handle, LINK, out)
    before = Identity.from_bytes(bytes(ffi.buffer(out, length)))
    assert before == Identity.from_bytes(board.hello().payload[12:])


@given(st.binary(min_size=1, max_size=512), st.integers(20, 512))
def test_pieces_make_the_message_again(message: bytes, max_value: int) -> None:
    message = b"\x02" + message[1:]  # the protocol version: no piece begins so
    values = gatt.split(message, max_value)
    assert max(map(len, values)) <= max_value
    pieces = gatt.Assembler()
    whole = [found for value in values if (found := pieces.add(value)) is not None]
    assert (whole, pieces.dropped) == ([message], 0)


@given(st.lists(st.binary(max_size=30), max_size=30))
def test_rubbish_among_the_pieces_costs_what_it_hits_only(values: list[bytes]) -> None:
    pieces = gatt.Assembler()
    for value in values:
        pieces.add(value)
    message = bytes(range(1, 100))
    *_, found = [pieces.add(value) for value in gatt.split(message, 20)]
    assert found == message


def test_what_cannot_be_numbered_is_refused() -> None:
    with pytest.raises(ProtocolError, match="cannot go in values of 4 bytes"):
        gatt.split(bytes(512), 4)
