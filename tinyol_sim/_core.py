"""The core's C face where the twin was built without Python's headers (python3-dev missing).

With them, cffi builds an extension module of this very name, which Python prefers to this file.
Here the same sources, built as a plain library, are loaded by cffi's ABI mode instead.
"""

from __future__ import annotations

from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

from cffi import FFI

from ._build import NATIVE, declarations


def _find_library() -> Path:
    stem = Path(__file__).with_name(NATIVE)
    for suffix in EXTENSION_SUFFIXES:
        path = stem.with_name(stem.name + suffix)
        if path.exists():
            return path
    raise ImportError("the twin's C++ core is not built; install the package with pip")


ffi = FFI()
ffi.cdef(declarations())
lib = ffi.dlopen(str(_find_library()))
