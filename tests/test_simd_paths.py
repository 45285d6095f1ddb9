"""The host's kernels on each path that this processor has: numpy's bytes, and the same states."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from cffi import FFI
from native_build import NATIVE, Native, build, compilers
from numpy.typing import NDArray
from test_kernels_m4 import Layer, random_input, random_layer

from tinyol_sim import _build
from tinyol_sim.bundle import Bundle, default_bundle
from tinyol_sim.errors import DeviceError
from tinyol_sim.frozen_net.fixed_point import wrap_int32
from tinyol_sim.frozen_net.net_compiler import in_blocks_of_four
from tinyol_sim.simd import PATHS, VARIABLE, set_simd_path, simd_path
from tinyol_sim.twin import Twin

PARTS = ("bytes", "float_math", "linear_layer", "quantize", "status")
SOURCES = (
    "tests/native/kernels_api.cpp",
    *(path for path in _build.sources() if path.startswith(_build.FROZEN.as_posix())),
    *(f"{_build.CORE}/tinyol/{name}.cpp" for name in PARTS),
)
LEVELS = ("-O0", "-O2", "-O3")  # GCC's; the others at the last
BUILDS = [
    (compiler, level)
    for compiler in compilers()
    for level in LEVELS
    if compiler.name == "g++" or level == LEVELS[-1]
]


@pytest.fixture(scope="module", params=BUILDS, ids=lambda pair: f"{pair[0].name} {pair[1]}")
def library(request: pytest.FixtureRequest) -> Native:
    compiler, level = request.param
    header = (NATIVE / "kernels_api.h").read_text()
    ffi = FFI()
    ffi.cdef("\n".join(re.findall(r"// cdef begin\n(.*?)// cdef end", header, re.DOTALL)))
    flags = (level, "-ffp-contract=off")
    return Native(ffi, ffi.dlopen(str(build(compiler, "kernels.so", SOURCES, flags))))


@pytest.fixture(params=range(len(PATHS)), ids=PATHS)
def kernels(request: pytest.FixtureRequest, library: Native) -> Iterator[Native]:
    before = library.lib.tinyol_test_simd_path()
    if not library.lib.tinyol_test_set_simd_path(request.param):
        pytest.skip(f"this processor has no {PATHS[request.param]}")
    assert library.lib.tinyol_test_simd_path() == request.param
    yield library
    library.lib.tinyol_test_set_simd_path(before)


def run(kernels: Native, layer: Layer, x: NDArray[np.int8]) -> list[int]:
    n_out, n_in = layer.weights.shape
    weights = np.frombuffer(in_blocks_of_four(layer.weights), np.int8)
    # Padding of the input that is no zero, and bytes behind the output that must stay.
    padded = np.concatenate([x, np.full(-len(x) % 4, 77, np.int8)])
    output = np.full(n_out + 8, 99, np.int8)
    factors = np.ascontiguousarray(layer.factors, np.int32)

    def at(kind: str, array: NDArray[Any]) -> Any:
        return kernels.ffi.cast(kind, kernels.ffi.from_buffer(array))

    kernels.lib.tinyol_test_fully_connected(
        at("int8_t *", weights),
        at("int32_t *", layer.bias),
        at("int32_t *", factors),
        len(factors),
        n_in,
        n_out,
        layer.zero_point,
        layer.least,
        layer.greatest,
        at("int8_t *", padded),
        at("int8_t *", output),
    )
    assert output[n_out:].tolist() == [99] * 8
    return [int(value) for value in output[:n_out]]


Case = tuple[Layer, NDArray[np.int8], list[int]]  # with an input, and what it makes of it


@pytest.fixture(scope="module")
def cases() -> list[Case]:
    rng = np.random.default_rng(3)
    shapes = [(n_in, n_out) for n_in in range(1, 71) for n_out in range(1, 10)]
    shapes += [(n_in, n_out) for n_in in (1, 7, 40, 128) for n_out in range(10, 43)]
    made = [(random_layer(rng, *shape), random_input(rng, shape[0])) for shape in shapes]
    return [(layer, x, layer.outputs(x).tolist()) for layer, x in made]


def test_every_small_shape_has_numpys_bytes(kernels: Native, cases: list[Case]) -> None:
    for layer, x, expected in cases:
        assert run(kernels, layer, x) == expected, (layer.weights.shape, layer)


@pytest.mark.parametrize("n_in", [508, 512, 640, 4096, 65535])
def test_the_largest_sums(kernels: Native, n_in: int) -> None:
    rng = np.random.default_rng(n_in)
    for n_out in (1, 4, 6, 17):
        for weight in (-128, 127):
            for value in (-128, 127):
                layer = replace(
                    random_layer(rng, n_in, n_out),
                    weights=np.full((n_out, n_in), weight, np.int8),
                    factors=np.array([[2**30 + 12345, -14]], np.int32),
                    least=-128,
                    greatest=127,
                )
                x = np.full(n_in, value, np.int8)
                assert run(kernels, layer, x) == layer.outputs(x).tolist()


def test_roundings_at_their_corners(kernels: Native) -> None:
    """Sums are the bias alone: ties, signs and both ends of int32, with every shift."""
    rng = np.random.default_rng(4)
    x = np.zeros(4, np.int8)
    for shift in range(-31, 31):
        for multiplier in (0, 1, 2**30, 2**31 - 1, int(rng.integers(2**30, 2**31))):
            ties = (2 * rng.integers(-300, 300, 36) + 1) << max(-shift - 1, 0)
            ends = [-(2**31), -(2**31) + 1, 2**31 - 1, 2**31 - 2, 0, 1, -1, -2, 2]
            bias = wrap_int32(np.concatenate([ties, 2 * ties, ends])).astype(np.int32)
            factors = np.array([[multiplier, shift]], np.int32)
            weights = np.zeros((len(bias), 4), np.int8)
            layer = Layer(weights, bias, factors, int(rng.integers(-128, 128)))
            each = replace(layer, factors=np.tile(factors, (len(bias), 1)))
            expected = layer.outputs(x).tolist()
            assert run(kernels, layer, x) == run(kernels, each, x) == expected


@pytest.fixture
def bundle() -> Bundle:
    return default_bundle(119.0)


def test_a_twin_ends_in_the_same_state_on_every_path(bundle: Bundle) -> None:
    samples = np.random.default_rng(5).normal([0, 0, 1], 0.25, (3000, 3)).astype(np.float32)
    found, before = set(), simd_path()
    for path in PATHS[: PATHS.index(before) + 1]:
        set_simd_path(path)
        try:
            twin = Twin(bundle)
            twin.add_class("normal")
            twin.fine_tune(20)
            twin.feed(samples, np.zeros(len(samples), np.int16))
            found.add(twin.state)
        finally:
            set_simd_path(before)
    assert len(found) == 1


def test_a_path_is_named_or_refused(monkeypatch: pytest.MonkeyPatch, bundle: Bundle) -> None:
    with pytest.raises(DeviceError, match="'neon': it must be plain or avx2"):
        set_simd_path("neon")
    monkeypatch.setenv(VARIABLE, "fast")
    with pytest.raises(DeviceError, match="TINYOL_SIMD is 'fast'; it can be 'plain'"):
        Twin(bundle)


@pytest.mark.parametrize("wanted", ["plain", ""])
def test_the_environment_chooses(wanted: str) -> None:
    program = "from tinyol_sim.simd import simd_path; print(simd_path())"
    environment = {**os.environ, VARIABLE: wanted}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    default = "plain" if os.environ.get(VARIABLE) == "plain" else simd_path()
    assert done.stdout.strip() == (wanted or default)
