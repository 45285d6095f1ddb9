"""Softmax and reconstruction head: outputs, losses and gradients against float64."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import reference_learner as ref
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from units import F32, Counts, Head, Units, f32

LOSSES = range(4)
# 2^-10: divides out exactly, so that a step shows its gradient.
PROBE = ref.Rule(learning_rate=2**-10)
SEEDS = st.integers(0, 2**32 - 1)


def numerical_gradient(
    loss: Callable[[NDArray[np.float64]], float], at: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Central differences."""
    gradient, h = np.zeros_like(at), 1e-6
    for index in np.ndindex(at.shape):
        step = np.zeros_like(at)
        step[index] = h
        gradient[index] = (loss(at + step) - loss(at - step)) / (2 * h)
    return gradient


# --- softmax ---------------------------------------------------------------------------------


@given(SEEDS, st.integers(1, 12), st.integers(1, 9), st.sampled_from([0.1, 3.0, 50.0]))
def test_softmax_predicts_eq_6(units: Units, seed: int, k: int, d: int, size: float) -> None:
    rng = np.random.default_rng(seed)
    weights, scaled = f32(rng.normal(0, size, (k, d))), f32(rng.normal(size=d))
    best, probabilities = units.softmax_predict(weights, scaled)
    expected = ref.softmax(weights.astype(float) @ scaled)
    np.testing.assert_allclose(probabilities, expected, rtol=1e-4, atol=1e-6)
    assert probabilities.sum() == pytest.approx(1, abs=1e-6)
    assert best == np.argmax(probabilities)


def test_softmax_far_out(units: Units) -> None:
    """Logits that overflow exp; and equals, of which the first wins."""
    best, probabilities = units.softmax_predict([[1e6], [-1e6], [0]], [1000.0])
    assert (best, probabilities.tolist()) == (0, [1, 0, 0])
    best, probabilities = units.softmax_predict(np.zeros((4, 2)), [1, 2])
    assert (best, probabilities.tolist()) == (0, [0.25] * 4)
    assert units.softmax_predict(np.zeros((0, 2)), [1, 2])[0] == -1


@given(SEEDS, st.integers(1, 6), st.integers(1, 6))
def test_softmax_step_is_eq_8_and_the_gradient_of_eq_7(
    units: Units, seed: int, k: int, d: int
) -> None:
    rng = np.random.default_rng(seed)
    weights, scaled = f32(rng.normal(0, 0.5, (k, d))), f32(rng.normal(size=d))
    truth = int(rng.integers(k))
    wide, x = weights.astype(float), scaled.astype(float)
    expected = ref.softmax_gradient(wide, x, truth)
    numerical = numerical_gradient(lambda w: ref.softmax_loss(w, x, truth), wide)
    np.testing.assert_allclose(expected, numerical, atol=1e-7)
    assert units.softmax_learn(weights, scaled, truth, PROBE, Counts())
    taken = (wide - weights.astype(float)) / PROBE.learning_rate
    np.testing.assert_allclose(taken, expected, atol=5e-4)  # 2^10 roundings of a weight near 2


def test_cross_entropy_is_eq_7_and_bounded(units: Units) -> None:
    for p in (1.0, 0.9, 0.5, 1e-3, 2e-7):
        assert units.cross_entropy([1 - p, p], 1) == pytest.approx(-np.log(p), rel=1e-6)
    for p in (1e-8, 0.0):
        assert units.cross_entropy([1 - p, p], 1) == pytest.approx(-np.log(1e-7), rel=1e-6)


# --- reconstruction --------------------------------------------------------------------------


def random_case(seed: int, loss: int) -> tuple[NDArray[np.float32], ...]:
    """Weights, bias, hidden activations and a target that the output can reach."""
    rng = np.random.default_rng(seed)
    n_out, n_in = rng.integers(1, 9, 2)
    target = rng.normal(size=n_out) if loss == ref.LINEAR_SQUARED else rng.uniform(0, 1, n_out)
    shapes = rng.normal(0, 0.5, (n_out, n_in)), rng.normal(0, 0.5, n_out), rng.exponential(1, n_in)
    return (*map(f32, shapes), f32(target))


