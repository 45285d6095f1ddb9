"""The int8 kernels on an emulated Cortex-M4F: with the DSP instructions, in plain C++ and in
numpy the same bytes, whatever the shape, the numbers, the compiler and its flags."""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from cortex_m4 import CortexM4, link
from emulator_cases import HAS_GCC, HAS_ZIG
from numpy.typing import NDArray
from quantized_numbers import (
    LENGTHS,
    SCALES,
    awkward_numbers,
    dequantized,
    quantized,
    random_zero_point,
)

from tinyol_sim.frozen_net.fixed_point import multiply_by_quantized_multiplier, wrap_int32
from tinyol_sim.frozen_net.net_compiler import in_blocks_of_four

SOURCES = (
    "tests/native/kernels_m4.cpp",
    *(
        f"firmware/lib/frozen/src/frozen/{name}.cpp"
        for name in ("kernels", "four_rows", "blocks_dsp", "fully_connected_dsp")
    ),
    *(
        f"firmware/lib/tinyol/src/tinyol/{n}.cpp"
        for n in ("quantize", "float_math", "linear_layer", "status")
    ),
)
RUN, RUN_PLAIN, QUANTIZE, DEQUANTIZE = range(4)
BUILDS = [
    *(("gcc", (level,)) for level in ("-O0", "-Os", "-O2", "-O3")),
    ("gcc", ("-O2", "-fno-omit-frame-pointer")),
    ("gcc", ("-Os", "-ffixed-r9")),
    ("gcc", ("-O2", "-DTINYOL_PLAIN_KERNELS")),
    *(("zig", (level,)) for level in ("-O0", "-Os", "-O2", "-O3")),
    ("zig", ("-O1", "-fno-omit-frame-pointer")),
]


@dataclass(frozen=True, eq=False)
class Layer:
    weights: NDArray[np.int8]  # (n_out, n_in)
    bias: NDArray[np.int32]  # (n_out,)
    factors: NDArray[np.int32]  # (1 or n_out, 2): multiplier, shift
    zero_point: int = 0
    least: int = -128
    greatest: int = 127

    def outputs(self, x: NDArray[np.int8]) -> NDArray[np.int8]:
        """What TFLM's arithmetic makes of one input."""
        sums = wrap_int32(self.weights.astype(np.int64) @ x + self.bias)
        factors = np.broadcast_to(self.factors, (len(sums), 2)).tolist()
        scaled = [
            multiply_by_quantized_multiplier(np.array([value]), *factor)[0]
            for value, factor in zip(sums, factors, strict=True)
        ]
        values = wrap_int32(np.array(scaled, np.int64) + self.zero_point)
        return np.clip(values, self.least, self.greatest).astype(np.int8)

    def run(self, cpu: CortexM4, x: NDArray[np.int8], function: int = RUN) -> NDArray[np.int8]:
        n_out, n_in = self.weights.shape
        arrays = (in_blocks_of_four(self.weights), self.bias, self.factors.astype("<i4"))
        numbers = (len(self.factors), n_in, n_out, self.zero_point, self.least, self.greatest)
        layer = struct.pack("<3I6i", *map(cpu.place, arrays), *numbers)
        # Padding of the input that is no zero, and bytes behind the output that must stay.
        padded = np.concatenate([x, np.full(-len(x) % 4, 77, np.int8)])
        output = np.full(n_out + 4, 99, np.int8)
        at = cpu.place(output)
        cpu.call(function, cpu.place(layer), cpu.place(padded), at)
        values = cpu.read(at, output)
        assert values[n_out:].tolist() == [99] * 4
        return values[:n_out]


def random_layer(rng: np.random.Generator, n_in: int, n_out: int) -> Layer:
    """Extremes among them: weights and sums at their ends, factors that shift left, biases that
    wrap."""
    n_factors = n_out if rng.random() < 0.4 else 1
    multipliers = rng.integers(2**30, 2**31, n_factors)
    shifts = rng.integers(-12, -3, n_factors)
    if rng.random() < 0.25:
        shifts = rng.integers(-31, 31, n_factors)
    if rng.random() < 0.1:
        multipliers = rng.choice([0, 1, 2**30 - 1, 2**30, 2**31 - 1], n_factors)
    weights = rng.integers(-128, 128, (n_out, n_in))
    if rng.random() < 0.2:
        weights = rng.choice([-128, 127], (n_out, n_in))
    reach = 2 ** int(rng.choice([8, 16, 31]))
    least, greatest = sorted(rng.integers(-128, 128, 2).tolist())
    if rng.random() < 0.6:
        least, greatest = -128, 127
    return Layer(
        weights.astype(np.int8),
        rng.integers(-reach, reach, n_out).astype(np.int32),
        np.stack([multipliers, shifts], axis=1).astype(np.int32),
        int(rng.integers(-128, 128)),
        least,
        greatest,
    )


def random_input(rng: np.random.Generator, n_in: int) -> NDArray[np.int8]:
    if rng.random() < 0.2:
        return np.full(n_in, rng.choice([-128, 127]), np.int8)
    return rng.integers(-128, 128, n_in).astype(np.int8)


