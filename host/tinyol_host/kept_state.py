"""What a simulated board has learned, kept in a file between two runs of the program.

A board has flash for that; a board in this process has this file. One process at a time.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path
from typing import IO

from tinyol_host.state_file import read_state_file
from tinyol_sim.errors import DeviceError, StateImageError
from tinyol_sim.files import write_whole


def state_folder() -> Path:
    """$XDG_STATE_HOME/tinyol, ~/.local/state/tinyol otherwise."""
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state", "tinyol")


def default_path(scheme: str, model_id: str) -> Path:
    """SCHEME-MODEL_ID.state in the state folder."""
    return state_folder() / f"{scheme}-{model_id}.state"


class KeptState:
    """A state image in a file. Nothing is touched before the first call."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path).expanduser()
        self._lock: IO[bytes] | None = None

    def lock(self) -> None:
        """Takes the file for this process, until release(); does nothing if it has it.

        Raises:
            DeviceError: another process has it, or it cannot be written there.
        """
        if self._lock is not None:
            return
        # Beside it: the file itself is replaced at each save.
        beside = self.path.with_name(f"{self.path.name}.lock")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            lock = beside.open("ab")
        except OSError as error:
            raise DeviceError(
                f"{self.path}: what the board learns cannot be kept there:"
                f" {error.strerror or error}; take another file with state=PATH, or none with"
                " state=none"
            ) from None
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.close()
            raise DeviceError(
                f"{self.path}: another process is running this board; wait for its end, or take"
                " a board of your own with state=PATH or state=none"
            ) from None
        self._lock = lock

    def load(self) -> bytes | None:
        """The image as it was saved; None if there is none yet. Takes the lock.

        Raises:
            DeviceError: see lock(), or it cannot be read.
        """
        self.lock()
        try:
            return read_state_file(self.path)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise DeviceError(f"{self.path}: cannot be read: {error.strerror or error}") from None
        except StateImageError as error:
            raise DeviceError(f"{self.path}: cannot be read: {error}") from None

    def set_aside(self) -> Path:
        """Renames the file to NAME.bad, or NAME.bad.2 and so on; returns that. Takes the lock.

        Raises:
            DeviceError: see lock(), or it cannot be renamed.
        """
        self.lock()
        place, number = self.path.with_name(f"{self.path.name}.bad"), 1
        while os.path.lexists(place):
            number += 1
            place = self.path.with_name(f"{self.path.name}.bad.{number}")
        try:
            self.path.rename(place)
        except OSError as error:
            raise DeviceError(f"{self.path}: cannot be moved: {error.strerror or error}") from None
        return place

    def save(self, image: bytes) -> None:
        """Replaces what is kept. Takes the lock.

        Raises:
            DeviceError: see lock(), or it cannot be written; then the old one is still there.
        """
        self.lock()
        write_whole(self.path, image, DeviceError)

    def release(self) -> None:
        """Lets other processes have it; idempotent, never raises."""
        lock, self._lock = self._lock, None
        if lock is not None:
            with contextlib.suppress(OSError):
                lock.close()
