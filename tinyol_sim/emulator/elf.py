"""What of an ELF file goes into memory: just enough for the images that build.py makes."""

from __future__ import annotations

import struct
from pathlib import Path

from ..errors import EmulatorError

_HEADER = struct.Struct("<16sHHIIIIIHHHHHH")
_PROGRAM_HEADER = struct.Struct("<IIIIIIII")
_PT_LOAD = 1


def load_segments(path: Path) -> list[tuple[int, bytes]]:
    """(physical address, bytes) of every segment with content."""
    try:
        elf = path.read_bytes()
    except OSError as error:
        raise EmulatorError(f"{path}: cannot be read: {error.strerror}") from None
    if elf[:6] != b"\x7fELF\x01\x01" or len(elf) < _HEADER.size:
        raise EmulatorError(f"{path}: not a 32-bit little-endian ELF image")
    header = _HEADER.unpack_from(elf)
    table, entry_bytes, entries = header[5], header[9], header[10]
    segments = []
    for i in range(entries):
        fields = _PROGRAM_HEADER.unpack_from(elf, table + i * entry_bytes)
        kind, offset, _, address, size = fields[:5]
        if kind == _PT_LOAD and size > 0:
            segments.append((address, elf[offset : offset + size]))
    return segments