@pytest.fixture(scope="module", params=BUILDS, ids=lambda build: f"{build[0]} {' '.join(build[1])}")
def cpu(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> CortexM4:
    compiler, flags = request.param
    if not (HAS_GCC if compiler == "gcc" else HAS_ZIG):
        pytest.skip(f"no {compiler}")
    pytest.importorskip("unicorn")
    folder: Path = tmp_path_factory.mktemp("m4")
    return CortexM4(link(SOURCES, compiler, flags, folder))


def test_every_small_shape_has_numpys_bytes(cpu: CortexM4) -> None:
    rng = np.random.default_rng(1)
    for n_in in range(1, 71):
        for n_out in range(1, 10):
            layer, x = random_layer(rng, n_in, n_out), random_input(rng, n_in)
            expected = layer.outputs(x).tolist()
            assert layer.run(cpu, x).tolist() == expected, (n_in, n_out, layer)
            if n_in % 5 == 0:
                assert layer.run(cpu, x, RUN_PLAIN).tolist() == expected, (n_in, n_out, layer)


# Around 508 columns the sums of two rows are only just told apart.
@pytest.mark.parametrize("n_in", [504, 507, 508, 509, 512, 640, 1016, 1017, 1300])
def test_the_largest_sums(cpu: CortexM4, n_in: int) -> None:
    rng = np.random.default_rng(n_in)
    for n_out in (1, 4, 6):
        for weight in (-128, 127):
            for x in (-128, 127):
                layer = random_layer(rng, n_in, n_out)
                factors = np.array([[2**30 + 12345, -14]], np.int32)
                weights = np.full((n_out, n_in), weight, np.int8)
                layer = replace(layer, weights=weights, factors=factors, least=-128, greatest=127)
                inputs = np.full(n_in, x, np.int8)
                assert layer.run(cpu, inputs).tolist() == layer.outputs(inputs).tolist()


def test_roundings_at_their_corners(cpu: CortexM4) -> None:
    """Sums are the bias alone: ties, signs and both ends of int32, with every right shift."""
    rng = np.random.default_rng(2)
    x = np.zeros(4, np.int8)
    for shift in range(-31, 1):
        for multiplier in (2**30, 2**31 - 1, int(rng.integers(2**30, 2**31))):
            ties = (2 * rng.integers(-300, 300, 36) + 1) << max(-shift - 1, 0)
            ends = [-(2**31), -(2**31) + 1, 2**31 - 1, 2**31 - 2, 0, 1, -1, -2, 2]
            bias = wrap_int32(np.concatenate([ties, 2 * ties, ends]))
            layer = Layer(
                np.zeros((len(bias), 4), np.int8),
                bias.astype(np.int32),
                np.array([[multiplier, shift]], np.int32),
                int(rng.integers(-128, 128)),
            )
            assert layer.run(cpu, x).tolist() == layer.outputs(x).tolist(), (multiplier, shift)


def test_instructions_a_multiply_accumulate(cpu: CortexM4, request: pytest.FixtureRequest) -> None:
    """Of a layer of 128 x 128: 33 for 32 and what a layer and its outputs take, whatever the
    optimiser makes of the C++ around. CMSIS-NN's loop takes 1.63, below which -O0 stays too."""
    rng = np.random.default_rng(4)
    layer, x = random_layer(rng, 128, 128), random_input(rng, 128)
    factors = np.array([[2**30 + 9, -6]], np.int32)
    flags = request.node.callspec.params["cpu"][1]
    plain = "-DTINYOL_PLAIN_KERNELS" in flags
    for per_channel, greatest, most in ((1, 127, 1.15), (128, 127, 1.25), (128, 90, 1.27)):
        tested = replace(
            layer, factors=np.repeat(factors, per_channel, 0), least=-128, greatest=greatest
        )
        tested.run(cpu, x)
        ratio = cpu.instructions / 128**2
        assert ratio > 2.5 if plain else 1.0 < ratio < (1.63 if "-O0" in flags else most), ratio
    tested.run(cpu, x, RUN_PLAIN)
    assert cpu.instructions > 2.5 * 128**2


def test_conversions_to_and_from_float32(cpu: CortexM4) -> None:
    """Any length and place; ties, numbers next to them, far outside, and what is no number."""
    rng = np.random.default_rng(3)
    for n in LENGTHS:
        for scale in SCALES:
            zero_point, real = random_zero_point(rng), np.float32(scale)
            numbers = struct.pack("<fi", scale, zero_point)
            for special in (False, True):
                x = awkward_numbers(rng, n, real, special)
                q = np.full(n + 4, 99, np.int8)
                at = cpu.place(q)
                cpu.call(QUANTIZE, cpu.place(struct.pack("<3I", cpu.place(x), at, n) + numbers))
                expected = [*quantized(x, real, zero_point).tolist(), 99, 99, 99, 99]
                assert cpu.read(at, q).tolist() == expected, (n, scale, zero_point, x)
            q = rng.integers(-128, 128, n).astype(np.int8)
            back = np.full(n + 1, 9.5, np.float32)
            at = cpu.place(back)
            cpu.call(DEQUANTIZE, cpu.place(struct.pack("<3I", at, cpu.place(q), n) + numbers))
            expected = [*dequantized(q, real, zero_point), np.float32(9.5)]
            np.testing.assert_array_equal(cpu.read(at, back), expected)
