"""Which of the processor's instructions the twin uses. No choice changes a bit of any result.

The best that processor and system offer, unless the environment says TINYOL_SIMD=plain.
"""

from __future__ import annotations

import os

from ._core import lib
from .errors import DeviceError

VARIABLE = "TINYOL_SIMD"
PATHS = ("plain", "avx2")  # as tinyol_simd_path() numbers them


def simd_path() -> str:
    """The one in use, of PATHS."""
    return PATHS[lib.tinyol_simd_path()]


def set_simd_path(path: str) -> None:
    """Another from now on, in every thread.

    Raises:
        DeviceError: there is none of that name, or this processor does not have it.
    """
    if path not in PATHS:
        raise DeviceError(f"SIMD path {path!r}: it must be {' or '.join(PATHS)}")
    if not lib.tinyol_set_simd_path(PATHS.index(path)):
        raise DeviceError(f"SIMD path {path!r}: this processor does not have it; take 'plain'")


def check_environment() -> None:
    """Raises DeviceError where the variable says what it cannot mean."""
    wanted = os.environ.get(VARIABLE, "")
    if wanted not in ("", "plain"):
        raise DeviceError(f"{VARIABLE} is {wanted!r}; it can be 'plain', or not be set")
