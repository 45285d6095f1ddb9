"""Running mean and variance in float32 against float64, over short, long and drifting streams."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from reference_learner import standardise
from units import F32, Units, f32

VALUES = st.floats(-1000, 1000, width=32)


def forgetting_weights(n: int, horizon: int) -> NDArray[np.float64]:
    """The weight of each of n samples, the newest last, in closed form."""
    if n <= horizon:
        return np.full(n, 1 / n)
    age = np.minimum(np.arange(n)[::-1], n - horizon)  # the first `horizon` fade together
    return (1 - 1 / horizon) ** age / horizon


def test_up_to_the_horizon_it_is_the_plain_mean_and_variance(units: Units) -> None:
    rows = f32(np.random.default_rng(1).normal([5, -3, 0], [1, 0.01, 300], (4000, 3)))
    count, mean, variance = units.statistics(rows, horizon=4096)
    exact = rows.astype(float)
    assert count == 4000
    np.testing.assert_allclose(mean, exact.mean(axis=0), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(variance, exact.var(axis=0), rtol=1e-4)


def test_beyond_the_horizon_old_samples_fade(units: Units) -> None:
    rows = f32(np.random.default_rng(2).normal(5, 2, (600, 1)))
    _, mean, variance = units.statistics(rows, horizon=64)
    weights, exact = forgetting_weights(600, 64), rows[:, 0].astype(float)
    expected_mean = weights @ exact
    np.testing.assert_allclose(mean, expected_mean, rtol=1e-6)
    np.testing.assert_allclose(variance, weights @ (exact - expected_mean) ** 2, rtol=1e-5)


@pytest.mark.parametrize("horizon", [16, 4096, 65536])
def test_a_million_samples(units: Units, horizon: int) -> None:
    """At an offset of 20 sigma: the mean within 5e-5, the variance within 1e-3 of themselves."""
    rows = f32(np.random.default_rng(3).normal(20, 1, (1_000_000, 1)))
    _, mean, variance = units.statistics(rows, horizon)
    weights, exact = forgetting_weights(len(rows), horizon), rows[:, 0].astype(float)
    expected_mean = weights @ exact
    assert weights.sum() == pytest.approx(1)
    assert mean[0] == pytest.approx(expected_mean, rel=5e-5)
    assert variance[0] == pytest.approx(weights @ (exact - expected_mean) ** 2, rel=1e-3)


@pytest.mark.parametrize("horizon", [4096, 65536])
def test_a_hundred_million_samples(units: Units, horizon: int) -> None:
    """Ten days at 119 Hz: no drift away from the same recursion in double."""
    mean, variance, exact_mean, exact_variance = units.long_run(10**8, horizon, 10.0, 2.0)
    assert mean == pytest.approx(exact_mean, rel=5e-5)
    assert variance == pytest.approx(exact_variance, rel=1e-3)
    assert exact_mean == pytest.approx(11, rel=0.01)
    assert exact_variance == pytest.approx(4 / 12, rel=0.05)


def test_it_follows_a_drift(units: Units) -> None:
    """Five horizons after a jump e^-5 of the old level is left."""
    rows = np.concatenate([np.full((5000, 1), 2), np.full((5 * 256, 1), 7)])
    _, mean, variance = units.statistics(rows, horizon=256)
    left = (1 - 1 / 256) ** (5 * 256)
    assert mean[0] == pytest.approx(7 - 5 * left, abs=1e-4)
    assert variance[0] == pytest.approx(25 * left * (1 - left), rel=1e-3)


@pytest.mark.parametrize("horizon", [4096, 16384, 65536])
@pytest.mark.parametrize("level", [1.0, -9.21, 1000.0])
def test_resolution_of_the_mean(units: Units, horizon: int, level: float) -> None:
    """A step too small for float32 is lost: at most horizon * 2^-24 of the mean, and no more."""
    for jump in (1e-4, 1e-3, 1e-2):
        rows = np.concatenate([np.full(horizon, level), np.full(20 * horizon, level * (1 + jump))])
        _, mean, _ = units.statistics(rows[:, None], horizon)
        assert abs(mean[0] - rows[-1]) <= 1.01 * horizon * 2**-24 * abs(rows[-1])


def test_the_first_sample_is_the_mean_and_scales_to_zero(units: Units) -> None:
    rows = f32([[3.7, -1e12, 0]])
    count, mean, variance = units.statistics(rows, 16)
    assert count == 1
    np.testing.assert_array_equal(mean, rows[0])
    np.testing.assert_array_equal(variance, 0)
    np.testing.assert_array_equal(units.standardise(mean, variance, rows[0]), 0)


@given(VALUES, st.integers(1, 3000), st.sampled_from([16, 100, 16384]))
def test_a_constant_has_no_variance_and_scales_to_zero(
    units: Units, value: float, n: int, horizon: int
) -> None:
    _, mean, variance = units.statistics(np.full((n, 1), value), horizon)
    assert (mean[0], variance[0]) == (F32(value), 0)
    assert units.standardise(mean, variance, [value])[0] == 0


@given(arrays(F32, st.tuples(st.integers(1, 300), st.just(2)), elements=VALUES))
def test_the_variance_is_never_negative(units: Units, rows: NDArray[np.float32]) -> None:
    for n in range(1, len(rows) + 1, 7):
        _, mean, variance = units.statistics(rows[:n], 16)
        assert np.all(variance >= 0)
        assert np.all(np.isfinite(units.standardise(mean, variance, rows[0])))


def test_largest_features_stay_finite(units: Units) -> None:
    rows = f32([[1e12], [-1e12]] * 500)
    _, mean, variance = units.statistics(rows, 16)
    assert np.isfinite(mean[0])
    assert variance[0] == pytest.approx(1e24, rel=0.1)


def test_the_count_stops_at_its_end(units: Units) -> None:
    count, _, _ = units.statistics(np.ones((5, 1)), 16, start=(2**32 - 3, [0], [1]))
    assert count == 2**32 - 1


def test_standardise_against_its_equation(units: Units) -> None:
    rng = np.random.default_rng(4)
    mean, x = rng.normal(0, 10, 60), rng.normal(0, 10, 60)
    variance = 10 ** rng.uniform(-28, 20, 60)
    scaled = units.standardise(mean, variance, x)
    expected = standardise(f32(mean), f32(variance), f32(x))
    np.testing.assert_allclose(scaled, expected, rtol=3e-7)


def test_running_mean(units: Units) -> None:
    x = f32(np.random.default_rng(5).exponential(3, 2000))
    assert units.running_mean(x, 4096) == pytest.approx(x.astype(float).mean(), rel=1e-6)
    exact = forgetting_weights(2000, 100) @ x.astype(float)
    assert units.running_mean(x, 100) == pytest.approx(exact, rel=1e-6)
