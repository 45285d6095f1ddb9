"""The sensor's place and the machine's level: tilt by geometry, Page's sums by plain numpy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from reference_watch import angle_deg, cusum, moving_means
from watch_library import F32, Section
from watch_units import DriftRule, Watch

pytestmark = pytest.mark.usefixtures("watch_library")
Array = NDArray[np.float64]
SEEDS = st.integers(0, 2**32 - 1)
DOWN = np.array([0.02, -0.05, 0.998])


def turned(by_deg: float, g: Array = DOWN, seed: int = 0) -> Array:
    """The vector turned about a random axis across it."""
    across = np.cross(g, np.random.default_rng(seed).normal(size=3))
    across *= np.linalg.norm(g) / np.linalg.norm(across)
    there: Array = np.cos(np.radians(by_deg)) * g + np.sin(np.radians(by_deg)) * across
    return there


def still(n: int, g: Array = DOWN, noise: float = 0.002, seed: int = 1) -> Array:
    return g + noise * np.random.default_rng(seed).normal(size=(n, 3))


# --- the sensor's place ----------------------------------------------------------------------


def test_two_degrees_are_the_place_as_before_and_six_are_not() -> None:
    for seed in range(5):
        watch = Watch()
        watch.drift(still(50), np.zeros(50), DriftRule())
        same = watch.drift(still(300, turned(2, seed=seed)), np.zeros(300), DriftRule())
        assert not same.moved_began.any()
        assert same.tilt_deg[-1] == pytest.approx(2, abs=0.15)
        away = watch.drift(still(300, turned(6, seed=seed)), np.zeros(300), DriftRule())
        assert away.moved_began.sum() == 1
        assert np.argmax(away.moved_began) < 60  # an average over 20 windows, 5 of 6 degrees
        assert away.tilt_deg[-1] == pytest.approx(6, abs=0.15)
        assert watch.drift_state.moved


def test_what_hangs_as_before_ends_it_below_seven_tenths() -> None:
    watch = Watch()
    watch.drift(still(20, noise=0), np.zeros(20), DriftRule())
    watch.drift(still(200, turned(8), noise=0), np.zeros(200), DriftRule())
    between = watch.drift(still(300, turned(4), noise=0), np.zeros(300), DriftRule())
    assert watch.drift_state.moved  # 4 of 5 degrees: it began above 5 and ends below 3.5
    assert not between.moved_ended.any()
    back = watch.drift(still(300, turned(3), noise=0), np.zeros(300), DriftRule())
    assert back.moved_ended.sum() == 1
    assert back.tilt_deg[np.argmax(back.moved_ended)] < 3.5
    assert back.tilt_deg[np.argmax(back.moved_ended) - 1] >= 3.5


@pytest.mark.parametrize(
    ("length", "moved"), [(1.05, False), (0.95, False), (1.2, True), (0, True)]
)
def test_level_alone_says_moved_too(length: float, moved: bool) -> None:
    """Nothing turns, and 0 g has no direction at all."""
    watch = Watch()
    watch.drift(still(20), np.zeros(20), DriftRule())
    watch.drift(still(200, length * DOWN, noise=0), np.zeros(200), DriftRule())
    assert watch.drift_state.moved == moved


@given(seed=SEEDS, tilt=st.floats(0.5, 60), size=st.sampled_from([0.5, 1.0, 1e4]))
def test_the_threshold_in_degrees_is_that_in_radians(seed: int, tilt: float, size: float) -> None:
    """0.1 % below it is not moved and 0.1 % above it is: the sine's polynomial is no looser."""
    for share in (0.999, 1.001):
        watch, rule = Watch(), DriftRule(tilt_deg=tilt, level_g=1e9, windows=1)
        rows = np.array([DOWN * size, turned(share * tilt, DOWN * size, seed)])
        assert watch.drift(rows, [0, 0], rule).moved_began[1] == (share > 1)


def test_without_gravity_nothing_is_said_of_the_place() -> None:
    """A recording whose mean was taken out: what is left has a direction by chance only."""
    rows = np.random.default_rng(3).normal(0, 0.05, (2000, 3))
    told = Watch().drift(rows, np.zeros(2000), DriftRule(tilt_deg=5, level_g=0.5))
    assert not np.any(told.moved_began)
    turning = rows + [0, 0, 1] * np.where(np.arange(2000) < 1000, 1, -1)[:, None]
    assert np.any(Watch().drift(turning, np.zeros(2000), DriftRule(tilt_deg=5)).moved_began)


@pytest.mark.parametrize(
    ("most", "error"), [(0.5, 1e-4), (60, 1e-4), (120, 3e-4), (180, 0.05)], ids=str
)
def test_tilt_against_the_angle(most: float, error: float) -> None:
    """2,000 random pairs up to `most` degrees apart, 0.3 to 20 g."""
    rng = np.random.default_rng(2)
    for _ in range(2000):
        direction = rng.normal(size=3)
        g = direction / np.linalg.norm(direction) * 10 ** rng.uniform(-0.2, 1)
        other = turned(rng.uniform(0, most), g, int(rng.integers(1 << 30))) * rng.uniform(0.5, 2)
        watch = Watch()
        tilt = watch.drift([g, other], [0, 0], DriftRule(windows=1)).tilt_deg[1]
        state = watch.drift_state
        angle = angle_deg(np.array(list(state.reference)), np.array(list(state.recent)))
        assert tilt == pytest.approx(angle, abs=error)


