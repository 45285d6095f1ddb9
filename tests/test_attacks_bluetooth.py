"""Attacks by values written to the GATT service: spliced, reordered, oversized, by two centrals."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from itertools import permutations

import attack_count
import numpy as np
from attacked_board import LESSON, PING, hello
from board_in_process import BOOT_ID, Board, name, request
from image_surgery import sections_of
from session_by_hand import Seal, flagged, session_key
from wire_by_hand import AUTHENTICATE, CHALLENGE, CLASS_ADD, HARDWARE, LABEL, NAME_SET

from tinyol_host.gatt import Assembler, split
from tinyol_sim._core import ffi, lib

KIND = "values over Bluetooth"
USB, RADIO = 0, 1
CONTROL, EVENTS, BULK = 0, 1, 2
ROOM = 20  # bytes of a notification: of the smallest MTU


class Air:
    """A paired board behind a GATT service, and its owner's authenticated session."""

    def __init__(self, room: int = ROOM) -> None:
        self.board = Board()
        self.board.hello(USB)
        self.key = self.board.pair(link=USB)
        self.room, self.sequence = room, 0
        self._pieces = {number: Assembler() for number in (CONTROL, EVENTS, BULK)}
        lib.tinyol_board_gatt_open(self.board.handle, RADIO, room)
        (reply,) = self.write(hello(7))
        (self.session,) = struct.unpack_from("<H", reply, 4)
        challenge = self.ask(CHALLENGE, bytes(16))[28:]
        derived = session_key(self.key, bytes(16), challenge, self.session, BOOT_ID)
        self.seal = Seal(derived, 1, 0)
        assert self.ask(AUTHENTICATE)[16] == 0
        for text in ("normal", "broken"):
            assert self.ask(CLASS_ADD, name(text))[16] == 0

    def values(self, opcode: int, payload: bytes = b"") -> list[bytes]:
        """The owner's next message as the values that go over the air."""
        self.sequence += 1
        message = request(opcode, payload, self.session, self.sequence, BOOT_ID)
        if hasattr(self, "seal"):
            message = self.seal.request(message)
        return list(split(message, self.room))

    def write(self, *values: bytes, to: int = CONTROL) -> list[bytes]:
        """Values to the board; the replies out, whole."""
        replies = []
        for value in values:
            lib.tinyol_board_gatt_write(self.board.handle, RADIO, to, value, len(value), 0)
            replies += list(self._taken())
        return replies

    def _taken(self) -> Iterator[bytes]:
        out, which = ffi.new("uint8_t[512]"), ffi.new("uint8_t *")
        while length := lib.tinyol_board_gatt_take(self.board.handle, RADIO, which, out):
            message = self._pieces[which[0]].add(bytes(ffi.buffer(out, length)))
            if message is not None and message[1] == 2:
                yield message

    def ask(self, opcode: int, payload: bytes = b"") -> bytes:
        """A request of the owner's, and its reply."""
        (reply,) = self.write(*self.values(opcode, payload))
        if hasattr(self, "seal"):
            assert self.seal.is_right(reply)
        return reply

    def taught(self) -> list[tuple[bytes, bytes]]:
        """What lessons and commands alone change, after some windows that a label would take."""
        rng = np.random.default_rng(1)
        self.board.sense(rng.normal(0, 0.2, (40, 3)).astype(np.float32))
        parts = sections_of(self.board.state())
        return [part for part in parts if part[0] in (b"SETT", b"CLAS", b"SOFT", b"GAUS", b"REHE")]


def test_pieces_out_of_order_make_no_message() -> None:
    """Every order of a sealed LABEL's pieces but the right one, and then that one."""
    air = Air()
    pieces = air.values(LABEL, LESSON)
    assert len(pieces) == 2
    longer = Air(room=12)
    long_pieces = longer.values(LABEL, LESSON)
    assert len(long_pieces) == 3
    for victim, right in ((air, pieces), (longer, long_pieces)):
        before = victim.taught()
        for n in range(1, len(right) + 1):
            for order in permutations(right, n):
                if list(order) == right:
                    continue
                attack_count.tried(KIND)
                victim.write(b"\xbf")  # what the last order began is not ended by this one
                assert victim.write(*order) == []
                assert victim.taught() == before
                attack_count.beaten(KIND)
        assert victim.write(*right)[0][16] == 0  # the session was not harmed
        assert victim.taught() != before


