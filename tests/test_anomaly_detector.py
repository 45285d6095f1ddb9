"""Is this window normal: both detectors against their float64 reference and their promises."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from machine_rows import CENTRE, SPREAD, normal_rows
from reference_watch import SETTLING, Detector, Normal, Rule, hotelling_limit
from watch_library import F32, Section
from watch_units import DriftRule, Watch

pytestmark = pytest.mark.usefixtures("watch_library")
SEEDS = st.integers(0, 2**32 - 1)
PAPER = Rule(two_sided=False, threshold=1.0, raise_windows=1, clear_windows=1)


def settled(n: int = 400, rule: Rule | None = None) -> Watch:
    watch = Watch()
    watch.judge(normal_rows(n), rule or Rule())
    assert not watch.detector.alarm
    return watch


# --- the limit ------------------------------------------------------------------------------


def test_the_limit_settles_then_hotelling_then_the_quantile() -> None:
    watch, rule = Watch(), Rule(false_rate=0.02)
    rows = normal_rows(SETTLING + 260)
    for i, row in enumerate(rows):
        counts = (watch.detector.normal.count, watch.detector.distances)
        assert counts == (i, max(0, i - SETTLING))
        limit = watch.limit(0.02)
        if i < SETTLING:
            assert limit == 0
            assert watch.judge([row], rule)[0].score == 0
            continue
        if i - SETTLING < 250:  # 5 / 0.02
            assert limit == pytest.approx(hotelling_limit(i, 0.02), rel=1e-5)
        else:
            assert limit != pytest.approx(hotelling_limit(i, 0.02), rel=1e-3)
        verdict = watch.judge([row], rule)[0]
        assert verdict.anomaly == (verdict.score > 1)


def test_after_training_the_limit_is_hotellings_until_the_field_has_spoken() -> None:
    watch, rule = Watch(), Rule(false_rate=0.05)
    watch.start_from(Watch().normal_after(normal_rows(1296), 4096))
    assert watch.limit(0.05) == pytest.approx(hotelling_limit(1296, 0.05), rel=1e-5)
    watch.judge(normal_rows(99, seed=5), rule)
    assert watch.limit(0.05) == pytest.approx(hotelling_limit(1395, 0.05), rel=1e-5)
    watch.judge(normal_rows(1, seed=6), rule)
    assert watch.detector.distances == 100
    assert watch.limit(0.05) != pytest.approx(hotelling_limit(1396, 0.05), rel=1e-4)
    watch.restart_quantile()
    assert watch.limit(0.05) == pytest.approx(hotelling_limit(1396, 0.05), rel=1e-5)


def test_a_very_small_share_takes_the_quantile_once_half_its_count_is_there() -> None:
    """5 / 0.0001 distances are more than the quantile goes on counting: it is halved at 65,536."""
    watch, rule = Watch(), Rule(false_rate=1e-4, raise_windows=1000)
    seen = 0
    for until, quantile in ((32_000, False), (33_000, True), (65_000, True), (66_000, True)):
        rows = np.random.default_rng(until).normal(size=(until - seen, 2)) * 0.1 - 5
        watch.judge(rows, rule)
        seen = until
        hotelling = hotelling_limit(watch.detector.normal.count, 1e-4)
        assert (watch.limit(1e-4) != pytest.approx(hotelling, rel=1e-4)) == quantile
        assert watch.limit(1e-4) == pytest.approx(hotelling, rel=0.5)
    assert watch.detector.distances < 40_000


@pytest.mark.parametrize("r", [0.005, 0.02])
@pytest.mark.parametrize("name", ["normal", "Student's t", "log-normal"])
def test_share_of_false_alarms_whatever_the_distribution(name: str, r: float) -> None:
    """Over 20,000 windows, once the quantile is in force: r within a factor of 1.5."""
    rng, size = np.random.default_rng(3), (24_000, 2)
    rows = {
        "normal": rng.normal(size=size),
        "Student's t": rng.standard_t(5, size),
        "log-normal": rng.lognormal(0, 0.5, size),
    }[name]
    verdicts = Watch().judge(CENTRE + 0.1 * rows, Rule(false_rate=r))
    share = np.mean([v.anomaly for v in verdicts[4000:]])
    assert r / 1.5 < share < 1.5 * r


def test_what_never_varies_is_normal_and_what_differs_is_not() -> None:
    watch = Watch()
    verdicts = watch.judge(np.full((2000, 2), -5.0), Rule())
    assert not any(v.anomaly for v in verdicts)
    assert watch.judge([[-4.5, -5.0]], Rule())[0].anomaly


# --- the whole detector ----------------------------------------------------------------------


@given(
    seed=SEEDS,
    n=st.integers(1, 250),
    rule=st.builds(
        Rule,
        false_rate=st.sampled_from([0.005, 0.05, 0.2]),
        horizon=st.sampled_from([64, 4096]),
        learn=st.booleans(),
        raise_windows=st.integers(1, 6),
        clear_windows=st.integers(1, 6),
    ),
    trained=st.booleans(),
)
def test_detector_against_the_reference(seed: int, n: int, rule: Rule, trained: bool) -> None:
    """A machine with faults of random length and size, until a score comes so close to 1 that
    float32 may decide otherwise."""
    rng = np.random.default_rng(seed)
    rows = normal_rows(n, seed)
    rows += SPREAD * 8 * (rng.random((n, 1)) < 0.15) * rng.normal(size=(n, 2))
    at = rng.integers(0, n)
    rows[at : at + rng.integers(1, 30)] += SPREAD * rng.normal(0, 6, 2)
    rows = rows.astype(F32).astype(float)
    watch = Watch()
    start = Watch().normal_after(normal_rows(40, 1), 4096) if trained else Normal()
    watch.start_from(start)
    reference = Detector(start)
    for row, verdict in zip(rows, watch.judge(rows, rule), strict=True):
        expected = reference.update(0.0, row, rule)
        if abs(expected.score - 1) < 1e-3:
            return
        assert verdict.score == pytest.approx(expected.score, rel=1e-3, abs=1e-5)
        assert verdict.anomaly == expected.anomaly
        assert (verdict.alarm, verdict.began, verdict.ended) == (
            expected.alarm,
            expected.began,
            expected.ended,
        )
    state = watch.detector
    assert (state.over, state.under) == (reference.over, reference.under)
    assert (state.alarms, state.normal.count) == (reference.alarms, reference.normal.count)
    np.testing.assert_allclose(watch.normal.mean, reference.normal.mean, rtol=1e-4)


@pytest.mark.parametrize("sigmas", [10, -10])
def test_a_quiet_machine_is_found_as_well_as_a_loud_one(sigmas: float) -> None:
    """The paper's detector is blind to what lowers the error (a coin on the blade here)."""
    fault = normal_rows(20, seed=9) + sigmas * SPREAD
    verdicts = settled().judge(fault, Rule())
    assert [v.alarm for v in verdicts] == [False, False] + [True] * 18
    paper = Rule(two_sided=False, threshold=float(np.exp(normal_rows(400)[:, 0].max())))
    assert any(v.alarm for v in Watch().judge(fault, paper)) == (sigmas > 0)


