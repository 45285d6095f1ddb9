"""A board's key, and what both sides derive from it: its id, and the key of a session.

BLAKE2s (RFC 7693), as firmware/lib/tinyol/src/tinyol/session_auth.h lays the bytes out.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from hashlib import blake2s

from tinyol_sim.errors import DeviceError

KEY_BYTES = 32
KEY_ID_BYTES = 8
CHALLENGE_BYTES = 16
NO_KEY_ID = bytes(KEY_ID_BYTES).hex()  # of a board that was never paired

_ID_LABEL = b"tinyol key id"
_SESSION_LABEL = b"tinyol session\0\0"
_SESSION = struct.Struct("<HHI")


@dataclass(frozen=True)
class DeviceKey:
    """Whoever has it may teach the board.

    secret: 32 bytes; not in the repr, so that no log or traceback has it.
    name: what the board was called when it was paired, "" if it had no name.
    paired: when, as 2026-11-21T18:04:00Z; "" if that is not known.
    radio: where it was met over the radio last, as "ble:pump-3"; "" if never.
    """

    secret: bytes = field(repr=False)
    name: str = ""
    paired: str = ""
    radio: str = ""

    def __post_init__(self) -> None:
        if len(self.secret) != KEY_BYTES:
            raise DeviceError(f"a board's key has {KEY_BYTES} bytes, not {len(self.secret)}")

    @property
    def id(self) -> str:
        """Says which key it is and nothing of it: 16 hex digits, as HELLO's reply has them."""
        return blake2s(_ID_LABEL, key=self.secret, digest_size=KEY_ID_BYTES).hexdigest()

    def session_key(
        self, host_challenge: bytes, device_challenge: bytes, session: int, boot_id: int
    ) -> bytes:
        """The key of one session, 32 bytes: another one for each pair of challenges.

        host_challenge, device_challenge: 16 random bytes each.
        """
        assert len(host_challenge) == len(device_challenge) == CHALLENGE_BYTES
        text = _SESSION_LABEL + host_challenge + device_challenge
        text += _SESSION.pack(session, 0, boot_id)
        return blake2s(text, key=self.secret).digest()