def test_pieces_of_two_writers_are_not_spliced() -> None:
    """A second writer's piece before, between, behind and in place of each of the owner's."""
    air = Air(room=12)
    for opcode, payload in ((LABEL, LESSON), (CLASS_ADD, name("more"))):
        evil = list(split(request(opcode, payload, air.session, air.sequence + 1, BOOT_ID), 12))
        right = air.values(LABEL, struct.pack("<hHI", 1, 0, 5))
        before = air.taught()
        for characteristic in (CONTROL, BULK):
            for at in range(len(right) + 1):
                for piece in evil:
                    attack_count.tried(KIND, 2)
                    for value in right[:at]:
                        assert air.write(value) == [] or at == len(right)
                    if at < len(right):
                        for reply in air.write(piece, *right[at + 1 :], to=characteristic):
                            assert reply[16] >= 128  # refused
                            assert not reply[3]
                        assert air.taught() == before
                    attack_count.beaten(KIND, 2)
            if characteristic == CONTROL:
                before = air.taught()  # the owner's own message was whole once
                assert air.ask(LABEL, struct.pack("<hHI", -1, 0, 0))[16] == 0
                right = air.values(LABEL, struct.pack("<hHI", 1, 0, 5))
                before = air.taught()
        assert air.ask(PING)[16] == 0
        assert air.ask(LABEL, struct.pack("<hHI", -1, 0, 0))[16] == 0


def test_a_message_begun_by_one_central_is_not_ended_by_another() -> None:
    air = Air(room=12)
    pieces = air.values(LABEL, LESSON)
    before = air.taught()
    for n in range(1, len(pieces)):
        attack_count.tried(KIND)
        assert air.write(*pieces[:n]) == []
        lib.tinyol_board_gatt_close(air.board.handle, RADIO)
        lib.tinyol_board_gatt_open(air.board.handle, RADIO, 12)
        assert air.write(*pieces[n:]) == []
        assert air.taught() == before
        attack_count.beaten(KIND)


def test_a_second_central_has_nothing_of_the_first_ones_session() -> None:
    """The owner's link is cut; whoever comes next knows nonce, session, boot id and numbers."""
    air = Air(room=100)
    heard = air.values(LABEL, LESSON)
    assert air.write(*heard)[0][16] == 0
    assert air.ask(LABEL, struct.pack("<hHI", -1, 0, 0))[16] == 0
    before = air.taught()
    due = air.sequence + 1
    for nonce in (7, 8):
        lib.tinyol_board_gatt_close(air.board.handle, RADIO)
        lib.tinyol_board_gatt_open(air.board.handle, RADIO, 100)
        (reply,) = air.write(hello(nonce))
        (session,) = struct.unpack_from("<H", reply, 4)
        for sequence in (due, 1, 2, 3):
            message = request(LABEL, LESSON, session, sequence, BOOT_ID)
            for forged in (message, flagged(message) + bytes(8), flagged(message) + heard[0][-8:]):
                attack_count.tried(KIND)
                for answer in air.write(forged) + air.write(*heard):
                    assert answer[16] >= 128
                attack_count.beaten(KIND)
    assert air.taught() == before


def test_oversized_values_are_dropped_whole() -> None:
    """Of any length, as one value and as pieces without end."""
    air = Air()
    before, rng = air.taught(), np.random.default_rng(2)
    for length in (0, 1, 2, 15, 17, 243, 244, 245, 246, 511, 512, 513, 600, 4096, 65_535):
        for first in (0x02, 0x80, 0xC0, 0xBF, 0xFF):
            for characteristic in (CONTROL, EVENTS, BULK):
                attack_count.tried(KIND)
                value = (bytes([first]) + rng.bytes(length))[:length]
                for reply in air.write(value, to=characteristic):
                    assert reply[16] >= 128
                attack_count.beaten(KIND)
    for length in (2, 20, 100, 244, 512):  # no last one, and the numbers begin again
        attack_count.tried(KIND, 1000)
        for i in range(1000):
            assert air.write(bytes([0x80 | i & 0x3F]) + bytes(length - 1)) == []
        attack_count.beaten(KIND, 1000)
    assert air.taught() == before
    assert air.ask(PING)[16] == 0


def test_a_long_write_is_checked_as_any_other() -> None:
    """Prepared and executed writes arrive as one value: the stack's own protection is not needed.

    A sealed message with another's tail, as a splice of two prepared writes would give it.
    """
    air = Air(room=244)
    (right,) = air.values(LABEL, LESSON)
    (other,) = air.values(NAME_SET, name("evil name twenty byt"))
    before = air.taught()
    named = air.board.ask(HARDWARE, link=USB).body[24:48]
    for at in range(1, max(len(right), len(other))):
        for spliced in (right[:at] + other[at:], other[:at] + right[at:]):
            if spliced in (right, other):
                continue
            attack_count.tried(KIND)
            for reply in air.write(spliced):
                assert reply[16] >= 128
                assert not reply[3] or reply[16] == 256 - 18
            attack_count.beaten(KIND)
    assert air.taught() == before
    assert air.board.ask(HARDWARE, link=USB).body[24:48] == named
