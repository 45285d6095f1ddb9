"""A board whose second link is a GATT service, spoken to in values: no radio, no bleak."""

from __future__ import annotations

from board_in_process import Board
from session_by_hand import Seal, session_key

from tinyol_host.gatt import Assembler, split
from tinyol_host.protocol import Kind, Message, Opcode
from tinyol_host.replies import status_of
from tinyol_host.requests import hello
from tinyol_sim._core import ffi, lib

LINK = 1
CONTROL, EVENTS, BULK = 0, 1, 2


class GattBoard:
    """A board whose link is authenticated: over the radio nothing can be changed otherwise.

    Attributes:
        values: every notification so far, as (characteristic, bytes).
        sequence: of the request made last.
    """

    def __init__(self, max_notification: int) -> None:
        self.board = Board()
        self.values: list[tuple[int, bytes]] = []
        self.room = max_notification
        self.sequence = 0
        self._pieces = {number: Assembler() for number in (CONTROL, EVENTS, BULK)}
        self._session = 0
        self._seal: Seal | None = None
        self.board.hello()
        self._key = self.board.pair()
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
            whole = self._pieces[which[0]].add(value)
            if whole is not None:
                message = Message.from_bytes(whole)
                if message.trailer:
                    assert self._seal is not None
                    assert self._seal.is_right(whole)
                messages.append((which[0], message))
        return messages

    def hello(self) -> Message:
        """HELLO's reply. A session that is found again is authenticated already."""
        request = Message(Kind.REQUEST, Opcode.HELLO, 0, 0, 0, hello(7, 0))
        ((_, reply),) = self.write(request.to_bytes())
        if reply.session != self._session:
            self._session, self.sequence, self._seal = reply.session, 0, None
            self._authenticate()
        return reply

    def _authenticate(self) -> None:
        own = bytes(range(16))
        ((_, challenge),) = self.ask(Opcode.CHALLENGE, own)
        derived = session_key(
            self._key, own, challenge.payload[12:], self._session, self.board.boot_id
        )
        self._seal = Seal(derived, self.sequence, events=0)
        ((_, reply),) = self.ask(Opcode.AUTHENTICATE)
        assert status_of(reply.payload) == 0
        assert reply.trailer

    def next(self, opcode: Opcode, payload: bytes = b"") -> bytes:
        """The session's next request."""
        self.sequence += 1
        head = (Kind.REQUEST, opcode, self._session, self.sequence, self.board.boot_id)
        message = Message(*head, payload).to_bytes()
        return message if self._seal is None else self._seal.request(message)

    def ask(
        self, opcode: Opcode, payload: bytes = b"", characteristic: int = CONTROL
    ) -> list[tuple[int, Message]]:
        """A request in as many pieces as notifications of this size would need."""
        messages = []
        for value in split(self.next(opcode, payload), self.room):
            messages += self.write(value, characteristic)
        return messages
