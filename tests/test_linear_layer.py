"""The linear layer's loops to the bit, on every CPU, and the bound that saves it looks."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import pytest
from core_calls import BoardCalls, CoreCalls, HostCalls
from emulator_cases import gcc, unicorn, zig
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

F32 = np.float32
Array = NDArray[np.float32]
CORE = "firmware/lib/tinyol/src/tinyol"
SOURCES = (f"{CORE}/linear_layer.cpp", f"{CORE}/float_math.cpp", "tests/native/layer_calls.cpp")
FORWARD, UPDATE = 0, 1
APPLIED, NOT_FINITE, OVER_LIMIT = 1, 2, 4
PLAIN = ("-O2", "-DTINYOL_PLAIN_KERNELS")
FRAMED = ("-O2", "-fno-omit-frame-pointer")
FLAGS = {"plain": PLAIN, "-O0": ("-O0",), "-O2": ("-O2",), "-Os": ("-Os",), "framed": FRAMED}
SHAPES = [(n_in, n_out) for n_in in (*range(1, 21), 31, 32, 33, 64, 70) for n_out in (1, 3, 4, 5)]
SHAPES += [(32, 40), (5, 16), (9, 9)]


@cache
def board(compiler: str, flags: str) -> CoreCalls:
    return BoardCalls(SOURCES, compiler, FLAGS[flags])


@cache
def host(flags: str) -> CoreCalls:
    return HostCalls(SOURCES, FLAGS[flags])


@dataclass
class Layer:
    """A layer, and what is done to it."""

    weights: Array  # (n_out, n_in)
    bias: Array | None
    inputs: Array
    delta: Array
    bias_input: float = 1.0
    scale: float = 0.125
    decay: float = 0.0
    limit: float = 1e6

    def forward(self) -> Array:
        """In the project's order: accumulator i % 4, then (s0 + s1) + (s2 + s3)."""
        sums = np.zeros((len(self.weights), 4), F32)
        for i, x in enumerate(self.inputs):
            sums[:, i % 4] += self.weights[:, i] * x
        total = (sums[:, 0] + sums[:, 1]) + (sums[:, 2] + sums[:, 3])
        return np.asarray(total if self.bias is None else total + self.bias, F32)

    def stepped(self) -> tuple[int, Array, Array | None]:
        """What update_layer() makes of it: APPLIED or why not, and the numbers then."""
        with np.errstate(all="ignore"):
            steps = F32(self.scale) * self.delta
            gradient = steps[:, None] * self.inputs
            if self.decay:
                gradient = gradient + F32(self.decay) * self.weights
            weights = self.weights - gradient
            bias = None if self.bias is None else self.bias - steps * F32(self.bias_input)
        numbers = weights.ravel() if bias is None else np.concatenate([weights.ravel(), bias])
        if not np.all(np.isfinite(numbers)):
            return NOT_FINITE, self.weights, self.bias
        if np.any(np.abs(numbers) > F32(self.limit)):
            return OVER_LIMIT, self.weights, self.bias
        return APPLIED, weights, bias

    def update(self, calls: CoreCalls, bound: Array | None) -> int:
        """The same there, in place."""
        n_out, n_in = self.weights.shape
        numbers = np.array([self.bias_input, self.scale, self.decay, self.limit], F32)
        layer = (self.weights, self.bias, n_in, n_out)
        return calls.call(UPDATE, *layer, self.inputs, self.delta, numbers, bound)

    def largest(self) -> float:
        bias = self.weights[:0, 0] if self.bias is None else self.bias
        return float(np.abs(np.concatenate([self.weights.ravel(), bias])).max())


def numbers(rng: np.random.Generator, *shape: int) -> Array:
    """Of all sizes, zeros of both signs and denormals among them."""
    drawn = rng.normal(0, 1, shape) * 10.0 ** rng.integers(-3, 3, shape)
    drawn = np.where(rng.random(shape) < 0.1, rng.choice([0.0, -0.0, 1e-40, -3e-45]), drawn)
    return drawn.astype(F32)


def draw(rng: np.random.Generator, n_in: int, n_out: int) -> Layer:
    bias = numbers(rng, n_out) if rng.random() < 0.7 else None
    decay = float(rng.choice([0.0, 0.0, 0.01]))
    weights = numbers(rng, n_out, n_in)
    return Layer(weights, bias, numbers(rng, n_in), numbers(rng, n_out), decay=decay)


def same_bits(found: Array | None, expected: Array | None) -> None:
    assert (found is None) == (expected is None)
    if found is not None and expected is not None:
        np.testing.assert_array_equal(found.view(np.uint32), expected.view(np.uint32))


