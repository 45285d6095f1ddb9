"""Names for a board, as NAME_SET and a record in flash have them."""

from __future__ import annotations

NAMES = ("Lüfter", "n", "twenty bytes it is !", "", "\N{SNOWMAN}" * 6, "a", "Pumpe 2", "")


def payload(name: str | bytes) -> bytes:
    raw = name if isinstance(name, bytes) else name.encode()
    return bytes([len(raw)]) + raw


def record_bytes(name: str) -> int:
    return -(-(1 + len(name.encode())) // 4) * 4
