"""What a device learns beside labels: calibrations, unknown events, classes learned anew."""

from __future__ import annotations

import numpy as np
import pytest
from reference_watch import hotelling_limit
from small_models import int8_bundle, vibration
from small_replay import HOP, WINDOW_LEN, recording, small_bundle

from tinyol_sim.errors import DeviceError
from tinyol_sim.state_image import StateImage
from tinyol_sim.twin import Twin

GRAVITY = np.array([0, 0, 1], np.float32)
NORMAL = recording([("normal", 2000)]).samples + GRAVITY
LOUD = recording([("loud", 600)], seed=1).samples + GRAVITY
QUIET = recording([("quiet", 600)], seed=2).samples + GRAVITY


def length(windows: int) -> int:
    """Samples behind a gap that make so many windows."""
    return WINDOW_LEN + HOP * (windows - 1)


def taught(**settings: float) -> Twin:
    """A twin that has learned normal vibration, as what is normal and as a class."""
    twin = Twin(small_bundle())
    for name, value in settings.items():
        twin.set(name.replace("__", "."), value)
    twin.add_class("normal")
    twin.label("normal")
    twin.feed(NORMAL)
    twin.label(None)
    twin.gap()
    assert twin.watch().limit > 0
    return twin


def fields_of(twin: Twin, section: str) -> dict[str, object]:
    fields = StateImage.from_bytes(twin.state).fields
    return {name: value for name, value in fields.items() if name.startswith(section)}


def assert_same_learned(a: Twin, b: Twin) -> None:
    """The same state, settings aside."""
    ours, theirs = StateImage.from_bytes(a.state), StateImage.from_bytes(b.state)
    for image in (ours, theirs):
        for name in [name for name in image.fields if name.startswith("settings.")]:
            del image.fields[name]
    assert ours.first_difference(theirs) is None


# --- calibrating -----------------------------------------------------------------------------


def test_a_calibration_takes_normal_from_the_windows_behind_its_fine_tuning() -> None:
    twin = taught()
    twin.calibrate(40, fine_tune_steps=15)
    begun = twin.watch()
    assert (begun.calibration_steps_left, begun.calibration_windows_left) == (15, 40)
    seen = twin.feed(LOUD[: length(55)])
    assert np.flatnonzero(seen.fine_tuned).tolist() == list(range(15))
    assert np.flatnonzero(seen.noticed("calibrated")).tolist() == [54]
    assert not seen.score.any()
    assert not seen.anomaly.any()
    watch = twin.watch()
    pairs = np.stack([np.log(seen.tuned_error[15:].astype(float)), seen.log_variance[15:]])
    (ee, ev), (_, vv) = np.cov(pairs, bias=True)
    np.testing.assert_allclose(watch.mean, pairs.mean(axis=1), rtol=1e-5)
    np.testing.assert_allclose(watch.covariance, [ee, ev, vv], rtol=1e-3)
    assert watch.normal_windows == 40
    assert watch.limit == pytest.approx(hotelling_limit(40, 0.005), rel=1e-4)
    assert (watch.calibration_steps_left, watch.calibration_windows_left) == (0, 0)
    np.testing.assert_array_equal(watch.gravity_reference, 0)  # comes with the next windows
    later = twin.feed(LOUD[length(55) :])
    assert later.score.all()
    assert later.anomaly.mean() < 0.1


def test_a_calibration_that_is_ended_leaves_what_was_normal() -> None:
    twin, before = taught(), taught()
    twin.calibrate(40, fine_tune_steps=15)
    twin.feed(LOUD[: length(30)])
    twin.calibrate(None)
    assert twin.watch().calibration_windows_left == 0
    for name, value in fields_of(twin, "normal.").items():
        if name == "normal.under":  # the row of windows judged is broken
            continue
        np.testing.assert_array_equal(value, fields_of(before, "normal.")[name], err_msg=name)
    assert twin.feed(LOUD).anomaly.any()


def test_ending_a_calibration_ends_its_fine_tuning_and_no_other() -> None:
    twin = taught()
    twin.calibrate(40, fine_tune_steps=500)
    twin.calibrate(None)
    assert twin.counters()["fine_tune_left"] == 0
    twin.fine_tune(500)
    twin.calibrate(None)
    assert twin.counters()["fine_tune_left"] == 500


