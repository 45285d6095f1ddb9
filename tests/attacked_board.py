"""A paired board whose radio is under attack, and what the attacker may not achieve."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import attack_count
import numpy as np
from board_in_process import Board, Message, name, refused, request
from image_surgery import sections_of
from session_by_hand import SEALED, TRAILER_BYTES
from wire_by_hand import CLASS_ADD, HELLO, INFO, LABEL, LABEL_BACK, WATCH

USB, RADIO = 0, 1
PING, GOODBYE, STREAM = 3, 4, 24
NOT_AUTHENTICATED, NOT_PHYSICAL, LOCKED = -23, -24, -25
BAD_SEQUENCE, NO_SESSION, REBOOTED = -18, -19, -20
LESSON = struct.pack("<hHI", 0, 0, 3)  # LABEL: class 0, three windows
TAUGHT = (b"CLAS", b"SETT", b"SOFT", b"GAUS", b"REHE", b"RECO", b"RLSP", b"REHW")
CHANGES = {  # every request that changes something, with a payload that would be right
    9: struct.pack("<HHf", 1, 0, 0.5),  # SETTING_SET
    13: name("evil"),
    14: struct.pack("<H", 0) + name("evil"),
    15: struct.pack("<H", 0),
    16: LESSON,
    17: struct.pack("<hH", 0, 5),
    18: struct.pack("<I", 100),
    28: b"",
    29: struct.pack("<BBH", 1, 0, 0) + bytes(12),
    30: b"",
    32: b"",
    33: b"\x1f",
    34: b"",
    36: b"",
    37: struct.pack("<II", 0, 4),
    38: struct.pack("<II", 24, 0),
    39: struct.pack("<I", 0) + bytes(24),
    40: b"",
    44: b"",
    49: name("evil"),
    50: b"\x05",
    52: struct.pack("<hH", 0, 5),
    53: struct.pack("<HHf", 0, 0, 9.0),
    54: struct.pack("<II", 0, 30),
    55: struct.pack("<I", 1) + name("evil"),
    63: b"\0\0\0\0",  # ACCESS_SET
    66: b"\0\0\0\0",  # UNDO
}
PHYSICAL = {64: b"\1\0\0\0", 65: struct.pack("<I", 0x54455352)}
READING = {2: b"", 8: b"\0\0", 12: b"\0\0", 20: b"", 21: b"", 24: b"\1", 48: b""} | {
    51: b"\0",
    56: b"",
    57: b"",
    58: b"\0\0",
}


@dataclass
class Attacked:
    """The board, its key, and an authenticated session of its owner over the radio."""

    kind: str
    board: Board = field(default_factory=Board)
    key: bytes = b""

    def __post_init__(self) -> None:
        board = self.board
        board.set_radio(RADIO)
        board.hello(USB, nonce=11)
        self.key = board.pair(link=USB)
        board.hello(RADIO, nonce=22)
        assert board.authenticate(self.key, RADIO).status == 0
        assert not board.ask(CLASS_ADD, name("normal"), RADIO).status
        assert not board.ask(CLASS_ADD, name("broken"), RADIO).status
        self.feel(200)
        assert not board.ask(LABEL_BACK, struct.pack("<hH", 1, 10), RADIO).status

    def feel(self, n: int = 60, seed: int = 0) -> None:
        """n samples of the board's own sensor."""
        rng = np.random.default_rng(seed)
        self.board.sense((rng.normal(0, 0.2, (n, 3)) + np.array([0, 0, 1])).astype(np.float32))

    def learned(self) -> list[tuple[bytes, bytes]]:
        """All that was learned: the state image but for what counts samples and gaps."""
        return [part for part in sections_of(self.board.state()) if part[0] != b"COUN"]

    def taught(self) -> list[tuple[bytes, bytes]]:
        """What lessons, fine-tuning and commands alone change, and no window by itself."""
        return [part for part in self.learned() if part[0] in TAUGHT]

    def sealed(self, opcode: int, payload: bytes = b"") -> bytes:
        """The owner's next message over the radio, as the attacker may have heard it."""
        self.board.sequences[RADIO] += 1
        return self.board.current(opcode, payload, RADIO)

    def inject(self, message: bytes, link: int = RADIO, now_ms: int = 0) -> list[Message]:
        """An attacker's message, and what the board says to it."""
        return self.board.write(message, link, now_ms)

    @contextmanager
    def attack(self, n: int = 1) -> Iterator[None]:
        """What happens in here is an attack: it changes nothing, and the owner's session lives on.

        `n`: messages of the attacker.
        """
        attack_count.tried(self.kind, n)
        before, taught, does = self.learned(), self.taught(), self._does()
        yield
        assert self.learned() == before
        assert self._does() == does
        self.feel()  # had a label, fine-tuning or a calibration been taken, it would show now
        assert self.taught() == taught
        attack_count.beaten(self.kind, n)

    def _does(self) -> tuple[bytes, bytes]:
        """Lessons, steps, fine-tuning, the label, a calibration: as the owner is told."""
        info, watch = self.owner_reads(INFO), self.owner_reads(WATCH)
        return info.body[20:64], watch.body

    def owner_reads(self, opcode: int) -> Message:
        """A request of the owner's, which is answered as ever."""
        reply = self.board.ask(opcode, b"", RADIO)
        assert not reply.status, refused(reply)
        assert reply.sealed
        return reply


def is_worthless(replies: list[Message]) -> bool:
    """The answer to a wrong MAC: a refusal that anybody could have sent, or none."""
    return all(
        refused(reply) == (NOT_AUTHENTICATED, "mac") and not reply.sealed for reply in replies
    )


def unsealed(message: bytes) -> bytes:
    """A sealed message without its flag and its trailer."""
    assert message[3] & SEALED
    return message[:3] + bytes([message[3] & ~SEALED]) + message[4:-TRAILER_BYTES]


def hello(nonce: int) -> bytes:
    """A HELLO of anybody."""
    return request(HELLO, struct.pack("<QQ", nonce, 0))


def label(session: int, sequence: int, boot_id: int) -> bytes:
    """LABEL without a trailer, right but for that."""
    return request(LABEL, LESSON, session, sequence & 0xFFFF, boot_id)
