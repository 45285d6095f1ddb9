"""What normal is, and the limit that a new window of it passes with a chosen probability."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from machine_rows import CENTRE, normal_rows
from numpy.typing import NDArray
from reference_watch import LEAST_VARIANCE, Normal, Rule, hotelling_limit
from watch_library import F32, Section
from watch_units import Watch

pytestmark = pytest.mark.usefixtures("watch_library")
SEEDS = st.integers(0, 2**32 - 1)

# --- what normal is --------------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 2, 30, 1000])
def test_mean_and_covariance_up_to_the_horizon(n: int) -> None:
    rows = normal_rows(n).astype(F32)
    stats = Watch().normal_after(rows, 4096)
    assert stats.count == n
    np.testing.assert_allclose(stats.mean, rows.astype(float).mean(axis=0), rtol=1e-6)
    expected = np.cov(rows.astype(float).T, bias=True)
    np.testing.assert_allclose(stats.covariance, expected, rtol=1e-4, atol=1e-7)


@given(seed=SEEDS, n=st.integers(1, 400), horizon=st.integers(64, 200))
def test_statistics_against_the_reference(seed: int, n: int, horizon: int) -> None:
    rng = np.random.default_rng(seed)
    rows = (rng.normal(size=(n, 2)) * 10 ** rng.uniform(-3, 1, 2) + rng.normal(0, 10, 2)).astype(
        F32
    )
    expected = Normal()
    for row in rows:
        expected.update(row, horizon)
    stats = Watch().normal_after(rows, horizon)
    np.testing.assert_allclose(stats.mean, expected.mean, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(stats.covariance, expected.covariance, rtol=1e-3, atol=2e-4)


@given(
    spread=st.lists(st.floats(0, 40), min_size=2, max_size=2),
    correlation=st.floats(-1, 1),
    at=st.lists(st.floats(-90, 90), min_size=2, max_size=2),
)
def test_distance_against_the_reference(
    spread: list[float], correlation: float, at: list[float]
) -> None:
    """Floors included: a covariance that is flat or a line has an inverse nonetheless."""
    ev = correlation * spread[0] * spread[1]
    covariance = np.array([[spread[0] ** 2, ev], [ev, spread[1] ** 2]]).astype(F32).astype(float)
    stats = Normal(100, CENTRE, covariance)
    row = np.array(at).astype(F32).astype(float)
    distance = Watch().squared_distances(stats, [row])[0]
    # 1 - r^2 is at least 1e-3, and loses up to 6e-8 / 1e-3 of itself to rounding.
    assert distance == pytest.approx(stats.squared_distance(row), rel=2e-3, abs=1e-3)
    assert distance >= 0


@given(variance=st.floats(0, 1000), at=st.floats(-90, 90))
def test_standard_log_error_against_its_equation(variance: float, at: float) -> None:
    stats = Normal(100, CENTRE, np.diag([variance, 1.0]).astype(F32).astype(float))
    z = (float(F32(at)) - CENTRE[0]) / np.sqrt(max(stats.covariance[0, 0], LEAST_VARIANCE))
    assert Watch().standard_log_error(stats, at) == pytest.approx(z, rel=1e-5, abs=1e-5)


@given(rows=arrays(F32, st.tuples(st.integers(1, 80), st.just(2)), elements=st.floats(width=32)))
def test_whatever_comes_in_is_finite_and_can_be_read_back(rows: NDArray[np.float32]) -> None:
    watch = Watch()
    with np.errstate(all="ignore"):
        verdicts = watch.judge(rows, Rule(horizon=64, raise_windows=2), errors=np.ones(len(rows)))
    assert all(np.isfinite(v.score) and v.score >= 0 for v in verdicts)
    image = watch.write(Section.NORM)
    assert Watch().read(Section.NORM, image).status == 0


# --- the limit -------------------------------------------------------------------------------


@given(n=st.integers(3, 2**32 - 1), r=st.floats(1e-4, 0.5))
def test_hotelling_limit_against_its_equation(n: int, r: float) -> None:
    """Relative error 1e-5, where e^x leaves room: below n = 30 it may be as large as x is."""
    r = float(F32(r))
    assert Watch().hotelling_limit(n, r) == pytest.approx(hotelling_limit(n, r), rel=1e-5)


@pytest.mark.parametrize("n", [30, 60, 200])
@pytest.mark.parametrize("r", [0.005, 0.05])
def test_hotelling_limit_by_simulation(n: int, r: float) -> None:
    """40,000 times n normal windows and one more: the share beyond the limit is r, within 4
    standard errors."""
    rng = np.random.default_rng(1)
    trials = 40_000
    beyond = 0
    limit = Watch().hotelling_limit(n, r)
    for _ in range(10):
        x = rng.normal(size=(trials // 10, n + 1, 2))
        taught = x[:, :n]
        centred = taught - taught.mean(axis=1, keepdims=True)
        covariance = np.einsum("tni,tnj->tij", centred, centred) / n
        d = x[:, n] - taught.mean(axis=1)
        d2 = np.einsum("ti,ti->t", d, np.linalg.solve(covariance, d[..., None])[..., 0])
        beyond += int((d2 > limit).sum())
    assert beyond / trials == pytest.approx(r, abs=4 * np.sqrt(r * (1 - r) / trials))
