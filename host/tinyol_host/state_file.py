"""Reads a file that is to hold a state image, and nothing that has no end or never comes."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from tinyol_sim.errors import StateImageError

MOST_BYTES = 1 << 20  # the largest model that fits a board has a fraction of it


def read_state_file(path: Path) -> bytes:
    """All of it.

    Raises:
        OSError: it is not there, or cannot be read.
        StateImageError: it is no regular file, or too large; the message does not name it.
    """
    # Not blocking: opening a pipe would wait for somebody who writes to it.
    with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise StateImageError("this is no regular file")
        data = file.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise StateImageError(
            f"too large for a state image: {found.st_size:,} bytes; {MOST_BYTES:,} are the most"
        )
    return data
