"""Why a board was not flashed, with what the build's log says of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tinyol_sim.errors import DeviceError


class FlashError(DeviceError):
    """The message says what to do.

    Attributes:
        log: the whole output of PlatformIO; None if it was not run.
        lines: those of the log that matter.
    """

    def __init__(self, message: str, log: Path | None = None, lines: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.log = log
        self.lines = tuple(lines)


class NotUploadedError(FlashError):
    """The uploader says that all went well, but the board did not restart."""