@given(seed=SEEDS, windows=st.integers(1, 60), n=st.integers(1, 150))
def test_averages_against_numpy(seed: int, windows: int, n: int) -> None:
    g = np.random.default_rng(seed).normal(size=(n, 3)).astype(F32)
    watch = Watch()
    drifted = watch.drift(g, np.zeros(n), DriftRule(windows=windows))
    state = watch.drift_state
    means = moving_means(g, windows)
    np.testing.assert_allclose(list(state.recent), means[-1], atol=1e-5)
    np.testing.assert_allclose(list(state.reference), means[min(n, windows) - 1], atol=1e-5)
    assert (state.reference_count, state.recent_count) == (min(n, windows), n)
    assert not drifted.tilt_deg[:windows].any()
    assert not drifted.moved_began[:windows].any()


def test_a_reference_once_complete_stays_when_windows_grow() -> None:
    watch = Watch()
    watch.drift(still(25), np.zeros(25), DriftRule(windows=20))
    reference = list(watch.drift_state.reference)
    watch.drift(still(400, turned(8)), np.zeros(400), DriftRule(windows=100))
    assert list(watch.drift_state.reference) == reference
    assert watch.drift_state.moved


def test_a_new_reference_at_the_new_place() -> None:
    watch = Watch()
    watch.drift(still(20), np.full(20, 2.0), DriftRule())
    watch.drift(still(200, turned(40)), np.zeros(200), DriftRule())
    assert watch.drift_state.moved
    up = watch.drift_state.up
    watch.restart_reference()
    state = watch.drift_state
    assert (state.moved, state.reference_count, state.recent_count) == (0, 0, 0)
    assert state.up == up  # the machine's level is another matter
    drifted = watch.drift(still(200, turned(40)), np.zeros(200), DriftRule())
    assert not drifted.moved_began.any()
    assert drifted.tilt_deg.max() < 0.3


# --- the machine's level ---------------------------------------------------------------------


@given(seed=SEEDS, delta=st.floats(0, 2, width=32), size=st.floats(0.1, 8), n=st.integers(1, 300))
def test_sums_against_numpy(seed: int, delta: float, size: float, n: int) -> None:
    z = np.random.default_rng(seed).normal(0.2, size, n).astype(F32)
    sums = Watch().drift(still(n), z, DriftRule(delta=delta, lambda_=20)).sums
    np.testing.assert_allclose(sums, cusum(z, delta), rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_shift_of_one_deviation_is_told_once(sign: int) -> None:
    """0.5 a window beyond delta: lambda 50 after about 100 windows."""
    z = np.random.default_rng(3).normal(0, 1, 5000)
    watch = Watch()
    assert not watch.drift(still(5000), z, DriftRule()).changed_began.any()
    shifted = watch.drift(still(400), sign * 1.0 + z[:400], DriftRule())
    assert shifted.changed_began.sum() == 1
    assert 60 < np.argmax(shifted.changed_began) < 180
    assert watch.drift_state.changed
    assert not watch.drift(still(300), z[:300], DriftRule()).changed_began.any()  # it stands
    assert watch.drift_state.changed
    watch.acknowledge()
    state = watch.drift_state
    assert (state.changed, state.up, state.down) == (0, 0, 0)
    assert watch.drift(still(400), sign * 1.0 + z[:400], DriftRule()).changed_began.sum() == 1


def test_one_wild_window_changes_nothing() -> None:
    """z is cut to 5: what one window adds is below lambda, whatever it is."""
    watch = Watch()
    drifted = watch.drift(still(2), [1e30, -1e30], DriftRule())
    np.testing.assert_allclose(drifted.sums, [[4.5, 0], [0, 4.5]])


def test_nothing_is_summed_without_a_normal_or_with_lambda_zero() -> None:
    watch = Watch()
    watch.drift(still(100), np.full(100, 3.0), DriftRule(), judged=False)
    watch.drift(still(100), np.full(100, 3.0), DriftRule(lambda_=0))
    state = watch.drift_state
    assert (state.up, state.down, state.changed) == (0, 0, 0)
    assert state.recent_count == 200


@given(
    rows=st.lists(
        st.tuples(*[st.floats(-1e4, 1e4, width=32)] * 3, st.floats(width=32)), min_size=1
    ),
    rule=st.builds(
        DriftRule,
        tilt_deg=st.floats(0.5, 60),
        level_g=st.floats(0.01, 10),
        windows=st.integers(1, 30),
        delta=st.floats(0, 5),
        lambda_=st.floats(0, 50),
    ),
)
def test_whatever_comes_in_is_finite_and_can_be_read_back(
    rows: list[tuple[float, ...]], rule: DriftRule
) -> None:
    watch, values = Watch(), np.array(rows)
    drifted = watch.drift(values[:, :3], values[:, 3], rule)
    assert np.all(np.isfinite(drifted.tilt_deg) & (drifted.tilt_deg >= 0))
    assert np.all(drifted.tilt_deg <= 180)
    assert np.all(np.isfinite(drifted.sums) & (drifted.sums >= 0))
    image = watch.write(Section.DRIF)
    other = Watch()
    assert other.read(Section.DRIF, image).status == 0
    assert other.write(Section.DRIF) == image
