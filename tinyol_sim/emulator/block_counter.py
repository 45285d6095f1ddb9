"""Counts executed Thumb-2 instructions, exactly, with one hook a basic block.

A hook per instruction would miss the skipped ones of an IT block, which take their time on the
CPU all the same.
"""

from __future__ import annotations

from typing import Any


class BlockCounter:
    """Its `on_block` is a UC_HOOK_BLOCK callback; a block counts whole when it is entered."""

    # Whether on_flash_read() is to be called, which costs as much time as on_block().
    reads_matter = False

    def __init__(self) -> None:
        self.instructions = 0
        self._lengths: dict[tuple[int, int], int] = {}

    def on_block(self, machine: Any, address: int, n_bytes: int, _: Any) -> None:
        """Adds a block's instructions."""
        key = (address, n_bytes)
        length = self._lengths.get(key)
        if length is None:
            length = count_thumb(bytes(machine.mem_read(address, n_bytes)))
            self._lengths[key] = length
        self.instructions += length

    def on_flash_read(self) -> None:
        """A word, or less, was read from flash as data."""

    def on_timer_read(self) -> None:
        """The program looks at the timer, which shows `instructions`."""

    def on_notice(self, notice: str) -> None:
        """The program has told something (notice.h)."""


def count_thumb(code: bytes) -> int:
    """Instructions in a run of code: four bytes where the first halfword says so (Armv7-M A5.1)."""
    count = at = 0
    while at < len(code):
        at += 4 if code[at + 1] >> 3 in (0b11101, 0b11110, 0b11111) else 2
        count += 1
    return count
