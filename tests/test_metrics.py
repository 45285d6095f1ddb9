"""Confusion, F1, running losses and P-square quantiles against numpy."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from reference_learner import f1_scores, p_square
from units import F32, UnitMetrics, Units, f32, p2_quantile

SEEDS = st.integers(0, 2**32 - 1)


@given(SEEDS, st.integers(1, 16), st.integers(0, 300))
def test_scores_against_numpy(units: Units, seed: int, k: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    # Few of the classes, so that some are never met.
    truths, predicted = rng.integers(0, rng.integers(1, k + 1), (2, n))
    losses = f32(rng.exponential(1, n))
    metrics = UnitMetrics(units, k)
    metrics.predictions(truths, predicted, losses, horizon=4096)
    confusion, f1, (accuracy, macro_f1, mean_loss) = metrics.read()
    expected = np.zeros((k, k), int)
    np.add.at(expected, (truths, predicted), 1)
    np.testing.assert_array_equal(confusion, expected)
    scores = f1_scores(expected)
    np.testing.assert_allclose(f1, np.nan_to_num(scores), rtol=1e-6)
    met = scores[~np.isnan(scores)]
    assert accuracy == pytest.approx(np.mean(truths == predicted) if n else 0, rel=1e-6)
    assert macro_f1 == pytest.approx(met.mean() if n else 0, rel=1e-6)
    assert mean_loss == pytest.approx(losses.mean() if n else 0, rel=1e-5)


def test_mean_loss_forgets_beyond_the_horizon(units: Units) -> None:
    metrics = UnitMetrics(units, 1)
    zeros = np.zeros(1000, int)
    metrics.predictions(zeros, zeros, np.full(1000, 5.0), horizon=16)
    metrics.predictions(zeros, zeros, np.full(1000, 1.0), horizon=16)
    assert metrics.read()[2][2] == pytest.approx(1, abs=1e-6)


@given(SEEDS, st.lists(st.one_of(st.just("add"), st.integers(0, 15)), max_size=30))
def test_classes_come_and_go(units: Units, seed: int, changes: list[str | int]) -> None:
    rng = np.random.default_rng(seed)
    metrics, expected = UnitMetrics(units, 0), np.zeros((0, 0), int)
    for change in changes:
        if change == "add" and len(expected) < 16:
            metrics.add_class()
            expected = np.pad(expected, (0, 1))
        elif isinstance(change, int) and change < len(expected):
            metrics.remove_class(change)
            expected = np.delete(np.delete(expected, change, 0), change, 1)
        if k := len(expected):
            truths, predicted = rng.integers(0, k, (2, 5))
            metrics.predictions(truths, predicted, np.ones(5), 4096)
            np.add.at(expected, (truths, predicted), 1)
        np.testing.assert_array_equal(metrics.read()[0], expected)


# --- quantiles -------------------------------------------------------------------------------

PROBABILITIES = (0.5, 0.9, 0.99)
Draw = Callable[[np.random.Generator, int], NDArray[np.float64]]
# Distribution, and how far the estimate's rank may be off after 20,000 samples.
DISTRIBUTIONS: dict[str, tuple[Draw, float]] = {
    "uniform": (lambda rng, n: rng.uniform(0, 1, n), 0.01),
    "normal": (lambda rng, n: rng.normal(0, 1, n), 0.01),
    "exponential": (lambda rng, n: rng.exponential(1, n), 0.01),
    "lognormal": (lambda rng, n: rng.lognormal(-4, 1, n), 0.01),
    "two modes": (
        lambda rng, n: np.where(rng.random(n) < 0.7, rng.normal(0, 1, n), rng.normal(20, 1, n)),
        0.02,
    ),
    "rising": (lambda rng, n: np.linspace(0, 1, n) + rng.normal(0, 0.1, n), 0.05),
}


@pytest.mark.parametrize("name", DISTRIBUTIONS)
@pytest.mark.parametrize("probability", PROBABILITIES)
def test_quantile_against_numpy(units: Units, name: str, probability: float) -> None:
    draw, tolerance = DISTRIBUTIONS[name]
    x = f32(draw(np.random.default_rng(0), 20_000))
    quantile = p2_quantile(units, x, probability)
    low, high = np.quantile(x, np.clip([probability - tolerance, probability + tolerance], 0, 1))
    assert low <= quantile.value <= high
    assert quantile.valid
    assert (quantile.heights[0], quantile.heights[4]) == (x.min(), x.max())
    assert quantile.value == pytest.approx(p_square(x.tolist(), probability), rel=1e-4, abs=1e-4)


def test_quantile_by_the_original_paper(units: Units) -> None:
    """The worked example of Jain and Chlamtac (1985), table I: the median of 20 numbers."""
    x = [
        *(0.02, 0.15, 0.74, 3.39, 0.83, 22.37, 10.15, 15.43, 38.62, 15.92),
        *(34.60, 10.28, 1.47, 0.40, 0.05, 11.39, 0.27, 0.42, 0.09, 11.37),
    ]
    quantile = p2_quantile(units, x, 0.5)
    assert quantile.value == pytest.approx(4.44, abs=0.005)
    assert quantile.positions == [1, 6, 10, 16, 20]


@given(
    st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=5),
    st.sampled_from(PROBABILITIES),
)
def test_quantile_of_up_to_five_samples_is_one_of_them(
    units: Units, x: list[float], probability: float
) -> None:
    ranked = sorted(map(F32, x))
    rank = min(int(F32(probability) * F32(len(x))), len(x) - 1)
    assert p2_quantile(units, x, probability).value == ranked[rank]


@given(
    st.lists(st.sampled_from(f32([0, 1, -1, 1e-30, 1e12, -1e12, 0.1]).tolist()), max_size=200),
    st.sampled_from(PROBABILITIES),
)
def test_quantile_keeps_its_order(units: Units, x: list[float], probability: float) -> None:
    """Ties, jumps of 24 decades, both directions: the markers stay sorted and finite."""
    quantile = p2_quantile(units, x, probability)
    assert quantile.valid
    assert np.all(np.isfinite(quantile.values))
    if x:
        assert min(x) <= quantile.value <= max(x)


@pytest.mark.parametrize("probability", PROBABILITIES)
def test_quantile_follows_after_the_count_was_halved(units: Units, probability: float) -> None:
    """Over 2^16 samples positions are halved, again and again; a new level comes through."""
    rng = np.random.default_rng(1)
    x = f32(np.concatenate([rng.normal(0, 1, 200_000), rng.normal(10, 1, 400_000)]))
    quantile = p2_quantile(units, x, probability)
    assert quantile.valid
    assert quantile.count < 2**16
    old = np.quantile(x[:200_000], [max(probability - 0.01, 0), min(probability + 0.005, 1)])
    assert old[0] <= quantile.values[199_999] <= old[1]
    assert quantile.value == pytest.approx(np.quantile(x[300_000:], probability), abs=0.25)
