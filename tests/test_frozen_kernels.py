"""The board's kernels against TFLM, TFLite's reference kernels and numpy, bit for bit."""

from __future__ import annotations

from fractions import Fraction
from math import floor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from random_nets import RandomNet, random_float32_net, random_int8_net
from reference_interpreters import NAMES, Reference, load_reference
from tflite_builder import ModelBuilder

from tinyol_sim.frozen_net.fixed_point import multiply_by_quantized_multiplier
from tinyol_sim.frozen_net.net import TAPS, Net
from tinyol_sim.frozen_net.net_compiler import compile_net
from tinyol_sim.frozen_net.net_reference import run_reference
from tinyol_sim.frozen_net.tflite_model import Taps, TfliteModel, read_tflite, with_outputs

N_NETS = 80
N_ROWS = 96


@pytest.fixture(params=NAMES)
def reference(request: pytest.FixtureRequest) -> Reference:
    found = load_reference(request.param)
    if isinstance(found, str):
        pytest.skip(found)
    return found


def written_tensors(model: TfliteModel) -> list[int]:
    return [operator.outputs[0] for operator in model.operators]


def run_kernels(model: TfliteModel, inputs: NDArray[Any]) -> dict[int, NDArray[Any]]:
    """Every tensor that the C++ computes: three a compilation, as three taps."""
    values: dict[int, NDArray[Any]] = {}
    tensors = written_tensors(model)
    for start in range(0, len(tensors), 3):
        three = [tensors[min(start + i, len(tensors) - 1)] for i in range(3)]
        outputs = Net(compile_net(model, Taps(*three))).run(inputs)
        values.update(zip(three, (outputs[name] for name in TAPS), strict=True))
    return values


def differences(
    model: TfliteModel, net: RandomNet, reference: Reference
) -> tuple[int, int, list[str]]:
    """How many values were compared, how many differ from the kernels', and where."""
    tensors = written_tensors(model)
    golden = reference(with_outputs(net.model, tensors), net.inputs)
    kernels = run_kernels(model, net.inputs)
    compared, differing, places = 0, 0, list[str]()
    for operator, expected in zip(model.operators, golden, strict=True):
        n = int(np.count_nonzero(kernels[operator.outputs[0]] != expected))
        compared, differing = compared + expected.size, differing + n
        if n:
            places.append(f"{model.source}, {operator.label}: {n} of {expected.size}")
    return compared, differing, places


def test_generated_nets_match_the_reference(reference: Reference) -> None:
    compared, places, kinds = 0, list[str](), set[str]()
    for seed in range(N_NETS):
        net = random_int8_net(seed, N_ROWS)
        model = read_tflite(net.model, f"net {seed}")
        n, _, found = differences(model, net, reference)
        compared, places = compared + n, places + found
        kinds |= {operator.kind for operator in model.operators}
    assert not places
    assert compared >= 1_000_000
    assert len(kinds) == 8  # every operator that the target runs has been there


def test_mlperf_tiny_matches_the_reference(reference: Reference, real_data: Path) -> None:
    file = (real_data / "mlperf-tiny-ad" / "ad01_int8.tflite").read_bytes()
    inputs = np.random.default_rng(0).integers(-128, 128, (600, 640), dtype=np.int8)
    inputs[0], inputs[1] = -128, 127
    model = read_tflite(file, "ad01")
    compared, differing, places = differences(model, RandomNet(file, inputs), reference)
    assert (differing, places) == (0, [])
    assert compared >= 1_000_000


def test_float32_nets_agree_with_the_reference(reference: Reference) -> None:
    """Another order of summation and another exp: the same numbers up to rounding."""
    for seed in range(10):
        net = random_float32_net(seed, 32)
        model = read_tflite(net.model, f"float net {seed}")
        golden = reference(with_outputs(net.model, written_tensors(model)), net.inputs)
        kernels = run_kernels(model, net.inputs)
        for tensor, expected in zip(written_tensors(model), golden, strict=True):
            np.testing.assert_allclose(kernels[tensor], expected, rtol=2e-5, atol=2e-6)