def test_nothing_is_learned_while_an_alarm_stands() -> None:
    """A fault of a thousand windows does not become normal, and its end is noticed."""
    watch = settled()
    before = watch.normal
    verdicts = watch.judge(normal_rows(1000, seed=2) + 10 * SPREAD, Rule())
    assert all(v.alarm for v in verdicts[2:])
    assert watch.normal.count == before.count + 1  # the first anomaly, cut to the limit
    shift = (watch.normal.mean - before.mean) / SPREAD
    assert np.all(np.abs(shift) < 0.02)
    back = watch.judge(np.tile(CENTRE, (10, 1)), Rule())
    assert [v.ended for v in back].index(True) == 4
    assert not back[-1].alarm
    assert watch.normal.count == before.count + 1 + 6


@pytest.mark.parametrize(("taught", "raise_windows"), [(30, 4), (200, 20), (1200, 100)])
def test_a_long_way_to_an_alarm_does_not_make_the_fault_normal(
    taught: int, raise_windows: int
) -> None:
    rule = Rule(raise_windows=raise_windows)
    watch = settled(taught, rule)
    verdicts = watch.judge(normal_rows(raise_windows + 50, seed=4) + 10 * SPREAD, rule)
    assert verdicts[raise_windows - 1].began
    assert verdicts[-1].alarm


def test_one_knock_does_not_blind_the_detector() -> None:
    watch = settled()
    assert watch.judge(CENTRE[None] + 300 * SPREAD, Rule())[0].anomaly
    assert not any(v.alarm for v in watch.judge(normal_rows(100, seed=5), Rule()))
    assert watch.judge(normal_rows(10, seed=6) + 8 * SPREAD, Rule())[-1].alarm


def test_raising_at_once_keeps_the_share_of_false_alarms() -> None:
    """With raise_windows 1 every anomaly is an alarm; the quantile must see its tail all the same.
    10,000 windows after 30,000: 0.01 within 4 standard errors."""
    rule = Rule(false_rate=0.01, raise_windows=1, clear_windows=1)
    verdicts = Watch().judge(np.random.default_rng(7).normal(size=(40_000, 2)) * 0.1 - 5, rule)
    assert np.mean([v.anomaly for v in verdicts[30_000:]]) == pytest.approx(0.01, abs=0.004)


