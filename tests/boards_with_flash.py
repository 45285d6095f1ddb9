"""A flash in memory that outlives its boards, and boards in this process that save to it."""

from __future__ import annotations

import struct
from typing import Any

from board_in_process import OK, Board, Message, name, small_model
from wire_by_hand import INFO

from tinyol_sim._core import ffi, lib
from tinyol_sim.refusals import new_refusal

SAVE, CLASS_RENAME, GOODBYE = 34, 14, 4
NOT_FOUND, TOO_SMALL, UNSUPPORTED, FLASH_FAILED = -3, -7, -14, -22
THERE, UNSAVED, FAILED = 1, 2, 4
HEADER_BYTES = 40
PAGE_BYTES = 256
NAME_PAGES = 2  # the last ones of a board's flash
KEY_PAGES = 2  # before them
OWN_PAGES = KEY_PAGES + NAME_PAGES  # all else is for what was learned


class MemoryFlash:
    """tinyol_flash: a NOR flash whose power fails where a test wants it."""

    def __init__(self, n_pages: int, page_bytes: int = PAGE_BYTES) -> None:
        self.n_pages, self.page_bytes = n_pages, page_bytes
        handle = lib.tinyol_flash_new(page_bytes, n_pages)
        self.handle = ffi.gc(handle, lib.tinyol_flash_free)
        self.content = ffi.buffer(lib.tinyol_flash_bytes(handle), n_pages * page_bytes)

    def cut_at(self, operation: int, seed: int = 1) -> None:
        lib.tinyol_flash_cut_at(self.handle, operation, seed)

    def power_on(self) -> None:
        lib.tinyol_flash_power_on(self.handle)

    def stick(self, offset: int, bits: int = 0xFF) -> None:
        lib.tinyol_flash_stick(self.handle, offset, bits)

    @property
    def operations(self) -> int:
        return int(lib.tinyol_flash_operations(self.handle))

    @property
    def erases(self) -> list[int]:
        return [lib.tinyol_flash_erases(self.handle, page) for page in range(self.n_pages)]


class SavingBoard(Board):
    """A board that has just been switched on, and has a session."""

    def __init__(self, flash: MemoryFlash, model: bytes | None = None, now_ms: int = 0) -> None:
        super().__init__(model=small_model() if model is None else model)
        self.flash = flash  # must outlive the board
        flash.power_on()
        self.refusal: Any = new_refusal()
        self.found = lib.tinyol_board_attach_flash(self.handle, flash.handle, self.refusal)
        self.hello(now_ms=now_ms & 0xFFFFFFFF)

    def take(self, image: bytes) -> None:
        """Takes over a state."""
        status = lib.tinyol_board_import(self.handle, image, len(image), ffi.NULL)
        assert status == OK

    def save(self) -> Message:
        return self.ask(SAVE)

    def stored(self, now_ms: int = 0) -> tuple[int, int, int]:
        """Saves, wear and store of INFO."""
        saves, wear, flags = struct.unpack_from("<III", self.ask(INFO, now_ms=now_ms).body, 88)
        return saves, wear, flags


def slot_pages(model: bytes | None = None, page_bytes: int = PAGE_BYTES) -> int:
    """Pages that a record of this model takes at most."""
    most = lib.tinyol_board_max_image_bytes(Board(model=model or small_model()).handle)
    return int(-(-(HEADER_BYTES + most) // page_bytes))


def different_states(n: int) -> list[bytes]:
    """State images of the small model, one after the other."""
    board = Board()
    board.hello()
    images = []
    for i in range(n):
        if i % 3 == 0 and i // 3 < 4:
            board.ask(13, name(f"class {i}"))
        else:
            board.ask(CLASS_RENAME, struct.pack("<H", 0) + name(f"state {i}"))
        images.append(board.state())
    assert len(set(images)) == n
    return images
