"""Between float32 and int8: TFLite's rounding, four numbers at a time and one by one."""

from __future__ import annotations

import numpy as np
import pytest
from cffi import FFI
from native_build import Compiler, Native, build, compilers
from numpy.typing import NDArray
from quantized_numbers import (
    LENGTHS,
    SCALES,
    awkward_numbers,
    dequantized,
    quantized,
    random_zero_point,
)

from tinyol_sim import _build

FACE = """
void tinyol_test_quantize(const float* x, uint32_t n, float scale, int32_t zero_point, int8_t* q);
void tinyol_test_dequantize(const int8_t* q, uint32_t n, float scale, int32_t zero_point, float* x);
"""
SOURCES = ("tests/native/quantize_api.cpp", f"{_build.CORE}/tinyol/quantize.cpp")
BUILDS = (("-O0",), ("-O2",), ("-O3", "-march=native"), ("-O3", "-DTINYOL_PLAIN_KERNELS"))


@pytest.fixture(scope="module", params=BUILDS, ids=" ".join)
def flags(request: pytest.FixtureRequest) -> tuple[str, ...]:
    chosen: tuple[str, ...] = request.param
    return chosen


@pytest.fixture(scope="module", params=compilers(), ids=lambda compiler: compiler.name)
def native(request: pytest.FixtureRequest, flags: tuple[str, ...]) -> Native:
    compiler: Compiler = request.param
    ffi = FFI()
    ffi.cdef(FACE)
    return Native(ffi, ffi.dlopen(str(build(compiler, "quantize.so", SOURCES, flags))))


def run_quantize(
    native: Native, x: NDArray[np.float32], scale: float, zero_point: int
) -> NDArray[np.int8]:
    """Where neither the input nor the output begins at a multiple of 4 or 16."""
    source = np.concatenate([np.zeros(1, np.float32), x])
    target = np.full(len(x) + 4, 99, np.int8)
    native.lib.tinyol_test_quantize(
        native.ffi.from_buffer("float[]", source) + 1,
        len(x),
        scale,
        zero_point,
        native.ffi.from_buffer("int8_t[]", target) + 1,
    )
    assert target[[0, -3, -2, -1]].tolist() == [99] * 4
    return target[1:-3]


@pytest.mark.parametrize("scale", SCALES)
def test_as_tflite_rounds(native: Native, scale: float) -> None:
    rng, real = np.random.default_rng(5), np.float32(scale)
    for n in LENGTHS:
        for special in (False, True):
            zero_point = random_zero_point(rng)
            x = awkward_numbers(rng, n, real, special)
            expected = quantized(x, real, zero_point).tolist()
            assert run_quantize(native, x, scale, zero_point).tolist() == expected, (zero_point, x)


def test_every_half_and_its_neighbours(native: Native) -> None:
    halves = (np.arange(-4200, 4201) * 0.5).astype(np.float32)
    towards = np.float32([-np.inf, np.inf])
    x = np.concatenate([halves, *(np.nextafter(halves, end) for end in towards)])
    for zero_point in (-128, -1, 0, 127):
        found = run_quantize(native, x, 1.0, zero_point)
        np.testing.assert_array_equal(found, quantized(x, np.float32(1), zero_point))


def test_back_again(native: Native) -> None:
    rng = np.random.default_rng(6)
    for n in LENGTHS:
        for scale in SCALES:
            zero_point = random_zero_point(rng)
            q = rng.integers(-128, 128, n).astype(np.int8)
            x = np.full(n + 1, 9.5, np.float32)
            native.lib.tinyol_test_dequantize(
                native.ffi.from_buffer("int8_t[]", q),
                n,
                scale,
                zero_point,
                native.ffi.from_buffer("float[]", x),
            )
            expected = [*dequantized(q, np.float32(scale), zero_point), np.float32(9.5)]
            np.testing.assert_array_equal(x, expected)
