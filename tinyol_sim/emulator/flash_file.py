"""The file behind an emulated board's flash: what the board has saved outlives its power.

Both machines map the same file into the board's memory, so a store is in it at once, whatever
becomes of the process.
"""

from __future__ import annotations

import fcntl
import mmap
import os
from pathlib import Path

from ..errors import EmulatorError

FLASH_ADDRESS = 0x21000000  # firmware/boards/emulator/linker.ld
FLASH_BYTES = 1 << 20  # of the file's first bytes
FILE_BYTES = 16 << 20  # QEMU's board has as much memory there


class FlashFile:
    """A file that is made, erased throughout, where there is none; one machine at a time has it.

    Raises:
        EmulatorError: it cannot be opened, is no such file, or another machine runs with it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: int | None = None

    def open(self) -> None:
        """Takes the file; close() lets it go."""
        try:
            file = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise EmulatorError(
                f"{self.path}: the flash's file cannot be opened: {error.strerror}"
            ) from None
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(file).st_size == 0:
                os.pwrite(file, b"\xff" * FLASH_BYTES, 0)
                os.truncate(file, FILE_BYTES)
            size = os.fstat(file).st_size
            if size != FILE_BYTES:
                raise EmulatorError(
                    f"{self.path}: not an emulated board's flash: {size:,} bytes in place of"
                    f" {FILE_BYTES:,}"
                )
        except BlockingIOError:
            os.close(file)
            raise EmulatorError(f"{self.path}: another emulated board runs with it") from None
        except OSError as error:
            os.close(file)
            raise EmulatorError(f"{self.path}: {error.strerror}") from None
        except EmulatorError:
            os.close(file)
            raise
        self._file = file

    def mapped(self) -> mmap.mmap:
        """The flash's bytes, shared with the file."""
        if self._file is None:
            raise EmulatorError(f"{self.path}: not open")
        return mmap.mmap(self._file, FLASH_BYTES)

    def close(self) -> None:
        """Without effect on a file that is not open."""
        file, self._file = self._file, None
        if file is not None:
            os.close(file)
