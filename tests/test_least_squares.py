"""Recursive least squares against the batch solution it must equal, and normalised LMS."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from reference_watch import LeastSquares, ridge
from watch_library import F32, Section
from watch_units import Watch

pytestmark = pytest.mark.usefixtures("watch_library")
Array = NDArray[np.float32]
SEEDS = st.integers(0, 2**32 - 1)
START_GAIN, MOST_GAIN = 100.0, 1000.0
NLMS_FLOOR = 1e-3


class Layer:
    """Weights (n_out, n_in) and bias that least squares fine-tunes."""

    def __init__(self, n_in: int, n_out: int, bias: bool = True, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        self.weights = rng.normal(0, 0.3, (n_out, n_in)).astype(F32)
        self.bias = rng.normal(0, 0.3, n_out).astype(F32) if bias else None
        self.watch = Watch()

    @property
    def whole(self) -> Array:
        return self.weights if self.bias is None else np.c_[self.weights, self.bias]

    def learn(self, a: Array, target: Array, forgetting: float = 1.0, limit: float = 1e6) -> float:
        """One step; its mean squared error beforehand."""
        a = np.ascontiguousarray(a, F32)
        residual = (target - self.weights @ a).astype(F32)
        if self.bias is not None:
            residual -= self.bias
        self.watch.least_squares_step(self.weights, self.bias, a, residual, forgetting, limit)
        return float((residual.astype(float) ** 2).mean())


def with_one(a: Array, bias: bool) -> NDArray[np.float64]:
    return np.c_[a, np.ones(len(a))] if bias else a.astype(float)


def start_gain(a: NDArray[np.float64]) -> float:
    return START_GAIN / max(1.0, float(np.mean(a[0] ** 2)))


@given(
    seed=SEEDS,
    n_in=st.integers(1, 20),
    n_out=st.integers(1, 6),
    bias=st.booleans(),
    forgetting=st.sampled_from([1.0, 0.999, 0.97]),
    steps=st.integers(1, 120),
    size=st.sampled_from([0.1, 1.0, 30.0]),
)
def test_arrives_at_batch_ridge_least_squares(
    seed: int, n_in: int, n_out: int, bias: bool, forgetting: float, steps: int, size: float
) -> None:
    """After any number of steps: the weighted ridge solution from the start weights, to 0.5 % of
    the largest weight (float32 subtracts nearly equal gains in the first steps)."""
    rng = np.random.default_rng(seed)
    a = (size * rng.normal(size=(steps, n_in))).astype(F32)
    x = rng.normal(size=(steps, n_out)).astype(F32)
    layer = Layer(n_in, n_out, bias, seed)
    inputs, start = with_one(a, bias), layer.whole.copy()
    for row, target in zip(a, x, strict=True):
        layer.learn(row, target, forgetting)
    gain = start_gain(inputs)
    if gain / forgetting**steps > MOST_GAIN / 2:
        return  # there an input that was hardly excited would be held back
    expected = ridge(inputs, x, start, gain, float(F32(forgetting)))
    error = np.abs(layer.whole - expected).max()
    assert error < 5e-3 * max(1.0 / size, np.abs(expected).max())


def test_two_references_agree() -> None:
    rng = np.random.default_rng(1)
    a, x, start = rng.normal(size=(50, 7)), rng.normal(size=(50, 3)), rng.normal(size=(3, 7))
    recursive = LeastSquares(start, 100.0)
    for row, target in zip(a, x, strict=True):
        recursive.step(row, target, 0.97)
    np.testing.assert_allclose(recursive.weights, ridge(a, x, start, 100.0, 0.97), atol=1e-9)


@pytest.mark.parametrize("forgetting", [1.0, 0.999])
def test_ten_thousand_steps_stay_on_the_float64_recursion(forgetting: float) -> None:
    rng = np.random.default_rng(2)
    truth = rng.normal(size=(4, 33))
    layer = Layer(32, 4)
    reference = LeastSquares(layer.whole, START_GAIN)
    for _ in range(10_000):
        a = np.maximum(0, rng.normal(size=32)).astype(F32)
        target = (truth @ np.r_[a, 1] + rng.normal(0, 0.1, 4)).astype(F32)
        layer.learn(a, target, forgetting)
        reference.step(np.r_[a, 1], target, float(F32(forgetting)))
    np.testing.assert_allclose(layer.whole, reference.weights, atol=2e-3)
    inverse, restarts = layer.watch.inverse()
    assert restarts == 0
    np.testing.assert_allclose(inverse, reference.p, atol=2e-2 * np.abs(reference.p).max())


def errors_of(dead: slice, wakes: int, size: float, forgetting: float) -> tuple[Layer, Array]:
    """6,000 steps towards a random layer with noise 0.1; inputs `dead` are 0 until `wakes`."""
    rng = np.random.default_rng(3)
    truth, layer = rng.normal(size=(4, 16)) / size, Layer(16, 4)
    errors = []
    for i in range(6000):
        a = (size * np.maximum(0, rng.normal(size=16))).astype(F32)
        if i < wakes:
            a[dead] = 0
        errors.append(layer.learn(a, (truth @ a + rng.normal(0, 0.1, 4)).astype(F32), forgetting))
    return layer, np.array(errors)


def test_inputs_that_are_always_zero_cost_the_others_nothing() -> None:
    """Their gain grows to its limit and no further: the error stays within 25 % of the noise."""
    layer, errors = errors_of(slice(0, 4), wakes=6000, size=1.0, forgetting=0.99)
    inverse, restarts = layer.watch.inverse()
    assert restarts == 0
    np.testing.assert_array_equal(np.diag(inverse)[:4], MOST_GAIN)
    assert errors.reshape(6, -1).mean(axis=1)[1:].max() < 1.25 * 0.01
    assert errors[1000:].max() < 0.1


def test_an_input_that_wakes_is_learned_at_once() -> None:
    """The windows after the first hundred are as good as those before."""
    _, errors = errors_of(slice(0, 4), wakes=4000, size=1.0, forgetting=0.99)
    assert errors[4000:4010].max() > 0.1
    assert errors[4100:].mean() < 1.25 * 0.01


@pytest.mark.parametrize("size", [0.1, 30.0, 300.0])
def test_the_size_of_the_inputs_does_not_matter(size: float) -> None:
    layer, errors = errors_of(slice(0), wakes=0, size=size, forgetting=0.999)
    assert errors[1000:].mean() < 1.25 * 0.01
    assert layer.watch.inverse()[1] == 0


def test_inputs_that_say_the_same_do_no_lasting_harm() -> None:
    """Two pairs of collinear inputs: P is no more definite in float32, starts anew, and the error
    stays near the noise."""
    rng = np.random.default_rng(4)
    truth, layer = rng.normal(size=(4, 16)), Layer(16, 4)
    errors = []
    for _ in range(8000):
        a = np.maximum(0, rng.normal(size=16)).astype(F32)
        a[1], a[3] = a[0], 2 * a[2]
        errors.append(layer.learn(a, (truth @ a + rng.normal(0, 0.1, 4)).astype(F32), 0.99))
    assert np.mean(errors[1000:]) < 2 * 0.01


@pytest.mark.parametrize("bad", [np.nan, np.inf, 3e38])
@pytest.mark.parametrize("where", ["input", "residual"])
def test_a_step_that_is_not_finite_is_skipped_whole(bad: float, where: str) -> None:
    layer = Layer(5, 2)
    for first in (True, False):
        before = (layer.whole.copy(), layer.watch.write(Section.RLSP))
        values = {"input": np.ones(5, F32), "residual": np.full(2, 1, F32)}
        values[where][1] = bad
        assert not layer.watch.least_squares_step(
            layer.weights, layer.bias, values["input"], values["residual"], 0.999
        )
        np.testing.assert_array_equal(layer.whole, before[0])
        assert layer.watch.write(Section.RLSP) == before[1]
        if first:
            layer.learn(np.ones(5, F32), np.ones(2, F32))
    counts = list(layer.watch.counts)
    assert counts[0] == 1
    assert counts[1] + counts[2] == 2
    if bad != 3e38 or where == "input":
        assert counts[1] == 2


def test_a_step_over_the_weight_limit_is_skipped_whole() -> None:
    layer = Layer(3, 2)
    layer.learn(np.ones(3, F32), np.zeros(2, F32))
    before = (layer.whole.copy(), layer.watch.write(Section.RLSP))
    layer.learn(np.array([1, 0, 2], F32), np.array([0, 1e4], F32), limit=100.0)
    np.testing.assert_array_equal(layer.whole, before[0])
    assert layer.watch.write(Section.RLSP) == before[1]
    assert list(layer.watch.counts) == [1, 0, 1]


@given(
    seed=SEEDS,
    size=st.floats(1e-6, 1e13),
    forgetting=st.floats(0.9, 1),
    steps=st.integers(1, 60),
    rank=st.integers(0, 4),
)
def test_whatever_comes_in_is_finite_and_can_be_read_back(
    seed: int, size: float, forgetting: float, steps: int, rank: int
) -> None:
    rng = np.random.default_rng(seed)
    layer, basis = Layer(4, 2), rng.normal(size=(rank, 4)) * size
    for _ in range(steps):
        layer.learn((rng.normal(size=rank) @ basis).astype(F32), np.ones(2, F32), forgetting)
    assert np.all(np.abs(layer.whole) <= 1e6)
    image = layer.watch.write(Section.RLSP)
    other = Watch()
    assert other.read(Section.RLSP, image, size=5).status == 0
    assert other.write(Section.RLSP) == image


# --- normalised least mean squares -----------------------------------------------------------


@given(seed=SEEDS, n=st.integers(1, 128), rate=st.floats(0, 2), bias=st.booleans())
def test_nlms_rate_against_its_equation(seed: int, n: int, rate: float, bias: bool) -> None:
    rng = np.random.default_rng(seed)
    a = (10 ** rng.uniform(-3, 3) * rng.normal(size=n)).astype(F32)
    expected = float(F32(rate)) / (NLMS_FLOOR + float(a.astype(float) @ a) + bias)
    assert Watch().nlms_rate(rate, a, bias) == pytest.approx(expected, rel=1e-5, abs=1e-40)


@pytest.mark.parametrize("rate", [0.1, 0.5, 1.0])
def test_an_nlms_step_takes_away_that_share_of_the_error(rate: float) -> None:
    rng = np.random.default_rng(5)
    w, a, x = rng.normal(size=(3, 8)), rng.normal(size=8), rng.normal(size=3)
    step = Watch().nlms_rate(rate, a, bias=False)
    before = x - w @ a
    after = x - (w + step * np.outer(before, a)) @ a
    np.testing.assert_allclose(after, (1 - rate) * before, atol=1e-3)


def test_nlms_of_no_input_and_of_an_endless_one_is_finite() -> None:
    assert Watch().nlms_rate(1.0, np.zeros(4), bias=False) == pytest.approx(1 / NLMS_FLOOR)
    assert Watch().nlms_rate(1.0, np.full(4, 3e38), bias=True) == 0