def test_numpy_twin_has_the_kernels_bits() -> None:
    for seed in range(N_NETS, N_NETS + 30):
        net = random_int8_net(seed, 48)
        model = read_tflite(net.model, f"net {seed}")
        twin = run_reference(model, net.inputs)
        for tensor, values in run_kernels(model, net.inputs).items():
            np.testing.assert_array_equal(values, twin[tensor], err_msg=f"{model.source} {tensor}")


def test_numpy_twin_of_float32_layers() -> None:
    """Sums have the same bits; LOGISTIC and TANH, and what follows from them, are close."""
    for seed in range(10):
        net = random_float32_net(seed, 32)
        model = read_tflite(net.model, f"float net {seed}")
        twin, kernels = run_reference(model, net.inputs), run_kernels(model, net.inputs)
        exact = True
        for operator in model.operators:
            exact = exact and operator.kind not in ("LOGISTIC", "TANH")
            ours, theirs = kernels[operator.outputs[0]], twin[operator.outputs[0]]
            if exact:
                np.testing.assert_array_equal(ours, theirs)
            np.testing.assert_allclose(ours, theirs, rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("function", ["LOGISTIC", "TANH"])
def test_float32_functions_are_accurate(function: str) -> None:
    """Within 3 units in the last place of float64, from tiny numbers to where they saturate."""
    magnitudes = np.concatenate([np.geomspace(1e-30, 0.5, 4000), np.linspace(0.5, 12, 6000)])
    x = np.concatenate([-magnitudes, [0.0], magnitudes]).astype(np.float32).reshape(-1, 1)
    builder = ModelBuilder()
    first = builder.tensor((1, 1), "FLOAT32")
    last = builder.operator(function, [first], builder.tensor((1, 1), "FLOAT32"))
    model = read_tflite(builder.finish([first], [last]))
    values = Net(compile_net(model, Taps(last, last, last))).run(x)["reconstruction"]
    wide = x.astype(np.float64)
    expected = np.tanh(wide) if function == "TANH" else 1 / (1 + np.exp(-wide))
    spacing = np.spacing(np.abs(expected).astype(np.float32))
    assert np.max(np.abs(values - expected) / spacing) <= 3
    assert values.min() >= (-1 if function == "TANH" else 0)
    assert values.max() <= 1


def test_quantize_rounds_halves_away_and_saturates() -> None:
    x = np.array([-1e30, -2.5, -1.5, -0.5, -0.49999997, 0, 0.49999997, 0.5, 1.5, 2.5, 1e30])
    builder = ModelBuilder()
    first = builder.tensor((1, len(x)), "FLOAT32")
    last = builder.tensor((1, len(x)), scale=1.0, zero_point=10)
    builder.operator("QUANTIZE", [first], last)
    model = read_tflite(builder.finish([first], [last]))
    values = Net(compile_net(model, Taps(last, last, last))).run(x.astype(np.float32)[None])
    expected = [-128, 7, 8, 9, 10, 10, 10, 11, 12, 13, 127]
    assert values["reconstruction"][0].tolist() == expected


@given(
    value=st.integers(-(2**31), 2**31 - 1),
    multiplier=st.integers(2**30, 2**31 - 1),
    right=st.integers(0, 31),
)
def test_factors_round_twice(value: int, multiplier: int, right: int) -> None:
    """Against exact fractions: to the nearest, ties upwards; then again, ties away from zero."""
    once = floor(Fraction(value * multiplier, 2**31) + Fraction(1, 2))
    twice = floor(Fraction(abs(once), 2**right) + Fraction(1, 2))
    result = multiply_by_quantized_multiplier(np.array([value]), multiplier, -right)
    assert result.tolist() == [twice if once >= 0 else -twice]


def test_outputs_of_inner_tensors_change_nothing(reference: Reference) -> None:
    net = random_int8_net(3, 20)
    model = read_tflite(net.model)
    tensors = written_tensors(model)
    plain = reference(net.model, net.inputs)
    tapped = reference(with_outputs(net.model, [tensors[-1], tensors[0]]), net.inputs)
    assert len(tapped) == 2
    np.testing.assert_array_equal(plain[0], tapped[0])
