"""The Gaussian head against float64: both covariances, limits, novelty, and bad places to be."""

from __future__ import annotations

import numpy as np
import pytest
import reference_heads as ref
from heads import F32, Heads, f32
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

SEEDS = st.integers(0, 2**32 - 1)
COVARIANCES = pytest.mark.parametrize("full", [False, True], ids=["diagonal", "full"])
ROOMS = st.integers(1, 9)  # features
LARGEST = float(F32(1e12))  # feature


def covariance(heads: Heads, k: int, *, full: bool) -> NDArray[np.float64]:
    spread = heads.gauss().spread[k].astype(float)
    if not full:
        return np.diag(spread)
    lower = ref.from_triangle(spread, heads.d)
    return lower @ lower.T


def mixed(rng: np.random.Generator, n: int, d: int) -> NDArray[np.float32]:
    """Correlated rows far from 0, each feature on a scale of its own."""
    mixing = rng.normal(size=(d, d)) + 2 * np.eye(d)
    scale = 10 ** rng.uniform(-3, 3, d)
    return f32((rng.normal(size=(n, d)) @ mixing + rng.normal(0, 5, d)) * scale)


# --- the recursion ---------------------------------------------------------------------------


@COVARIANCES
@settings(max_examples=40, deadline=None)
@given(seed=SEEDS, d=ROOMS, n=st.integers(1, 120), n0=st.sampled_from([1.0, 2.0, 17.5]))
def test_mean_and_covariance_are_the_batchs_with_the_prior(
    full: bool, seed: int, d: int, n: int, n0: float
) -> None:
    rng = np.random.default_rng(seed)
    rows = mixed(rng, n, d)
    prior = rows.var(0).astype(float) * 10 ** rng.uniform(-1, 1, d) + 1e-9
    heads = Heads(d, full=full, prior=prior, classes=1)
    heads.gauss_learn(rows, 0, prior_count=n0)
    expected = ref.batch_covariance(rows.reshape(-1, d), f32(prior), n0).reshape(d, d)
    sd = np.sqrt(np.diag(expected))
    state = heads.gauss()
    # Float32 rounds at the size of the mean, so the tolerance is of |mean| against the spread.
    slack = 1e-4 + 2e-6 * float(np.max(np.abs(rows.mean(0)) / sd))
    np.testing.assert_allclose((state.mean[0] - rows.mean(0, dtype=float)) / sd, 0, atol=slack)
    got = covariance(heads, 0, full=full) / np.outer(sd, sd)
    wanted = expected / np.outer(sd, sd)
    np.testing.assert_allclose(got, wanted if full else np.diag(np.diag(wanted)), atol=slack)


@COVARIANCES
@settings(max_examples=25, deadline=None)
@given(seed=SEEDS, d=st.integers(1, 6), horizon=st.sampled_from([16, 40]))
def test_beyond_the_horizon_it_forgets(full: bool, seed: int, d: int, horizon: int) -> None:
    """Step by step the reference's recursion, where its n stands still."""
    rng = np.random.default_rng(seed)
    rows = np.concatenate([rng.normal(3, 1, (60, d)), rng.normal(-2, 0.5, (150, d))]).astype(F32)
    heads = Heads(d, full=full, prior=np.full(d, 0.5), classes=1)
    twin = ref.GaussianClass(np.full(d, 0.5), full=full)
    for row in rows:
        heads.gauss_learn(row, 0, horizon=horizon)
        twin.learn(row, horizon, 2.0)
    state = heads.gauss()
    np.testing.assert_allclose(state.mean[0], twin.mean, atol=2e-5)
    np.testing.assert_allclose(covariance(heads, 0, full=full), twin.covariance, atol=2e-4)
    assert state.log_det[0] == pytest.approx(twin.log_det, abs=1e-3)
    assert np.abs(state.mean[0] + 2).max() < 1  # it went over to the new place


