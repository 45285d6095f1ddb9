"""The native library of the watching parts (tests/native/watch_api.h), and their sections."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import IntEnum
from functools import cache
from typing import Any

import numpy as np
from cffi import FFI
from native_build import NATIVE, Native, any_compiler, build
from numpy.typing import ArrayLike, NDArray

from tinyol_sim import _build

F32 = np.float32
Array = NDArray[np.float32]

PARTS = (
    "anomaly_detector",
    "bytes",
    "drift_monitor",
    "feature_ring",
    "float_math",
    "linear_layer",
    "p2_quantile",
    "recursive_least_squares",
    "sgd",
    "status",
    "unknown_events",
    "window_rehearsal",
)


@cache
def load_watch() -> Native:
    """Builds and loads the library; the test skips without a compiler."""
    header = (NATIVE / "watch_api.h").read_text()
    ffi = FFI()
    ffi.cdef("\n".join(re.findall(r"// cdef begin\n(.*?)// cdef end", header, re.DOTALL)))
    core = [(_build.CORE / "tinyol" / f"{part}.cpp").as_posix() for part in PARTS]
    sources = [*core, "tests/native/watch_api.cpp"]
    library = build(any_compiler(), "watch.so", sources, ("-O2", "-ffp-contract=off"))
    return Native(ffi, ffi.dlopen(str(library)))


class Section(IntEnum):
    """As tinyol_watch_write numbers them."""

    START = 0
    NORM = 1
    DRIF = 2
    UNKN = 3
    RLSP = 4
    REHW = 5


OK, TRUNCATED, NOT_FINITE, MALFORMED = 0, -8, -1, -15


@dataclass(frozen=True)
class Read:
    status: int
    used: int
    where: str


def f32(values: ArrayLike) -> Array:
    return np.ascontiguousarray(values, dtype=np.float32)


class Parts:
    """One of each part, which its sections are written from and read into."""

    def __init__(self, n_features: int = 3, ring: int = 64) -> None:
        native = load_watch()
        self.ffi, self.lib = native.ffi, native.lib
        self.n_features = n_features
        self.handle = self.ffi.gc(
            self.lib.tinyol_watch_new(n_features, ring), self.lib.tinyol_watch_free
        )
        self.counts = self.ffi.new("uint32_t[3]")  # of least squares

    def _in(self, array: NDArray[Any], kind: str = "float *") -> Any:
        return self.ffi.from_buffer(kind, array)

    # --- sections ---

    def write(self, section: Section) -> bytes:
        out = self.ffi.new("uint8_t[]", 1 << 16)
        n = self.lib.tinyol_watch_write(self.handle, section, out, len(out))
        assert n <= len(out)
        return bytes(self.ffi.buffer(out, n))

    def read(
        self, section: Section, data: bytes, size: int = 3, limit: int = 16, dry: bool = False
    ) -> Read:
        """dry: validates only."""
        used, where = self.ffi.new("uint32_t *"), self.ffi.new("char[32]")
        handle = self.ffi.NULL if dry else self.handle
        arguments = (self.ffi.from_buffer("uint8_t *", data), len(data), size, limit, used, where)
        status = self.lib.tinyol_watch_read(handle, section, *arguments)
        return Read(status, used[0], self.ffi.string(where).decode())