@pytest.mark.parametrize("windows", [1, 29])
def test_too_short_a_calibration_is_refused(windows: int) -> None:
    twin = taught()
    before = twin.state
    with pytest.raises(DeviceError, match=f"at least 30 windows, not {windows}"):
        twin.calibrate(windows)
    assert twin.state == before
    assert twin.watch().calibration_windows_left == 0


def test_importing_a_state_ends_a_calibration() -> None:
    twin = taught()
    twin.calibrate(40, 10)
    twin.state = twin.state
    assert twin.watch().calibration_windows_left == 0
    assert twin.counters()["fine_tune_left"] == 0


@pytest.mark.parametrize("notice", ["moved_began", "changed"])
def test_the_policy_does_what_a_person_would(notice: str) -> None:
    """Calibrates where the sensor was moved, or the machine has changed."""
    moved, louder = NORMAL + np.float32([0.5, 0, 0]), (NORMAL - GRAVITY) * 1.5 + GRAVITY
    after = moved if notice == "moved_began" else louder
    chosen = {
        "drift__calibrate_windows": 50.0,
        "drift__fine_tune_steps": 20.0,
        "drift__lambda": 10.0,
        "anomaly__raise_windows": 1000.0,
    }
    act, advise = (taught(**chosen, drift__policy=float(policy)) for policy in (1, 0))
    (at,) = np.flatnonzero(taught(**chosen).feed(after).noticed(notice))[:1]
    n = length(int(at) + 1)
    for twin in (act, advise):
        assert twin.feed(after[:n]).noticed(notice)[-1]
    advise.calibrate(50, 20)
    for twin in (act, advise):
        assert twin.watch().calibration_windows_left == 50
    windows = [twin.feed(after[n : n + 600]) for twin in (act, advise)]
    assert windows[0].noticed("calibrated").sum() == 1
    for ours, theirs in zip(vars(windows[0]).values(), vars(windows[1]).values(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert_same_learned(act, advise)


@pytest.mark.parametrize("stuck_at", [0.0, 2.0, 16.0])
def test_the_policy_does_not_take_a_dead_sensor_for_a_moved_one(stuck_at: float) -> None:
    twin = taught(drift__policy=1.0, drift__calibrate_windows=50.0)
    before = twin.watch()
    seen = twin.feed(np.full((2000, 3), stuck_at, np.float32))
    after = twin.watch()
    assert seen.noticed("moved_began").any()
    assert not seen.noticed("calibrated").any()
    assert after.alarm
    assert after.calibration_windows_left == 0
    np.testing.assert_allclose(after.mean, before.mean, atol=0.2)


@pytest.mark.parametrize("steps", [0, 40])
def test_a_dead_sensor_ends_a_calibration(steps: int) -> None:
    twin = taught()
    before = twin.watch()
    twin.calibrate(60, steps)
    seen = twin.feed(np.full((500, 3), 0.5, np.float32))
    after = twin.watch()
    assert not seen.noticed("calibrated").any()
    assert (after.calibration_windows_left, after.calibration_steps_left) == (0, 0)
    np.testing.assert_allclose(after.mean, before.mean, atol=0.2)
    assert after.alarm


# --- what no class explains ------------------------------------------------------------------


def test_an_unknown_event_is_kept_and_named_afterwards() -> None:
    twin = taught()
    assert twin.unknowns() == []
    seen = twin.feed(LOUD)
    (event,) = twin.unknowns()
    assert event.number == 1
    assert event.open
    assert not event.named
    unknown = np.flatnonzero(seen.unknown)
    assert event.windows == len(unknown) > 20
    assert event.first_sample == seen.sample_index[unknown[0]]
    assert event.last_sample == seen.sample_index[unknown[-1]]
    assert event.peak_novelty == seen.novelty.max()
    # What is kept are the windows' own features.
    rows = {row.tobytes() for row in seen.features[unknown]}
    assert event.kept == len(event.vectors) > 10
    assert {row.tobytes() for row in event.vectors} <= rows

    assert twin.name_unknown(1, "loud") == (1, event.kept)
    assert twin.classes == ["normal", "loud"]
    assert twin.unknowns()[0].named
    status = {of.name: of for of in twin.class_status()}
    assert status["loud"].lessons == event.kept
    again = twin.feed(LOUD)
    assert np.mean(again.predicted[1:] == 1) > 0.95
    assert np.mean(again.unknown[1:]) < 0.2


def test_naming_it_as_a_class_that_is_there_teaches_that_class() -> None:
    twin = taught()
    twin.feed(LOUD)
    lessons = twin.class_status()[0].lessons
    index, made = twin.name_unknown(1, "normal")
    assert (index, twin.classes) == (0, ["normal"])
    assert twin.class_status()[0].lessons == lessons + made


def test_what_cannot_be_named_is_refused_and_changes_nothing() -> None:
    twin = taught()
    twin.feed(LOUD)
    twin.feed(NORMAL)
    for number in (0, 2, 7):
        with pytest.raises(DeviceError, match=f"no unknown event {number} is kept; there are: 1"):
            twin.name_unknown(number, "x")
    before = twin.state
    with pytest.raises(DeviceError, match="no class name"):
        twin.name_unknown(1, "")
    assert twin.state == before
    twin.name_unknown(1, "loud")
    before = twin.state
    with pytest.raises(DeviceError, match="event 1 was named before"):
        twin.name_unknown(1, "other")
    assert twin.state == before


def test_the_last_two_events_are_kept() -> None:
    twin = taught()
    for _ in range(3):
        twin.feed(LOUD)
        twin.feed(NORMAL[:200])
    assert [event.number for event in twin.unknowns()] == [3, 2]
    assert not any(event.open for event in twin.unknowns())


# --- classes anew ----------------------------------------------------------------------------


def test_a_class_that_is_learned_anew_forgets_its_past_and_no_other_changes() -> None:
    twin = taught()
    twin.add_class("b")
    twin.label("b")
    twin.feed(QUIET)
    twin.label(None)
    before = twin.weights()
    seen = twin.feed(LOUD)
    assert twin.relearn("b", 50) == 50
    after = twin.weights()
    np.testing.assert_array_equal(after["gaussian_mean"][0], before["gaussian_mean"][0])
    np.testing.assert_array_equal(after["gaussian_spread"][0], before["gaussian_spread"][0])
    newest = seen.features[-50:].astype(float).mean(axis=0)
    np.testing.assert_allclose(after["gaussian_mean"][1], newest, rtol=1e-3, atol=1e-3)
    assert twin.class_status()[1].lessons == 50


def test_there_must_be_windows_to_learn_anew_from() -> None:
    twin = Twin(small_bundle())
    twin.add_class("a")
    before = twin.state
    with pytest.raises(DeviceError, match="windows"):
        twin.relearn("a", 10)
    with pytest.raises(DeviceError, match="1 to 65535"):
        twin.relearn("a", 0)
    with pytest.raises(DeviceError, match="no class 'b'"):
        twin.relearn("b", 10)
    assert twin.state == before


def test_a_heavier_class_is_likelier() -> None:
    """Odds go as the weights."""
    twins = [Twin(int8_bundle()) for _ in range(2)]
    for twin in twins:
        for name in "ab":
            twin.add_class(name)
            twin.label(name)
            twin.feed(vibration(300, seed=ord(name)))
        twin.label(None)
        twin.set("statistics.learn", 0)
    twins[1].set_class_weight("b", 3.0)
    plain, heavy = (twin.feed(vibration(100, seed=9)).probabilities.astype(float) for twin in twins)
    inside = np.all((plain > 1e-3) & (plain < 1 - 1e-3), axis=1)
    assert inside.any()
    odds = [p[inside, 1] / p[inside, 0] for p in (plain, heavy)]
    np.testing.assert_allclose(odds[1] / odds[0], 3.0, rtol=1e-3)


@pytest.mark.parametrize("weight", [0.0, -1.0, 1e7, float("nan"), float("inf")])
def test_impossible_weights(weight: float) -> None:
    twin = taught()
    before = twin.state
    with pytest.raises(DeviceError, match="weight must be"):
        twin.set_class_weight("normal", weight)
    assert twin.state == before


def test_turning_the_head_forgets_nothing() -> None:
    """Every lesson teaches both heads, whichever predicts."""
    softmax, gaussian = taught(classifier__head=0.0), taught()
    for twin in (softmax, gaussian):
        twin.add_class("quiet")
        twin.label("quiet")
        twin.feed(QUIET)
        twin.label(None)
    assert not np.array_equal(softmax.feed(LOUD).confidence, gaussian.feed(LOUD).confidence)
    softmax.set("classifier.head", 1.0)
    windows = [twin.feed(QUIET) for twin in (softmax, gaussian)]
    np.testing.assert_array_equal(windows[0].probabilities, windows[1].probabilities)
    for name, weights in softmax.weights().items():
        np.testing.assert_array_equal(weights, gaussian.weights()[name], err_msg=name)
