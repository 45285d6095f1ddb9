"""A central beside the Nano 33 BLE on stubs: a session by radio, sealed once authenticated."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from nano_board import AUTHENTICATE, CHALLENGE, CONTROL, NanoBoard
from session_by_hand import TRAILER_BYTES, Seal, session_key

HELLO, REPLY = 1, 2
_HEADER = struct.Struct("<BBBBHHIHH")


@dataclass
class Central:
    """Connected; its session is its own, beside the one by USB."""

    nano: NanoBoard
    nonce: int = 9  # another one: a new session
    session: int = 0
    sequence: int = 0
    boot_id: int = 0
    seal: Seal | None = None

    def __post_init__(self) -> None:
        self.nano.connect()
        self.hello()

    def hello(self) -> bytes:
        """Opens the session; the reply's own fields."""
        message = self.exchange(HELLO, struct.pack("<QQ", self.nonce, 0))
        header = _HEADER.unpack_from(message)
        self.session, self.boot_id = header[4], header[6]
        return message[28:]

    def authenticate(self, key: bytes) -> None:
        """From now on every message has a MAC."""
        host = bytes(range(16))
        device = self.request(CHALLENGE, host)
        derived = session_key(key, host, device, self.session, self.boot_id)
        self.seal = Seal(derived, self.sequence, 0)
        self.request(AUTHENTICATE)

    def request(self, opcode: int, payload: bytes = b"") -> bytes:
        """A request that is executed; the reply's own fields."""
        status, fields = self.answer(opcode, payload)
        assert status == 0, (opcode, status, fields[:32])
        return fields

    def refused(self, opcode: int, payload: bytes = b"") -> tuple[int, str]:
        """A request that is not executed: the status, and what was refused."""
        status, fields = self.answer(opcode, payload)
        return status, fields[:32].rstrip(b"\0").decode()

    def answer(self, opcode: int, payload: bytes = b"") -> tuple[int, bytes]:
        """The status of a request with the next number, and the reply's own fields."""
        self.sequence += 1
        message = self.exchange(opcode, payload)
        if self.seal is not None:
            assert self.seal.is_right(message)
            message = message[:-TRAILER_BYTES]
        return struct.unpack_from("<b", message, 16)[0], message[28:]

    def exchange(self, opcode: int, payload: bytes) -> bytes:
        """A request and its reply, as they go by radio."""
        header = (2, 1, opcode, 0, self.session, self.sequence, self.boot_id, len(payload), 0)
        message = _HEADER.pack(*header) + payload
        self.nano.write_radio(CONTROL, self.seal.request(message) if self.seal else message)
        self.nano.run(20)
        replies = [value for _, value in self.nano.read_radio() if value[1] == REPLY]
        assert len(replies) == 1
        return replies[0]
