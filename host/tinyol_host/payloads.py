"""Reading a payload: fields of a fixed layout, and texts."""

from __future__ import annotations

import struct
from typing import Any

from tinyol_host.errors import ProtocolError


def exactly(layout: struct.Struct, body: bytes, what: str) -> tuple[Any, ...]:
    """The fields of a body; ProtocolError if it has any other length."""
    if len(body) != layout.size:
        raise ProtocolError(f"{what} has {len(body)} bytes, not {layout.size}")
    return layout.unpack(body)


def text(raw: bytes) -> str:
    """A field that is closed by a zero, or full."""
    return raw.split(b"\0", 1)[0].decode("utf-8", "replace")
