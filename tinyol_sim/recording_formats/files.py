"""Folders of recordings in the order of their names, and files that are written whole."""

from __future__ import annotations

import os
import re
from collections.abc import Collection
from pathlib import Path

from tinyol_sim.errors import RecordingError


def files_in(folder: Path, suffixes: Collection[str]) -> list[Path]:
    """The files with one of these suffixes (lower case), in natural order, none hidden."""
    return [p for p in _entries(folder) if p.suffix.lower() in suffixes and p.is_file()]


def folders_in(folder: Path) -> list[Path]:
    """The folders in a folder, in natural order, neither hidden nor links."""
    return [path for path in _entries(folder) if path.is_dir() and not path.is_symlink()]


def write_whole(path: Path, data: bytes) -> None:
    """Write a file by way of one beside it, so that a failure leaves what was there before."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        try:
            partial.write_bytes(data)
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
    except OSError as error:
        raise RecordingError(f"{path}: {error.strerror or error}") from None


def _entries(folder: Path) -> list[Path]:
    try:
        names = [name for name in os.listdir(folder) if not name.startswith(".")]
    except OSError as error:
        raise RecordingError(f"{folder}: {error.strerror or error}") from None
    return [folder / name for name in sorted(names, key=_natural_order)]


def _natural_order(name: str) -> tuple[list[str | int], str]:
    parts = re.split(r"([0-9]+)", name)  # text, number, text, ...: equal places compare alike
    return [int(part) if i % 2 else part for i, part in enumerate(parts)], name
