"""Files that are written whole, and folders in the order of their names."""

from __future__ import annotations

import os
import re
from collections.abc import Collection
from pathlib import Path

from tinyol_sim.errors import RecordingError, TinyOLError

WINDOWS_CSV = "windows.csv"  # of a report
SWEEP_JOURNAL = ".journal.jsonl"  # NAME.journal.jsonl beside NAME.csv


def files_in(folder: Path, suffixes: Collection[str]) -> list[Path]:
    """The files with one of these suffixes (lower case), in natural order, none hidden."""
    return [p for p in _entries(folder) if p.suffix.lower() in suffixes and p.is_file()]


def folders_in(folder: Path) -> list[Path]:
    """The folders in a folder, in natural order, neither hidden nor links."""
    return [path for path in _entries(folder) if path.is_dir() and not path.is_symlink()]


def is_sweep_table(path: Path) -> bool:
    """Whether `tinyol sweep` wrote it: the journal of its jobs lies beside it."""
    return path.with_name(path.stem + SWEEP_JOURNAL).exists()


def is_table(path: Path) -> bool:
    """Whether it is a table that `tinyol sweep` or the report of a replay wrote: no recording."""
    return is_sweep_table(path) or (path.name == WINDOWS_CSV and _begins_with(path, b"time_s,"))


def write_whole(path: Path, data: bytes, error: type[TinyOLError] = TinyOLError) -> None:
    """Write a file by way of one beside it, so that a failure leaves what was there before.

    A link is followed; a device, a pipe and the like are written to, never replaced. Raises
    `error`, which names the file, if that cannot be done.
    """
    try:
        target = Path(os.path.realpath(path))
        if target.exists() and not target.is_file():
            target.write_bytes(data)
            return
        partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
        try:
            partial.write_bytes(data)
            partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)
    except OSError as reason:
        raise error(f"{path}: cannot be written: {reason.strerror or reason}") from None


def _begins_with(path: Path, head: bytes) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(head)) == head
    except OSError:
        return False


def _entries(folder: Path) -> list[Path]:
    try:
        names = [name for name in os.listdir(folder) if not name.startswith(".")]
    except OSError as error:
        raise RecordingError(f"{folder}: {error.strerror or error}") from None
    return [folder / name for name in sorted(names, key=_natural_order)]


def _natural_order(name: str) -> tuple[list[str | int], str]:
    parts = re.split(r"([0-9]+)", name)  # text, number, text, ...: equal places compare alike
    return [int(part) if i % 2 else part for i, part in enumerate(parts)], name
