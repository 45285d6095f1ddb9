"""A board whose second link is a GATT service, spoken to in values: no radio, no bleak."""

from __future__ import annotations

from board_in_process import Board

from tinyol_host.gatt import Assembler, split
from tinyol_host.protocol import Kind, Message, Opcode
from tinyol_host.requests import hello
from tinyol_sim._core import ffi, lib

LINK = 1
CONTROL, EVENTS, BULK = 0, 1, 2


class GattBoard:
    """`values`: every notification so far, as (characteristic, bytes)."""

    def __init__(self, max_notification: int) -> None:
        self.board = Board()
        self.values: list[tuple[int, bytes]] = []
        self.room = max_notification
        self._pieces = {number: Assembler() for number in (CONTROL, EVENTS, BULK)}
        self._session = self._sequence = 0
        lib.tinyol_board_gatt_open(self.board.handle, LINK, max_notification)

    def write(self, value: bytes, characteristic: int = CONTROL) -> list[tuple[int, Message]]:
        """One value to the board; the messages that this brought, by their characteristic."""
        lib.tinyol_board_gatt_write(self.board.handle, LINK, characteristic, value, len(value), 0)
        return self.take()

    def take(self) -> list[tuple[int, Message]]:
        out, which = ffi.new("uint8_t[512]"), ffi.new("uint8_t *")
        messages = []
        while length := lib.tinyol_board_gatt_take(self.board.handle, LINK, which, out):
            value = bytes(ffi.buffer(out, length))
            self.values.append((which[0], value))
            message = self._pieces[which[0]].add(value)
            if message is not None:
                messages.append((which[0], Message.from_bytes(message)))
        return messages

    def hello(self) -> Message:
        request = Message(Kind.REQUEST, Opcode.HELLO, 0, 0, 0, hello(7, 0))
        ((_, reply),) = self.write(request.to_bytes())
        self._session, self._sequence = reply.session, 0
        return reply

    def executed(self, sequence: int) -> None:
        """The board is known to have executed this one last."""
        self._sequence = sequence

    def next(self, opcode: Opcode, payload: bytes = b"") -> bytes:
        """The session's next request."""
        self._sequence += 1
        boot_id = self.board.boot_id
        return Message(
            Kind.REQUEST, opcode, self._session, self._sequence, boot_id, payload
        ).to_bytes()

    def ask(
        self, opcode: Opcode, payload: bytes = b"", characteristic: int = CONTROL
    ) -> list[tuple[int, Message]]:
        """A request in as many pieces as notifications of this size would need."""
        messages = []
        for value in split(self.next(opcode, payload), self.room):
            messages += self.write(value, characteristic)
        return messages