def check_shapes(calls: CoreCalls) -> None:
    rng = np.random.default_rng(1)
    for n_in, n_out in SHAPES:
        layer = draw(rng, n_in, n_out)
        output = np.full(n_out, np.nan, F32)
        calls.call(FORWARD, layer.weights, layer.bias, n_in, n_out, layer.inputs, output)
        same_bits(output, layer.forward())
        for bound in (None, np.array([np.inf], F32), np.array([layer.largest()], F32)):
            expected, weights, bias = layer.stepped()
            assert layer.update(calls, bound) == expected == APPLIED
            same_bits(layer.weights, weights)
            same_bits(layer.bias, bias)
            layer.delta = numbers(rng, n_out)


@pytest.mark.parametrize("machine", [unicorn])
@pytest.mark.parametrize("flags", FLAGS)
@pytest.mark.parametrize("compiler", [gcc, zig])
def test_every_build_for_the_board_has_the_bits(compiler: str, flags: str, machine: str) -> None:
    check_shapes(board(compiler, flags))


@pytest.mark.parametrize("flags", ["-O2", "plain"])
def test_the_host_has_the_bits(flags: str) -> None:
    check_shapes(host(flags))


def check_bound(calls: CoreCalls, seed: int, limit: float, steps: int) -> dict[int, int]:
    """With the bound as without: the same weights and refusals; how often each verdict came."""
    rng = np.random.default_rng(seed)
    layer = draw(rng, *(int(n) for n in rng.integers(1, 10, 2)))
    layer.weights *= F32(0.1 * limit / max(layer.largest(), 1e-30))
    if layer.bias is not None:
        layer.bias *= F32(0)
    layer.limit = limit
    n_out, n_in = layer.weights.shape
    bound = np.array([np.inf], F32)
    found = dict.fromkeys((APPLIED, NOT_FINITE, OVER_LIMIT), 0)
    for _ in range(steps):
        layer.inputs, layer.delta = numbers(rng, n_in), numbers(rng, n_out)
        layer.scale = float(F32(limit * 10.0 ** rng.uniform(-6, 0)))
        layer.bias_input = float(rng.choice([1.0, 0.0, 30.0]))
        layer.decay = float(rng.choice([0.0, 0.0, 0.001, 1.0]))
        if rng.random() < 0.1:
            poisoned = layer.inputs if rng.random() < 0.5 else layer.delta
            poisoned[rng.integers(len(poisoned))] = rng.choice([np.nan, np.inf, -np.inf, 3e38])
        expected, weights, bias = layer.stepped()
        assert layer.update(calls, bound) == expected
        same_bits(layer.weights, weights)
        same_bits(layer.bias, bias)
        assert layer.largest() <= bound[0]  # it never lies
        found[expected] += 1
    return found


@given(seed=st.integers(0, 2**32 - 1), limit=st.sampled_from([1e-3, 1.0, 1000.0, 1e6]))
def test_the_bound_changes_nothing(seed: int, limit: float) -> None:
    check_bound(host("-O2"), seed, limit, 60)


@pytest.mark.parametrize("machine", [unicorn])
@pytest.mark.parametrize("compiler", [gcc, zig])
def test_nor_does_it_on_the_board(compiler: str, machine: str) -> None:
    verdicts = [check_bound(board(compiler, "-O2"), seed, 1.0, 60) for seed in range(20)]
    for which in (APPLIED, NOT_FINITE, OVER_LIMIT):
        assert sum(found[which] for found in verdicts) > 50


def test_a_known_bound_spares_the_look_and_an_unknown_one_is_found() -> None:
    rng = np.random.default_rng(3)
    layer = Layer(numbers(rng, 4, 3), None, numbers(rng, 3), numbers(rng, 4), scale=0.0)
    bound = np.array([np.inf], F32)
    layer.update(host("-O2"), bound)
    assert bound[0] == layer.largest()
    bound[0] = 5000  # too large, and still true: without a look it only grows
    layer.scale = 1e-3
    layer.update(host("-O2"), bound)
    assert 5000 <= bound[0] < 5100
    layer.limit = 5000.0  # now it may not be trusted to be enough
    assert layer.update(host("-O2"), bound) == APPLIED
    assert bound[0] == layer.largest()


def test_the_limit_is_the_last_bound_that_needs_no_look() -> None:
    layer = Layer(np.array([[1.0]], F32), None, np.array([1.0], F32), np.array([-1.0], F32))
    layer.scale, layer.limit = 1.0, 2.0
    bound = np.array([1.0], F32)
    assert layer.update(host("-O2"), bound) == APPLIED
    assert (bound[0], layer.weights[0, 0]) == (2, 2)
    layer.scale = float(2 * np.finfo(F32).eps)  # 2 and one unit in its last place
    assert layer.update(host("-O2"), bound) == OVER_LIMIT
    assert (bound[0], layer.weights[0, 0]) == (2, 2)