@COVARIANCES
@settings(max_examples=25, deadline=None)
@given(seed=SEEDS, d=ROOMS, k=st.integers(1, 6))
def test_prediction_is_that_of_float64(full: bool, seed: int, d: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    prior = np.full(d, 0.7)
    heads = Heads(d, full=full, prior=prior, classes=k)
    twins = [ref.GaussianClass(f32(prior), full=full) for _ in range(k)]
    weights = np.exp(rng.normal(size=k))
    truths = rng.integers(0, k, 60)
    rows = f32(rng.normal(size=(60, d)) + 0.8 * truths[:, None])
    for row, truth in zip(rows, truths, strict=True):
        heads.gauss_learn(row, truth)
        twins[truth].learn(row, 4096, 2.0)
    for i, weight in enumerate(weights):
        heads.gauss_weight(i, weight)
    probes = f32(rng.normal(0, 2, (20, d)))
    best, p, novelty = heads.gauss_predict(probes)
    state = heads.gauss()
    for i, probe in enumerate(probes):
        expected, d2 = ref.probabilities(probe, twins, f32(weights))
        np.testing.assert_allclose(p[i], expected, atol=3e-4)
        assert p[i].sum() == pytest.approx(1, abs=1e-6)
        assert best[i] == np.argmax(p[i])
        np.testing.assert_allclose(heads.gauss_distances(probe), d2, rtol=2e-3, atol=1e-4)
        counts = np.array([twin.lessons for twin in twins])
        if ((counts > 0) & (counts < ref.YOUNG)).any():
            assert novelty[i] == 0
        else:
            ratio = (d2[counts > 0] / state.limit[counts > 0]).min()
            assert novelty[i] == pytest.approx(ratio, rel=2e-3)


def test_d2_of_a_lesson_is_measured_before_it_is_learned() -> None:
    rng = np.random.default_rng(2)
    rows, heads = f32(rng.normal(size=(30, 3))), Heads(3, classes=1)
    twin = ref.GaussianClass(np.ones(3), full=False)
    for row in rows:
        before = twin.squared_distance(row)
        assert heads.gauss_learn(row, 0)[0] == pytest.approx(before, rel=1e-3)
        twin.learn(row, 4096, 2.0)


# --- limits and novelty ----------------------------------------------------------------------


@COVARIANCES
def test_the_limit_is_the_quantile_of_what_was_counted(full: bool) -> None:
    rng = np.random.default_rng(3)
    heads = Heads(4, full=full, classes=1)
    d2 = heads.gauss_learn(rng.normal(size=(4000, 4)), 0, false_rate=0.05)
    state = heads.gauss()
    assert state.counted[0] == 4000 - ref.YOUNG
    # P-square is off by a few per cent of rank: between the 93rd and the 97th percentile.
    assert np.quantile(d2[10:], 0.93) < state.limit[0] < np.quantile(d2[10:], 0.97)
    fresh = heads.gauss_predict(rng.normal(size=(4000, 4)))[2]
    assert 0.03 < (fresh > 1).mean() < 0.07
    assert (heads.gauss_predict(rng.normal(8, 1, (100, 4)))[2] > 1).all()


def test_limits_by_age() -> None:
    """None while young, four a feature while untried, then the quantile."""
    rng = np.random.default_rng(4)
    heads = Heads(3, classes=1)
    for lessons in range(60):
        state = heads.gauss()
        limit, counted = state.limit[0], state.counted[0]
        assert counted == max(0, lessons - ref.YOUNG)
        if lessons < ref.YOUNG:
            assert limit == 0
            assert heads.gauss_predict(np.full(3, 1e6))[2][0] == 0
        elif counted < ref.TRUSTED:
            assert limit == ref.UNTRIED * 3
        else:
            assert 0 < limit != ref.UNTRIED * 3
        heads.gauss_learn(rng.normal(size=3), 0)
    assert heads.gauss_predict(np.full(3, 1e6))[2][0] > 1


@COVARIANCES
def test_the_limit_of_what_never_varied(full: bool) -> None:
    """Every distance was 0: a thousandth is the limit, so that the same again is no novelty."""
    heads = Heads(2, full=full, classes=1)
    heads.gauss_learn(np.full((100, 2), 0.5), 0)
    assert heads.gauss().limit[0] == F32(1e-3)
    same, other = heads.gauss_predict([[0.5, 0.5], [0.7, 0.5]])[2]
    assert (same, other > 1) == (0, True)


def test_one_young_class_explains_everything_and_an_untaught_one_nothing() -> None:
    rng = np.random.default_rng(5)
    heads, far = Heads(2, classes=2), np.full(2, 50)
    heads.gauss_learn(rng.normal(size=(50, 2)), 0)
    best, p, novelty = heads.gauss_predict(far)
    assert (best[0], p[0].tolist()) == (0, [1, 0])
    assert novelty[0] > 1
    heads.gauss_learn(rng.normal(size=(1, 2)), 1)
    assert heads.gauss_predict(far)[2][0] == 0
    heads.gauss_learn(rng.normal(size=(9, 2)), 1)
    assert heads.gauss_predict(far)[2][0] > 1


def test_without_lessons_nothing_is_predicted() -> None:
    for classes in (0, 3):
        best, p, novelty = Heads(2, classes=classes).gauss_predict([1, 2])
        assert (best[0], novelty[0]) == (-1, 0)
        assert p.tolist() == [[0] * classes]


def test_limits_begin_anew_where_the_false_rate_changes() -> None:
    heads = Heads(2, classes=2)
    heads.gauss_learn(np.random.default_rng(6).normal(size=(100, 2)), 1)
    before = heads.gauss()
    heads.gauss_restart_limits()
    after = heads.gauss()
    assert (after.counted.tolist(), after.limit.tolist()) == ([0, 0], [0, 8])
    np.testing.assert_array_equal(after.mean, before.mean)
    np.testing.assert_array_equal(after.spread, before.spread)


def test_equals_go_to_the_first_and_the_weight_decides() -> None:
    heads = Heads(2, classes=3)
    rows = np.random.default_rng(7).normal(size=(20, 2))
    for k in range(3):
        heads.gauss_learn(rows, k)
    best, p, _ = heads.gauss_predict([0.1, 0.2])
    assert best[0] == 0
    np.testing.assert_allclose(p[0], 1 / 3, rtol=1e-6)
    heads.gauss_weight(2, 4.0)
    best, p, _ = heads.gauss_predict([0.1, 0.2])
    assert best[0] == 2
    np.testing.assert_allclose(p[0], [1 / 6, 1 / 6, 4 / 6], rtol=1e-6)


# --- classes come and go ---------------------------------------------------------------------


@COVARIANCES
@settings(max_examples=30, deadline=None)
@given(
    seed=SEEDS,
    steps=st.lists(
        st.tuples(st.sampled_from(["add", "remove", "restart", "teach"]), st.integers(0, 5)),
        max_size=25,
    ),
)
def test_classes_are_independent(full: bool, seed: int, steps: list[tuple[str, int]]) -> None:
    """Whatever came between, a class is to the bit what its own lessons make it."""
    rng = np.random.default_rng(seed)
    heads, lessons = Heads(3, full=full, classes=2), [[], []]  # type: tuple[Heads, list[list[NDArray[np.float32]]]]
    for step, choice in steps:
        if step == "add" and heads.k < 6:
            heads.add_class()
            lessons.append([])
        elif heads.k == 0:
            continue
        elif step == "remove":
            heads.remove_class(choice % heads.k)
            del lessons[choice % len(lessons)]
        elif step == "restart":
            heads.restart_class(choice % heads.k)
            lessons[choice % heads.k] = []
        else:
            rows = f32(rng.normal(choice, 1, (15, 3)))
            heads.gauss_learn(rows, choice % heads.k)
            lessons[choice % heads.k].append(rows)
    state = heads.gauss()
    for k, own in enumerate(lessons):
        alone = Heads(3, full=full, classes=1)
        for rows in own:
            alone.gauss_learn(rows, 0)
        expected = alone.gauss()
        for name in ("lessons", "weight", "mean", "spread", "log_det", "limit", "counted"):
            np.testing.assert_array_equal(getattr(state, name)[k], getattr(expected, name)[0])


def test_a_restarted_class_keeps_its_weight() -> None:
    heads = Heads(2, classes=2)
    heads.gauss_learn([[1, 2], [3, 4]], 1)
    heads.gauss_weight(1, 3.0)
    heads.restart_class(1)
    state = heads.gauss()
    assert (state.lessons.tolist(), state.weight.tolist()) == ([0, 0], [1, 3])
    np.testing.assert_array_equal(state.mean[1], 0)
    np.testing.assert_array_equal(state.spread[1], state.spread[0])


# --- bad places to be ------------------------------------------------------------------------


def assert_sound(heads: Heads, probe: NDArray[np.float32], *, full: bool) -> None:
    """Every number finite, every class positive definite, every answer a probability."""
    state = heads.gauss()
    for name in ("mean", "spread", "log_det", "limit"):
        assert np.isfinite(getattr(state, name)).all(), name
    for spread in state.spread:
        diagonal = np.diag(ref.from_triangle(spread, heads.d)) if full else spread
        assert (diagonal > 0).all()
    _, p, novelty = heads.gauss_predict(probe)
    assert np.isfinite(p).all()
    assert np.isfinite(novelty).all()
    assert np.isfinite(heads.gauss_distances(probe)).all()
    np.testing.assert_allclose(p.sum(1), 1, atol=1e-6)


@COVARIANCES
@pytest.mark.parametrize(
    ("step", "offset"), [(0.0, 0.0), (0.0, 1e12), (1e-7, 1.0), (1e-3, 1e6), (1e5, -1e12)]
)
def test_features_that_hardly_vary(full: bool, step: float, offset: float) -> None:
    """Equal, or next to equal, rows: the spread ends on its floor and no lower."""
    rng = np.random.default_rng(8)
    heads = Heads(4, full=full, prior=[1.0, 1e-6, 1e-12, 1e12], classes=1)
    rows = f32(offset + step * rng.integers(-1, 2, (5000, 4)))
    heads.gauss_learn(rows, 0, horizon=64)
    assert_sound(heads, rows[:1], full=full)
    assert_sound(heads, f32(-1e12 * np.ones(4)), full=full)
    spread = heads.gauss().spread[0].astype(float)
    variances = np.diag(ref.from_triangle(spread, 4)) ** 2 if full else spread
    floors = ref.LEAST_SPREAD * np.array([1.0, 1e-6, 1e-12, 1e12])
    assert (variances >= 0.999999 * floors).all()
    if step == 0:
        np.testing.assert_allclose(variances, floors, rtol=1e-5)


@COVARIANCES
def test_features_that_are_copies_of_one_another(full: bool) -> None:
    rng = np.random.default_rng(9)
    one = rng.normal(size=(20000, 1))
    heads = Heads(5, full=full, prior=np.full(5, 0.3), classes=1)
    heads.gauss_learn(one * [1, 1, -2, 1e-6, 1e6], 0, horizon=256)
    assert_sound(heads, f32(np.ones(5)), full=full)


@COVARIANCES
@settings(max_examples=40, deadline=None)
@given(
    rows=st.lists(
        st.lists(
            st.one_of(
                st.floats(-LARGEST, LARGEST, width=32),
                st.sampled_from([0.0, 1e12, -1e12, 1e-30, -1e-45, 1.0]),
            ),
            min_size=3,
            max_size=3,
        ),
        min_size=1,
        max_size=60,
    ),
    priors=st.lists(st.sampled_from([1e-12, 1e-3, 1.0, 1e12]), min_size=3, max_size=3),
    horizon=st.sampled_from([16, 65536]),
)
def test_nothing_but_finite_numbers(
    full: bool, rows: list[list[float]], priors: list[float], horizon: int
) -> None:
    heads = Heads(3, full=full, prior=priors, classes=2)
    for i, row in enumerate(rows):
        heads.gauss_learn(row, i % 2, horizon=horizon, prior_count=1.0)
        assert_sound(heads, f32(row), full=full)


@COVARIANCES
def test_a_million_lessons(full: bool) -> None:
    """Strongly correlated rows about a mean that wanders: within 2 % of float64's covariance."""
    rng = np.random.default_rng(10)
    d, n, horizon = 4, 1_000_000, 4096
    mixing = np.linalg.cholesky(0.98 * np.ones((d, d)) + 0.02 * np.eye(d))
    wander = 5 + np.cumsum(rng.normal(0, 1e-3, (n, 1)), axis=0)
    rows = f32(rng.normal(size=(n, d)) @ mixing.T + wander)
    heads = Heads(d, full=full, prior=np.full(d, 0.1), classes=1)
    heads.gauss_learn(rows, 0, horizon=horizon)
    assert_sound(heads, rows[-1:], full=full)
    # Exponential forgetting, and the mean that it is about, in float64 over the last 20 horizons.
    mean, moment = rows[-20 * horizon].astype(float), np.cov(rows[-21 * horizon : -20 * horizon].T)
    for row in rows[-20 * horizon :].astype(float):
        b = row - mean
        mean = mean + b / horizon
        moment = moment + (np.outer(b, row - mean) - moment) / (horizon + 2)
    got = covariance(heads, 0, full=full)
    expected = moment if full else np.diag(np.diag(moment))
    np.testing.assert_allclose(got, expected, atol=0.02)
    np.testing.assert_allclose(heads.gauss().mean[0], mean, atol=5e-3)
    if full:
        assert np.linalg.eigvalsh(got)[0] == pytest.approx(np.linalg.eigvalsh(moment)[0], rel=0.02)