@pytest.mark.parametrize("ramp", [200, 1000, 5000])
def test_a_slow_fault_does_not_become_normal(ramp: int) -> None:
    """10 standard deviations over `ramp` windows: the drift monitor tells of it by 3.5 of them,
    nothing is learned from then on, and the alarm comes by 5 and stands."""
    taught = 300
    rows = normal_rows(taught + ramp + 200, seed=8)
    rows[taught:, 0] += SPREAD[0] * 10 * np.minimum(np.arange(ramp + 200) / ramp, 1)
    watch, changed, alarm = Watch(), 0, 0
    for i, row in enumerate(rows):
        normal = watch.normal
        if normal.count >= SETTLING:
            z = watch.standard_log_error(normal, row[0])
            if watch.drift([[0, 0, 1]], [z], DriftRule()).changed_began[0]:
                changed = i
        verdict = watch.judge([row], Rule(learn=changed == 0))[0]
        if verdict.began and alarm == 0:
            alarm = i
    assert 0 < changed - taught < 0.35 * ramp
    assert 0 < alarm - taught < 0.5 * ramp
    assert verdict.alarm


def test_learning_can_be_switched_off() -> None:
    watch = settled()
    before = watch.write(Section.NORM)[:68]  # normal and quantile
    watch.judge(normal_rows(500, seed=4), Rule(learn=False))
    assert watch.write(Section.NORM)[:68] == before
    fresh = Watch()
    assert all(v.score == 0 for v in fresh.judge(normal_rows(100), Rule(learn=False)))


def test_a_calibration_takes_over() -> None:
    """What is normal from here on is what the calibration saw; its alarm is over."""
    watch, moved = settled(), 10 * SPREAD
    watch.judge(normal_rows(50, seed=4) + moved, Rule())
    assert watch.detector.alarm
    watch.take_over(Watch().normal_after(normal_rows(60, seed=5) + moved, 4096))
    state = watch.detector
    assert (state.alarm, state.over, state.under, state.distances) == (0, 0, 0, 0)
    assert state.alarms == 1
    assert watch.limit(0.005) == pytest.approx(hotelling_limit(60, 0.005), rel=1e-5)
    verdicts = watch.judge(normal_rows(500, seed=6) + moved, Rule())
    assert not any(v.alarm for v in verdicts)
    assert np.mean([v.anomaly for v in verdicts]) < 0.03
    assert watch.judge(normal_rows(3, seed=7), Rule())[-1].alarm


# --- the paper's -----------------------------------------------------------------------------


@given(
    error=st.floats(0, 2.0**40, width=32),
    threshold=st.floats(0, 1e6, width=32),
)
def test_paper_score_is_above_1_where_the_error_is_above_the_threshold(
    error: float, threshold: float
) -> None:
    rule = Rule(two_sided=False, threshold=threshold)
    verdict = Watch().judge([[0, 0]], rule, errors=[error])[0]
    assert verdict.anomaly == (error > threshold) == (verdict.score > 1)
    assert np.isfinite(verdict.score)
    if threshold > 1e-30 and error / threshold < 1e30:
        assert verdict.score == pytest.approx(error / threshold, rel=1e-6, abs=1e-37)


def test_the_papers_detector_learns_nothing() -> None:
    watch = Watch()
    watch.judge(normal_rows(200), PAPER)
    assert watch.detector.normal.count == 0
    assert watch.limit(0.005) == 0


@given(
    anomalies=st.lists(st.booleans(), max_size=120),
    raise_windows=st.integers(1, 8),
    clear_windows=st.integers(1, 8),
)
def test_alarms_rise_and_end_by_windows_in_a_row(
    anomalies: list[bool], raise_windows: int, clear_windows: int
) -> None:
    rule = Rule(False, 1.0, raise_windows=raise_windows, clear_windows=clear_windows)
    watch = Watch()
    verdicts = watch.judge(np.zeros((len(anomalies), 2)), rule, errors=[2.0 * a for a in anomalies])
    alarm, alarms = False, 0
    for i, verdict in enumerate(verdicts):
        last = anomalies[: i + 1]
        began = not alarm and len(last) >= raise_windows and all(last[-raise_windows:])
        ended = alarm and not any(last[-clear_windows:])
        alarm = (alarm or began) and not ended
        alarms += began
        assert (verdict.alarm, verdict.began, verdict.ended) == (alarm, began, ended)
    assert watch.detector.alarms == alarms
