"""The guarded gradient step: its equation, its schedules, and that nothing can poison a weight."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from reference_learner import CONSTANT, INVERSE_SQUARE_ROOT, INVERSE_TIME, Rule, sgd_step
from units import F32, Counts, Head, Units, f32

SCHEDULES = (CONSTANT, INVERSE_TIME, INVERSE_SQUARE_ROOT)
SEEDS = st.integers(0, 2**32 - 1)


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("steps", [1.0, 1000.0, 2.0**24])
def test_schedule(units: Units, schedule: int, steps: float) -> None:
    rule = Rule(learning_rate=0.3, schedule=schedule, schedule_steps=steps)
    for t in (0, 1, 999, 1000, 123_456, 2**32 - 1):
        assert units.rate(rule, t) == pytest.approx(rule.rate(t), rel=3e-7)
    assert units.rate(rule, 0) == F32(0.3)


@given(
    seed=SEEDS,
    rule=st.builds(
        Rule,
        learning_rate=st.floats(1e-4, 1),
        schedule=st.sampled_from(SCHEDULES),
        schedule_steps=st.sampled_from([1.0, 50.0]),
        l2=st.sampled_from([0.0, 0.01, 1.0]),
        clip_norm=st.sampled_from([0.0, 0.5, 1e6]),
    ),
    has_bias=st.booleans(),
    t=st.integers(0, 1000),
)
def test_step_against_its_equation(
    units: Units, seed: int, rule: Rule, has_bias: bool, t: int
) -> None:
    rng = np.random.default_rng(seed)
    n_out, n_in = rng.integers(1, 12, 2)
    weights, bias = f32(rng.normal(0, 0.3, (n_out, n_in))), f32(rng.normal(0, 0.3, n_out))
    inputs, delta = f32(rng.normal(size=n_in)), f32(rng.normal(size=n_out))
    wide = [array.astype(float) for array in (weights, bias, inputs, delta)]
    expected = sgd_step(wide[0], wide[1] if has_bias else None, wide[2], wide[3], rule, t)
    assert expected is not None
    counts = Counts(applied=t)
    assert units.sgd_step(weights, bias if has_bias else None, inputs, delta, rule, counts)
    assert counts == Counts(applied=t + 1)
    np.testing.assert_allclose(weights, expected[0], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(bias, wide[1] if expected[1] is None else expected[1], atol=1e-6)


def test_clipping_keeps_the_direction_and_cuts_the_norm(units: Units) -> None:
    inputs, delta = f32([3, 4]), f32([2, 0])
    weights, bias = np.zeros((2, 2), F32), np.zeros(2, F32)
    rule = Rule(learning_rate=1, clip_norm=0.1)
    units.sgd_step(weights, bias, inputs, delta, rule, Counts())
    np.testing.assert_allclose(np.hypot(np.linalg.norm(weights), bias[0]), 0.1, rtol=1e-6)
    np.testing.assert_allclose(weights[0] / bias[0], inputs, rtol=1e-6)


def test_decay_spares_the_bias(units: Units) -> None:
    weights, bias = np.ones((2, 2), F32), np.ones(2, F32)
    rule = Rule(learning_rate=0.5, l2=0.2)
    units.sgd_step(weights, bias, [0, 0], [0, 0], rule, Counts())
    np.testing.assert_array_equal(weights, F32(0.9))
    np.testing.assert_array_equal(bias, 1)


def test_weight_limit_is_the_last_value_allowed(units: Units) -> None:
    rule = Rule(learning_rate=1, weight_limit=2)
    weights, bias, counts = np.zeros((1, 1), F32), np.zeros(1, F32), Counts()
    assert units.sgd_step(weights, bias, [1], [-2], rule, counts)
    assert (weights[0, 0], bias[0]) == (2, 2)
    assert not units.sgd_step(weights, bias, [0], [-1e-6], rule, counts)  # the bias alone
    assert not units.sgd_step(weights, None, [1], [-1e-6], rule, counts)  # the weight alone
    assert counts == Counts(applied=1, over_limit=2)


ANY_FLOATS = st.floats(width=32, allow_subnormal=True)


@given(
    weights=arrays(F32, (3, 2), elements=st.floats(-2, 2, width=32)),
    bias=arrays(F32, 3, elements=st.floats(-2, 2, width=32)),
    inputs=arrays(F32, 2, elements=ANY_FLOATS),
    delta=arrays(F32, 3, elements=ANY_FLOATS),
    rate=st.floats(0, 100, width=32),
    clip=st.sampled_from([0.0, 1.0, 1e6]),
)
def test_a_step_is_good_or_changes_nothing_at_all(
    units: Units,
    weights: NDArray[np.float32],
    bias: NDArray[np.float32],
    inputs: NDArray[np.float32],
    delta: NDArray[np.float32],
    rate: float,
    clip: float,
) -> None:
    """Any float32 may come as gradient: NaN, infinities, denormals."""
    before, counts = weights.tobytes() + bias.tobytes(), Counts()
    rule = Rule(learning_rate=rate, l2=0.01, clip_norm=clip, weight_limit=3)
    if units.sgd_step(weights, bias, inputs, delta, rule, counts):
        assert counts == Counts(applied=1)
        assert np.all(np.abs(weights) <= 3)
        assert np.all(np.abs(bias) <= 3)
    else:
        assert weights.tobytes() + bias.tobytes() == before
        assert counts.applied == 0
        assert counts.not_finite + counts.over_limit == 1


@pytest.mark.parametrize("poison", [np.nan, np.inf, -np.inf, 3e38])
@pytest.mark.parametrize("place", ["inputs", "delta"])
def test_what_is_not_finite_is_counted_as_such(units: Units, poison: float, place: str) -> None:
    weights, counts = np.ones((2, 2), F32), Counts()
    inputs, delta = f32([1, 10]), f32([0.5, 10])
    (inputs if place == "inputs" else delta)[1] = poison
    assert not units.sgd_step(weights, None, inputs, delta, Rule(learning_rate=1), counts)
    assert counts == Counts(not_finite=1)
    np.testing.assert_array_equal(weights, 1)


@pytest.mark.parametrize("rate", [1.0, 10.0, 100.0])
@pytest.mark.parametrize("loss", range(4))
def test_a_diverging_reconstruction_stays_bounded(units: Units, loss: int, rate: float) -> None:
    rng = np.random.default_rng(loss)
    head = Head(units, rng.normal(0, 0.3, (6, 5)), rng.normal(0, 0.3, 6))
    rule = Rule(learning_rate=rate)
    hidden, targets = f32(rng.exponential(2, (64, 5))), f32(rng.normal(0, 2, (64, 6)))
    refused = 0
    for step in range(10_000):
        taken = head.learn(hidden[step % 64], targets[step % 64], loss, rule)
        refused += not taken
    weights, bias, counts, _ = head.read()
    assert np.all(np.abs(weights) <= rule.weight_limit)
    assert np.all(np.abs(bias) <= rule.weight_limit)
    assert counts.applied == 10_000 - refused
    assert counts.over_limit + counts.not_finite == refused
    if loss == 0:
        assert refused > 1000  # it did diverge


@pytest.mark.parametrize("rate", [1.0, 100.0])
def test_a_diverging_classifier_stays_bounded(units: Units, rate: float) -> None:
    rng = np.random.default_rng(7)
    rule, counts = Rule(learning_rate=rate), Counts()
    weights = np.zeros((4, 5), F32)
    scaled = f32(rng.normal(0, 3, (64, 5)))
    for step in range(10_000):
        units.softmax_learn(weights, scaled[step % 64], (7 * step) % 4, rule, counts)
    assert counts.applied + counts.over_limit == 10_000
    assert np.all(np.abs(weights) <= rule.weight_limit)
    _, probabilities = units.softmax_predict(weights, scaled[0])
    assert probabilities.sum() == pytest.approx(1, abs=1e-6)
