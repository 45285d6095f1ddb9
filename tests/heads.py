"""The classifier's heads as functions of arrays: a thin face of tests/native/heads_api.h."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from cffi import FFI
from native_build import NATIVE, Native, any_compiler, build, sources_of_core
from numpy.typing import ArrayLike, NDArray

from tinyol_sim import _build

F32 = np.float32
Array = NDArray[np.float32]
SOFT, GAUS, REHE = range(3)  # sections
OK, NOT_FINITE, BAD_VALUE, TRUNCATED, MALFORMED = 0, -1, -6, -8, -15  # tinyol/status.h
BYTES_LEFT = 1
CAPACITIES = {**_build.CAPACITIES, "TINYOL_MAX_CLASSES": 16, "TINYOL_MAX_FEATURES": 16}

# What the heads are made of; the rest of the core is not needed here.
PARTS = (
    *("balanced_reservoir", "bytes", "classifier", "float_math", "gaussian_head"),
    *("layer_section", "linear_layer", "lower_triangle", "p2_quantile", "rehearsal_buffer"),
    *("running_stats", "settings", "sgd", "softmax_head", "status"),
)


def f32(values: ArrayLike) -> Array:
    return np.ascontiguousarray(values, dtype=np.float32)


@cache
def load_heads() -> Native:
    """Builds and loads the heads; the test skips without a compiler."""
    header = (NATIVE / "heads_api.h").read_text()
    ffi = FFI()
    ffi.cdef("\n".join(re.findall(r"// cdef begin\n(.*?)// cdef end", header, re.DOTALL)))
    names = {f"tinyol/{part}.cpp" for part in PARTS}
    core = [path for path in sources_of_core() if path.endswith(tuple(names))]
    sources = [*core, "tests/native/heads_api.cpp"]
    library = build(any_compiler(), "heads.so", sources, ("-O2",), CAPACITIES)
    return Native(ffi, ffi.dlopen(str(library)))


@dataclass(frozen=True, eq=False)
class GaussianState:
    lessons: NDArray[np.uint32]
    weight: Array
    mean: Array  # (k, d)
    spread: Array  # (k, spread_length)
    log_det: Array
    limit: Array
    counted: NDArray[np.uint32]  # by the quantile of d2


@dataclass(frozen=True, eq=False)
class RehearsalState:
    offset: Array
    exponent: NDArray[np.int8]
    groups: NDArray[np.uint8]
    values: NDArray[np.int8]  # (rows, d)
    seen: NDArray[np.uint32]


class Heads:
    """A Classifier of the core with its statistics and settings; every array is a copy."""

    def __init__(
        self,
        n_features: int,
        *,
        full: bool = False,
        prior: ArrayLike | None = None,
        rows: int = 112,
        classes: int = 0,
    ) -> None:
        native = load_heads()
        self.ffi, self.lib = native.ffi, native.lib
        self.d, self.k, self.rows = n_features, 0, rows
        variances = f32(np.ones(n_features) if prior is None else prior)
        handle = self.lib.tinyol_heads_new(n_features, full, self._in(variances), rows)
        self._h = self.ffi.gc(handle, self.lib.tinyol_heads_free)
        for _ in range(classes):
            self.add_class()

    def _in(self, array: NDArray[Any], kind: str = "float *") -> Any:
        return self.ffi.from_buffer(kind, array)

    def _rows(self, rows: ArrayLike) -> Array:
        return f32(rows).reshape(-1, self.d)

    def add_class(self) -> None:
        self.lib.tinyol_heads_add_class(self._h)
        self.k += 1

    def remove_class(self, index: int) -> None:
        self.lib.tinyol_heads_remove_class(self._h, index)
        self.k -= 1

    def restart_class(self, index: int) -> None:
        self.lib.tinyol_heads_restart_class(self._h, index)

    def set(self, number: int, value: float) -> None:
        assert self.lib.tinyol_heads_set(self._h, number, value) == OK

    # --- all of them ---

    def learn(self, rows: ArrayLike, truths: ArrayLike) -> NDArray[np.bool_]:
        x, t = self._rows(rows), np.ascontiguousarray(truths, np.uint16)
        applied = np.zeros(len(x), np.uint8)
        self.lib.tinyol_heads_learn(
            self._h, self._in(x), self._in(t, "uint16_t *"), len(x), self._in(applied, "uint8_t *")
        )
        return applied.astype(bool)

    def predict(
        self, rows: ArrayLike, call: str = "tinyol_heads_predict"
    ) -> tuple[NDArray[np.int32], Array, Array]:
        """Best (n,), probabilities (n, k), novelty (n,)."""
        x = self._rows(rows)
        p, novelty = np.full((len(x), self.k), np.nan, F32), np.full(len(x), np.nan, F32)
        best = np.zeros(len(x), np.int32)
        arrays = self._in(p), self._in(novelty), self._in(best, "int32_t *")
        getattr(self.lib, call)(self._h, self._in(x), len(x), *arrays)
        return best, p, novelty

    @property
    def lessons(self) -> int:
        return int(self.lib.tinyol_heads_lessons(self._h))

    # --- Gaussian ---

    def gauss_learn(
        self,
        rows: ArrayLike,
        truths: ArrayLike,
        *,
        horizon: int = 4096,
        prior_count: float = 2.0,
        false_rate: float = 0.05,
    ) -> Array:
        """d2 of the truth before each lesson."""
        x = self._rows(rows)
        t = np.ascontiguousarray(np.broadcast_to(np.asarray(truths, np.uint16), len(x)))
        d2 = np.empty(len(x), F32)
        rule = horizon, prior_count, false_rate
        truth = self._in(t, "uint16_t *")
        self.lib.tinyol_gauss_learn(self._h, self._in(x), truth, len(x), *rule, self._in(d2))
        return d2

    def gauss_predict(self, rows: ArrayLike) -> tuple[NDArray[np.int32], Array, Array]:
        return self.predict(rows, "tinyol_gauss_predict")

    def gauss_distances(self, row: ArrayLike) -> Array:
        x, d2 = f32(row), np.empty(self.k, F32)
        self.lib.tinyol_gauss_distances(self._h, self._in(x), self._in(d2))
        return d2

    def gauss_weight(self, index: int, weight: float) -> None:
        self.lib.tinyol_gauss_set_weight(self._h, index, weight)

    def gauss_restart_limits(self) -> None:
        self.lib.tinyol_gauss_restart_limits(self._h)

    def gauss(self) -> GaussianState:
        k, s = self.k, self.lib.tinyol_gauss_spread_length(self._h)
        state = GaussianState(
            np.zeros(k, np.uint32),
            np.zeros(k, F32),
            np.zeros((k, self.d), F32),
            np.zeros((k, s), F32),
            np.zeros(k, F32),
            np.zeros(k, F32),
            np.zeros(k, np.uint32),
        )
        floats = (state.weight, state.mean, state.spread, state.log_det, state.limit)
        self.lib.tinyol_gauss_read(
            self._h,
            self._in(state.lessons, "uint32_t *"),
            *map(self._in, floats),
            self._in(state.counted, "uint32_t *"),
        )
        return state

    # --- softmax ---

    def softmax_learn(
        self,
        scaled: ArrayLike,
        truth: int,
        *,
        rate: float = 2**-10,
        bias: bool = True,
        balanced: bool = False,
        new_lesson: bool = True,
    ) -> bool:
        x = self._in(f32(scaled))
        flags = bias, balanced, new_lesson
        return bool(self.lib.tinyol_softmax_learn(self._h, x, truth, rate, *flags))

    def softmax_predict(self, scaled: ArrayLike) -> tuple[int, Array]:
        x, p = f32(scaled), np.empty(self.k, F32)
        return int(self.lib.tinyol_softmax_predict(self._h, self._in(x), self._in(p))), p

    def softmax(self) -> tuple[NDArray[np.uint32], Array, Array, int]:
        """Lessons (k,), weights (k, d), bias (k,), steps applied."""
        lessons, bias = np.zeros(self.k, np.uint32), np.zeros(self.k, F32)
        weights, applied = np.zeros((self.k, self.d), F32), self.ffi.new("uint32_t *")
        arrays = self._in(lessons, "uint32_t *"), self._in(weights), self._in(bias)
        self.lib.tinyol_softmax_read(self._h, *arrays, applied)
        return lessons, weights, bias, int(applied[0])

    # --- rehearsal ---

    def rehearsal_add(self, rows: ArrayLike, classes: ArrayLike) -> None:
        x = self._rows(rows)
        c = np.ascontiguousarray(np.broadcast_to(np.asarray(classes, np.uint16), len(x)))
        self.lib.tinyol_rehearsal_add(self._h, self._in(x), self._in(c, "uint16_t *"), len(x))

    def rehearsal_draw(self) -> tuple[int, Array]:
        x = np.zeros(self.d, F32)
        return int(self.lib.tinyol_rehearsal_draw(self._h, self._in(x))), x

    def rehearsal(self) -> RehearsalState:
        offset, exponent = np.zeros(self.d, F32), np.zeros(self.d, np.int8)
        groups, values = np.zeros(self.rows, np.uint8), np.zeros((self.rows, self.d), np.int8)
        seen = np.zeros(self.k, np.uint32)
        size = self.lib.tinyol_rehearsal_read(
            self._h,
            self._in(offset),
            self._in(exponent, "int8_t *"),
            self._in(groups, "uint8_t *"),
            self._in(values, "int8_t *"),
            self._in(seen, "uint32_t *"),
        )
        return RehearsalState(offset, exponent, groups[:size], values[:size], seen)

    # --- sections ---

    def write(self, section: int) -> bytes:
        out = np.zeros(1 << 16, np.uint8)
        length = self.lib.tinyol_heads_write(self._h, section, self._in(out, "uint8_t *"), len(out))
        return out[:length].tobytes()

    def read(self, section: int, payload: bytes, *, store: bool = True) -> int:
        """A Status, or BYTES_LEFT."""
        raw = self.ffi.from_buffer("uint8_t *", payload or b"\0")
        return int(self.lib.tinyol_heads_read(self._h, section, raw, len(payload), store))


class Reservoir:
    """A BalancedReservoir whose rows hold the number of the offer that they came from."""

    def __init__(self, rows: int, random: int = 0) -> None:
        native = load_heads()
        self.ffi, self.lib, self.rows = native.ffi, native.lib, rows
        handle = self.lib.tinyol_reservoir_new(rows, random)
        self._r = self.ffi.gc(handle, self.lib.tinyol_reservoir_free)

    def offer(self, groups: ArrayLike) -> None:
        g = np.ascontiguousarray(groups, np.uint16)
        raw = self.ffi.from_buffer("uint16_t *", g)
        self.lib.tinyol_reservoir_offer(self._r, raw, len(g))

    def drop(self, group: int, *, renumber: bool) -> None:
        self.lib.tinyol_reservoir_drop(self._r, group, renumber)

    def read(self) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
        """Group and offer of each row kept."""
        groups, offers = np.zeros(self.rows, np.uint8), np.zeros(self.rows, np.int32)
        raw = (
            self.ffi.from_buffer("uint8_t *", groups),
            self.ffi.from_buffer("int32_t *", offers),
        )
        size = self.lib.tinyol_reservoir_read(self._r, *raw)
        return groups[:size], offers[:size]

    def draw(self, n: int) -> NDArray[np.int32]:
        drawn = np.zeros(n, np.int32)
        self.lib.tinyol_reservoir_draw(self._r, n, self.ffi.from_buffer("int32_t *", drawn))
        return drawn


def softmax_f32(z: ArrayLike) -> tuple[int, Array]:
    native, out = load_heads(), f32(z).copy()
    best = native.lib.tinyol_heads_softmax(native.ffi.from_buffer("float *", out), len(out))
    return int(best), out


def exp_f32(x: ArrayLike) -> Array:
    native, values = load_heads(), f32(x)
    out = np.empty_like(values)
    raw = (native.ffi.from_buffer("float *", a) for a in (values, out))
    source, target = raw
    native.lib.tinyol_heads_exp(source, len(values), target)
    return out
