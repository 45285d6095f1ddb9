"""Sees every store to an emulated board's flash, and cuts the power in the middle of one."""

from __future__ import annotations

import struct
from typing import Any

from .flash_file import FLASH_ADDRESS, FLASH_BYTES


class FlashWatch:
    """Belongs to one run of a UnicornMachine: give it one before start().

    stores: (offset in the flash, word) of each so far. An erase is a store of all ones to each
        word of its page.
    """

    def __init__(self) -> None:
        self.stores: list[tuple[int, int]] = []
        self.content_at_cut: bytes | None = None
        self._cut_at: int | None = None
        self._torn = 0

    def cut_power(self, store: int, torn: int) -> None:
        """The power fails at the store-th store from now, counted from 1.

        torn: the bits that keep their old value in the word that is then being stored.
        """
        self._torn = torn
        self._cut_at = len(self.stores) + store

    def on_store(
        self, cpu: Any, access: int, address: int, n_bytes: int, value: int, user: Any
    ) -> None:
        """A UC_HOOK_MEM_WRITE callback: comes before the store."""
        if self.content_at_cut is not None:
            return  # the CPU has not noticed yet
        word, offset = value & 0xFFFFFFFF, address - FLASH_ADDRESS
        self.stores.append((offset, word))
        if len(self.stores) == self._cut_at:
            content = bytearray(cpu.mem_read(FLASH_ADDRESS, FLASH_BYTES))
            store_torn(content, offset, word, self._torn)
            self.content_at_cut = bytes(content)
            cpu.emu_stop()


def store_torn(content: bytearray, offset: int, word: int, torn: int) -> None:
    """Stores a word except for the bits of `torn`."""
    (old,) = struct.unpack_from("<I", content, offset)
    struct.pack_into("<I", content, offset, (old & torn) | (word & ~torn & 0xFFFFFFFF))
