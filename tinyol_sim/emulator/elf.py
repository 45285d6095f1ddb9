"""What of an ELF file goes into memory: just enough for the images that build.py makes."""

from __future__ import annotations

import struct
from pathlib import Path

from ..errors import EmulatorError

_HEADER = struct.Struct("<16sHHIIIIIHHHHHH")
_PROGRAM_HEADER = struct.Struct("<IIIIIIII")
_SECTION_HEADER = struct.Struct("<IIIIIIIIII")
_SYMBOL = struct.Struct("<IIIBBH")
_PT_LOAD = 1
_SHT_SYMTAB = 2


def load_segments(path: Path) -> list[tuple[int, bytes]]:
    """(physical address, bytes) of every segment with content."""
    elf = _read(path)
    header = _HEADER.unpack_from(elf)
    table, entry_bytes, entries = header[5], header[9], header[10]
    segments = []
    for i in range(entries):
        fields = _PROGRAM_HEADER.unpack_from(elf, table + i * entry_bytes)
        kind, offset, _, address, size = fields[:5]
        if kind == _PT_LOAD and size > 0:
            segments.append((address, elf[offset : offset + size]))
    return segments


def load_symbols(path: Path) -> dict[str, int]:
    """The value of every named symbol; of a function in Thumb code, an odd address."""
    elf = _read(path)
    header = _HEADER.unpack_from(elf)
    table, entry_bytes, entries = header[6], header[11], header[12]
    sections = [_SECTION_HEADER.unpack_from(elf, table + i * entry_bytes) for i in range(entries)]
    found: dict[str, int] = {}
    for section in sections:
        if section[1] != _SHT_SYMTAB:
            continue
        names = sections[section[6]][4]
        for at in range(section[4], section[4] + section[5], _SYMBOL.size):
            name_at, value = _SYMBOL.unpack_from(elf, at)[:2]
            name = elf[names + name_at : elf.index(b"\0", names + name_at)].decode()
            if name:
                found[name] = value
    return found


def _read(path: Path) -> bytes:
    try:
        elf = path.read_bytes()
    except OSError as error:
        raise EmulatorError(f"{path}: cannot be read: {error.strerror}") from None
    if elf[:6] != b"\x7fELF\x01\x01" or len(elf) < _HEADER.size:
        raise EmulatorError(f"{path}: not a 32-bit little-endian ELF image")
    return elf
