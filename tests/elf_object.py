"""Reads what `size` and `nm` would say of an object file: little-endian ELF of 32 or 64 bits."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

_ALLOCATED, _WRITABLE = 2, 1  # section flags
_NO_BITS, _SYMBOL_TABLE = 8, 2  # section types
_UNDEFINED = 0


@dataclass(frozen=True)
class ElfObject:
    """Bytes by kind of memory, and the symbols."""

    flash: int  # code and constants
    data: int  # variables with a start value: flash and RAM
    bss: int  # variables that start at zero: RAM
    defined: frozenset[str]  # symbols
    undefined: frozenset[str]  # symbols that the linker must find elsewhere


def read_elf_object(path: Path) -> ElfObject:
    """Reads an object file; ValueError if it is none."""
    raw = path.read_bytes()
    if raw[:4] != b"\x7fELF" or raw[5] != 1:
        raise ValueError(f"{path} is no little-endian ELF file")
    wide = raw[4] == 2
    (table_at,) = struct.unpack_from("<Q" if wide else "<I", raw, 40 if wide else 32)
    entry_bytes, n_sections = struct.unpack_from("<HH", raw, 58 if wide else 46)
    layout = struct.Struct("<IIQQQQIIQQ" if wide else "<10I")
    sections = [layout.unpack_from(raw, table_at + i * entry_bytes) for i in range(n_sections)]
    flash = data = bss = 0
    defined, undefined = set[str](), set[str]()
    for _, kind, flags, _, offset, size, link, *_ in sections:
        if flags & _ALLOCATED:
            if kind == _NO_BITS:
                bss += size
            elif flags & _WRITABLE:
                data += size
            else:
                flash += size
        if kind == _SYMBOL_TABLE:
            names_at = sections[link][4]
            symbol = struct.Struct("<IBBHQQ" if wide else "<IIIBBH")
            for at in range(offset + symbol.size, offset + size, symbol.size):
                fields = symbol.unpack_from(raw, at)
                section = fields[3] if wide else fields[5]
                start = names_at + fields[0]
                name = raw[start : raw.index(b"\0", start)].decode()
                (undefined if section == _UNDEFINED else defined).add(name)
    return ElfObject(flash, data, bss, frozenset(defined), frozenset(undefined))
