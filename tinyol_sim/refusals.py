"""What the core refuses, in words."""

from __future__ import annotations

from typing import Any

from ._core import ffi
from .errors import DeviceError, StateImageError, TinyOLError

STATUS = {
    -1: "not a finite number, or beyond any sensible size",
    -2: "no room left",
    -3: "not there",
    -4: "there already",
    -5: "not a name: UTF-8 without control characters, 1 to 15 bytes (a board's 20)",
    -6: "out of range",
    -7: "too small in this build",
    -8: "truncated",
    -9: "not of this format",
    -10: "of another version",
    -11: "damaged: the checksum does not match",
    -12: "of another model",
    -13: "unknown",
    -14: "not supported",
    -15: "malformed",
    -16: "no model loaded",
    -22: "the flash reports a failure, or does not hold what was written",
}
NOT_FINITE, NO_ROOM, NOT_FOUND, EXISTS, BAD_NAME, BAD_VALUE = -1, -2, -3, -4, -5, -6
TOO_SMALL, WRONG_MODEL, UNSUPPORTED, NO_MODEL = -7, -12, -14, -16


def new_refusal() -> Any:
    """A C struct for a call to fill."""
    return ffi.new("tinyol_refusal *")


def describe(refusal: Any) -> str:
    """One sentence: what was refused, why, and the numbers."""
    where = ffi.string(refusal.where).decode("utf-8", "replace")
    text = f"{where}: {STATUS.get(refusal.status, f'status {refusal.status}')}"
    if refusal.need or refusal.have:
        text += f" (needed {refusal.need}, found {refusal.have})"
    return text


def ensure(status: int, refusal: Any, error: type[TinyOLError] = DeviceError) -> None:
    """Raises what the core refused; does nothing for status 0."""
    if status == 0:
        return
    raise error(describe(refusal))


__all__ = ["DeviceError", "StateImageError", "describe", "ensure", "new_refusal"]
