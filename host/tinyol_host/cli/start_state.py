"""The state image that a replay or a sweep goes on from, `--state FILE`."""

from __future__ import annotations

from pathlib import Path

from tinyol_sim.errors import StateImageError


def read_start_state(path: Path | None) -> bytes | None:
    """Its bytes, not checked yet; None without one. StateImageError: it cannot be read."""
    if path is None:
        return None
    try:
        return path.read_bytes()
    except OSError as error:
        raise StateImageError(f"{path}: cannot be read: {error.strerror}") from None
