"""The core's own float32 functions against float64, in units in the last place (ulp)."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import ArrayLike, NDArray
from units import F32, Units, f32

# What float_math.h states: measured over every float32 that is not tiny.
EXP_ULP, LOG_ULP, SIGMOID_ULP = 0.99, 0.84, 2.5
SMALLEST_NORMAL = np.finfo(F32).tiny


@pytest.fixture(scope="module")
def positives() -> NDArray[np.float32]:
    """2,048 mantissas in each of the 255 exponents, denormals among them, both ends of each."""
    rng = np.random.default_rng(0)
    mantissas = np.concatenate([[0, 1, 2**23 - 1], rng.integers(0, 2**23, 2045)])
    bits = (np.arange(255)[:, None] << 23) + mantissas[None, :]
    return bits.astype(np.uint32).reshape(-1).view(F32)


def ulps(values: ArrayLike, exact: ArrayLike) -> float:
    """The largest error, in the spacing of float32 where the exact value lies."""
    exact = np.asarray(exact, float)
    _, exponent = np.frexp(exact)
    spacing = np.ldexp(1.0, np.maximum(exponent, -125) - 24)
    return float(np.max(np.abs(np.asarray(values, float) - exact) / spacing))


def test_exp(units: Units, positives: NDArray[np.float32]) -> None:
    everywhere = np.concatenate([positives, -positives, np.linspace(-87.336, 88.722, 400_001)])
    x = f32(everywhere[(everywhere >= -87.336) & (everywhere <= 88.7228)])
    y = units.map("exp", x)
    assert np.all(np.isfinite(y))
    assert ulps(y, np.exp(x.astype(float))) < EXP_ULP


def test_exp_outside_its_range(units: Units) -> None:
    below = units.map("exp", [-87.34, -1e30, -np.inf, np.nan])
    np.testing.assert_array_equal(below, 0)
    above = units.map("exp", [88.72283, 88.73, 1e30, np.inf])
    np.testing.assert_array_equal(above, above[0])
    assert 3.40e38 < above[0] < np.inf
    np.testing.assert_array_equal(units.map("exp", [0.0, -0.0, 1e-45, -1e-45]), 1)


def test_log(units: Units, positives: NDArray[np.float32]) -> None:
    x = np.concatenate([positives, f32(np.linspace(0.5, 2, 400_001))])
    x = x[(x >= SMALLEST_NORMAL) & (x != 1)]
    assert ulps(units.map("log", x), np.log(x.astype(float))) < LOG_ULP
    assert units.map("log", [1.0])[0] == 0


def test_log_outside_its_range(units: Units) -> None:
    tiny = [SMALLEST_NORMAL, 1e-38, 1e-45, 0.0, -0.0, -1.0, -np.inf, np.nan]
    y = units.map("log", tiny)
    np.testing.assert_array_equal(y, y[0])
    assert y[0] == F32(np.log(float(SMALLEST_NORMAL)))
    assert units.map("log", [np.inf])[0] == F32(88.72283)


def test_sqrt_is_correctly_rounded(units: Units, positives: NDArray[np.float32]) -> None:
    np.testing.assert_array_equal(units.map("sqrt", positives), np.sqrt(positives))
    np.testing.assert_array_equal(units.map("sqrt", [0.0, -0.0, -1.0, -np.inf, np.nan]), 0)


def test_sigmoid(units: Units, positives: NDArray[np.float32]) -> None:
    everywhere = np.concatenate([positives, -positives, np.linspace(-88.7, 88.7, 400_001)])
    x = f32(everywhere[everywhere >= -88.7])
    with np.errstate(under="ignore"):
        assert ulps(units.map("sigmoid", x), 1 / (1 + np.exp(-x.astype(float)))) < SIGMOID_ULP
    ends = units.map("sigmoid", [-1e30, -np.inf, 1e30, np.inf, np.nan])
    np.testing.assert_array_equal(ends, f32([2.938758e-39, 2.938758e-39, 1, 1, 1]))


SMALL = st.floats(-1e6, 1e6, width=32)


@given(arrays(F32, st.integers(0, 70), elements=SMALL), st.integers(0, 2**32 - 1))
def test_sums_keep_to_the_one_order(units: Units, a: NDArray[np.float32], seed: int) -> None:
    """Four interleaved accumulators, then (s0 + s1) + (s2 + s3): the order is a promise."""
    b = np.random.default_rng(seed).normal(size=len(a)).astype(F32)

    def in_order(terms: NDArray[np.float32]) -> np.float32:
        s = np.zeros(4, F32)
        for i, term in enumerate(terms):
            s[i % 4] += term
        return F32(F32(s[0] + s[1]) + F32(s[2] + s[3]))

    lib, n = units.lib, len(a)
    pointers = [units.ffi.from_buffer("float *", array) for array in (a, b)]
    assert lib.tinyol_unit_dot(*pointers, n) == in_order(a * b)
    assert lib.tinyol_unit_squared_distance(*pointers, n) == in_order((a - b) * (a - b))
    assert lib.tinyol_unit_sum(pointers[0], n // 3, 3) == in_order(a[: n // 3 * 3 : 3])