@given(SEEDS, st.sampled_from(LOSSES), st.booleans())
def test_reconstruction_output(units: Units, seed: int, loss: int, has_bias: bool) -> None:
    weights, bias, hidden, _ = random_case(seed, loss)
    output = Head(units, weights, bias if has_bias else None).predict(hidden, loss)
    wide = weights.astype(float), bias.astype(float) * has_bias, hidden.astype(float)
    np.testing.assert_allclose(output, ref.reconstruction(*wide, loss), rtol=1e-5, atol=1e-6)


@given(SEEDS, st.sampled_from(LOSSES), st.booleans())
def test_reconstruction_step(units: Units, seed: int, loss: int, has_bias: bool) -> None:
    """Each loss's step is its stated gradient; eq. (5) is held to its letters."""
    weights, bias, hidden, target = random_case(seed, loss)
    wide, b, h, x = (a.astype(float) for a in (weights, bias, hidden, target))
    b = b * has_bias
    delta = ref.reconstruction_delta(ref.reconstruction(wide, b, h, loss), x, loss)
    expected = np.outer(delta, h)
    if loss != ref.PAPER_EQUATION_5:
        numerical = numerical_gradient(lambda w: ref.reconstruction_loss(w, b, h, x, loss), wide)
        np.testing.assert_allclose(expected, numerical, atol=1e-6)
    head = Head(units, weights, bias if has_bias else None)
    assert head.learn(hidden, target, loss, PROBE)
    after, bias_after, counts, clamped = head.read()
    taken = (wide - after) / PROBE.learning_rate
    np.testing.assert_allclose(taken, expected, rtol=1e-3, atol=5e-4)
    if has_bias:
        np.testing.assert_allclose((b - bias_after) / PROBE.learning_rate, delta, atol=5e-4)
    assert (counts, clamped) == (Counts(applied=1), 0)


def test_equation_5_by_hand(units: Units) -> None:
    """z = 0: y = s(0) = 1/2, and the formula applies s to y again: s(1/2) = 0.62246."""
    head = Head(units, [[0.0]], None)
    head.learn([1.0], [1.0], ref.PAPER_EQUATION_5, ref.Rule(learning_rate=1))
    twice = 1 / (1 + np.exp(-0.5))
    assert head.read()[0][0, 0] == pytest.approx(0.5 * twice * (1 - twice), rel=1e-6)


@pytest.mark.parametrize("loss", LOSSES)
def test_targets_out_of_a_sigmoids_reach_are_clamped_and_counted(units: Units, loss: int) -> None:
    target, reachable = f32([-3, 0, 0.5, 1, 7]), f32([0, 0, 0.5, 1, 1])
    heads = [Head(units, np.full((5, 1), 0.1), np.zeros(5)) for _ in range(2)]
    for head, x in zip(heads, (target, reachable), strict=True):
        head.learn([1.0], x, loss, PROBE)
    (weights, _, _, clamped), (as_reachable, *_) = (head.read() for head in heads)
    if loss == ref.LINEAR_SQUARED:
        assert clamped == 0
        assert weights[4, 0] > as_reachable[4, 0]
    else:
        assert clamped == 2
        np.testing.assert_array_equal(weights, as_reachable)


@pytest.mark.parametrize("loss", [ref.LINEAR_SQUARED, ref.SIGMOID_CROSS_ENTROPY])
def test_it_learns(units: Units, loss: int) -> None:
    """A target that the layer can express is reached."""
    rng = np.random.default_rng(0)
    true_weights, hidden = rng.normal(0, 0.5, (6, 4)), f32(rng.exponential(1, (200, 4)))
    goals = f32([ref.reconstruction(true_weights, np.zeros(6), h, loss) for h in hidden])
    head = Head(units, np.zeros((6, 4)), np.zeros(6))
    rule = ref.Rule(learning_rate=0.05 if loss == ref.LINEAR_SQUARED else 0.5)

    def mean_error() -> float:
        outputs = np.array([head.predict(h, loss) for h in hidden])
        return float(np.mean((outputs - goals) ** 2))

    first = mean_error()
    for _ in range(20):
        for h, goal in zip(hidden, goals, strict=True):
            head.learn(h, goal, loss, rule)
    assert mean_error() < 0.01 * first
    assert head.read()[0].dtype == F32
