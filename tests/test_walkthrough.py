"""What the notebooks share: recordings, decimation, lessons, costs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tinyol_sim.bundle import default_bundle
from tinyol_sim.errors import RecordingError
from tinyol_sim.recordings import Recording, concatenate
from tinyol_sim.synth import synthesize
from tinyol_sim.walkthrough.fan_data import NORMAL, STATES, load_fan
from tinyol_sim.walkthrough.input_choice import decimated, ram_of
from tinyol_sim.walkthrough.lessons import School, macro_f1_of, open_school, teach


def test_synthetic_fan_has_all_states_and_says_what_it_is() -> None:
    fan = load_fan(5, "none")
    assert not fan.real
    assert "SYNTHETIC" in fan.origin
    assert tuple(fan.states) == STATES
    assert all(r.label_names == (label,) for label, r in fan.states.items())
    assert {r.n_samples for r in (*fan.states.values(), fan.deployed)} == {1000}
    assert fan.deployed.label_names == (NORMAL,)
    level = {label: float(r.samples.std(axis=0).max()) for label, r in fan.states.items()}
    assert level["off_0"] < 0.1 * level["low_0"]
    again = load_fan(5, "none")
    assert np.array_equal(again.states["low_1"].samples, fan.states["low_1"].samples)


def test_ceiling_fan_is_read_from_the_folder_that_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (*(f"fan_0_{label}_weight" for label in STATES), "fan_0_low-deploy"):
        (tmp_path / name).mkdir()
        for second in range(3):
            rows = "".join(f"{second},{row},1\n" for row in range(200))
            (tmp_path / name / f"{second:04}.csv").write_text(rows)
    monkeypatch.setenv("TINYOL_CEILING_FAN", str(tmp_path))
    fan = load_fan(2)
    assert fan.real
    assert fan.states["med_1"].n_samples == 400
    assert fan.states["med_1"].gaps.tolist() == [200]
    first, rest = load_fan(3).split(NORMAL, 0.6)
    assert (first.n_samples, rest.n_samples) == (400, 200)  # a border between two files
    (tmp_path / "fan_0_low-deploy").rename(tmp_path / "elsewhere")
    with pytest.raises(RecordingError, match="fan_0_low-deploy"):
        load_fan(2)


def test_decimation_averages_within_pieces() -> None:
    samples = np.arange(30, dtype=np.float32).reshape(10, 3)
    whole = Recording(samples, 100.0, np.zeros(10, np.int16), ("a",), np.array([5]), "x")
    half = decimated(whole, 2)
    assert half.rate_hz == 50.0
    assert half.samples[:, 0].tolist() == [1.5, 7.5, 16.5, 22.5]
    assert half.gaps.tolist() == [2]
    assert half.label_names == ("a",)
    assert np.array_equal(decimated(whole, 1).samples, samples)


@pytest.fixture(scope="module")
def school() -> School:
    """A still fan against a turning one: nothing is easier."""
    bundle = default_bundle(119.0)
    parts = {
        mode: (synthesize(mode, 20, seed=1), synthesize(mode, 10, seed=2))
        for mode in ("normal", "stuck")
    }
    return open_school(bundle, parts)


def test_windows_do_not_overlap_nor_cross_a_gap(school: School) -> None:
    assert school.taught["normal"].shape == (20 * 119 // 40, 40, 3)
    pieces = [synthesize("normal", 1, seed=seed) for seed in (3, 4)]
    joined = concatenate(pieces)
    cut = open_school(school.bundle, {"normal": (joined, joined)}).taught["normal"]
    assert len(cut) == 2 * (119 // 40)
    assert np.array_equal(cut[2], pieces[1].samples[:40])


@pytest.mark.parametrize("order", ["forward", "interleaved"])
def test_two_plain_classes_are_learned(school: School, order: str) -> None:
    course = teach(school, ("normal", "stuck"), each=20, order=order, exams=4)
    assert course.lessons[-1] == 40
    assert course.macro_f1[-1] > 0.95
    assert course.recall.shape == (len(course.lessons), 2)
    if order == "forward":
        knows_one = list(course.lessons).index(20)
        assert course.recall[knows_one].tolist() == [1.0, 0.0]
    course.twin.feed(school.held_out["stuck"].reshape(-1, 3))  # no lessons any more
    assert [status.lessons for status in course.twin.class_status()] == [20, 20]


def test_an_exam_teaches_nothing(school: School) -> None:
    twin = teach(school, ("normal", "stuck"), each=5).twin
    before = twin.state
    seen = school.examine(twin, ("stuck", "normal"))
    assert [len(one) for one in seen] == [10 * 119 // 40] * 2
    assert twin.state == before
    assert np.mean(seen[0].predicted == 1) > 0.9


def test_features_are_those_of_the_device(school: School) -> None:
    features, truth = school.features(("normal", "stuck"), taught=False)
    seen = school.examine(teach(school, ("normal", "stuck"), each=5).twin, ("normal", "stuck"))
    assert np.array_equal(features, np.concatenate([one.features for one in seen]))
    assert truth.tolist() == [0] * len(seen[0]) + [1] * len(seen[1])


def test_macro_f1() -> None:
    truth, predicted = np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1])
    assert macro_f1_of(truth, predicted, 2) == pytest.approx((2 / 3 + 4 / 5) / 2)


def test_ram_grows_with_the_classes() -> None:
    bundle = default_bundle(119.0)
    few = replace(bundle.pipeline, max_classes=2)
    smaller = type(bundle).create(bundle.tflite, few, taps=bundle.taps)
    assert 5 * 1024 < ram_of(smaller) < ram_of(bundle) < 64 * 1024
