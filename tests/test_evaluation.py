"""`tinyol evaluate`: its parts on a random net, then the whole on a simulated and on a real fan."""

from __future__ import annotations

import csv
import importlib.util
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cli_runner import Tinyol
from evaluated import noise_state, noise_states, random_bundle, write_pieces

from tinyol_sim.errors import DeviceError
from tinyol_sim.evaluation.anomaly import (
    ABOVE,
    AUC,
    CARRIED,
    HELD_OUT,
    MOVED,
    POOLED,
    TWO_SIDED,
    calibrated,
    detect,
    move,
)
from tinyol_sim.evaluation.classification import DIAGONAL, HEADS, REHEARSED, classify, taught_f1
from tinyol_sim.evaluation.figures import find, order_gap, summarise
from tinyol_sim.evaluation.models import Models, with_full_covariance
from tinyol_sim.evaluation.roles import Plan, plan_for
from tinyol_sim.evaluation.split import Split, split_states
from tinyol_sim.evaluation.states import State
from tinyol_sim.evaluation.streams import feed_windows, judge, lesson_order, teach
from tinyol_sim.evaluation.tuning import AFTER, BEFORE, RULES, fine_tune, tuned_errors
from tinyol_sim.evaluation.unknown import FALSE, FOUND, leave_one_out
from tinyol_sim.synth import FIELD_PLACEMENT, TRAINING_PLACEMENT, synthesize
from tinyol_sim.twin import Twin

needs_tensorflow = pytest.mark.skipif(
    importlib.util.find_spec("tensorflow") is None,
    reason='TensorFlow is not installed (pip install "tinyol[train]")',
)


@pytest.fixture
def tinyol(capsys: pytest.CaptureFixture[str]) -> Tinyol:
    return Tinyol(capsys)


def machine(**levels: tuple[float, float, float]) -> tuple[Plan, Split]:
    """A plan and a split for noise of these levels; `calm` is normal."""
    states = noise_states({"calm": (0.02, 0.02, 0.02), **levels})
    plan = replace(
        plan_for(states, normal="calm"), window_len=16, hop=16, lessons=60, draws=2, starts=2
    )
    return replace(plan, calibrate_s=8.0), split_states(states)


def models() -> Models:
    """Of a net with random weights: the features along the axes still see the noise's level."""
    bundle = random_bundle()
    return Models(bundle, with_full_covariance(bundle), bundle)


# --- classes ---------------------------------------------------------------------------------


def test_levels_along_different_axes_are_told_apart_in_any_order() -> None:
    plan, split = machine(x=(0.2, 0.02, 0.02), y=(0.02, 0.2, 0.02))
    heads = [head for head in HEADS if head.name.startswith("gaussian")]
    found = classify(models(), split, plan, plan.states, 60, 0, heads=heads)
    assert {figure.value for figure in found} == {1.0}
    assert len(found) == 2 * 2 * 5  # heads, draws, orders
    assert order_gap(found, "3 classes, 60 lessons each", DIAGONAL, "macro F1") == 0


def test_states_that_are_one_score_as_chance() -> None:
    plan, split = machine(**dict.fromkeys("abc", (0.1, 0.1, 0.1)))
    found = classify(models(), split, plan, ["a", "b", "c"], 60, 0, heads=HEADS[-2:-1])
    assert np.mean([figure.value for figure in found]) == pytest.approx(1 / 3, abs=0.1)


def test_chosen_settings_reach_the_device_and_wrong_ones_are_refused() -> None:
    plan, split = machine(x=(0.2, 0.02, 0.02))
    head = [head for head in HEADS if head.name == REHEARSED]
    chosen = {REHEARSED: {"classifier.learning_rate": 0.0}}
    (still,) = {
        figure.value
        for figure in classify(models(), split, plan, plan.states, 60, 0, heads=head, chosen=chosen)
    }
    assert still == pytest.approx(1 / 3)  # nothing learned: all windows are the first class
    with pytest.raises(DeviceError, match=r"no setting 'gaussian\.magic'"):
        taught_f1(random_bundle(), {"gaussian.magic": 1}, ["a"], [], [], "forward", 0)


def test_judging_teaches_nothing() -> None:
    plan, split = machine(x=(0.2, 0.02, 0.02))
    bundle = random_bundle()
    windows = [split.teach[name].windows(16, 16)[:60] for name in plan.states]
    twin = Twin(bundle)
    teach(twin, plan.states, windows, lesson_order("forward", 2, 60, 0))
    before = judge(twin, windows)
    for other in (windows[::-1], windows):
        after = judge(twin, other)
    for first, second in zip(before, after, strict=True):
        np.testing.assert_array_equal(first.probabilities, second.probabilities)
        np.testing.assert_array_equal(first.novelty, second.novelty)
        np.testing.assert_array_equal(first.score, second.score)
    assert [status.lessons for status in twin.class_status()] == [60, 60]


# --- unknown ---------------------------------------------------------------------------------


def test_a_class_that_is_like_no_other_is_unknown_and_one_that_is_like_another_is_not() -> None:
    plan, split = machine(x=(0.2, 0.02, 0.02), x2=(0.2, 0.02, 0.02), y=(0.02, 0.2, 0.02))
    found = summarise(leave_one_out(models(), split, plan, 0))
    share = {(one.case, one.name): one.mean for one in found}
    assert share["y", FOUND] == 1
    assert share["x", FOUND] < 0.3  # x2 is the same noise
    assert all(share[name, FALSE] < 0.25 for name in plan.states)
    assert {one.case for one in found} == set(plan.states)


# --- anomalies and moves ---------------------------------------------------------------------


def test_quiet_and_loud_anomalies_are_found_where_the_error_finds_the_loud_alone() -> None:
    plan, split = machine(loud=(0.2, 0.2, 0.2), quiet=(0.002, 0.002, 0.002))
    split, plan, bundle = at_home(plan, split)
    found = summarise(detect(Models(bundle, bundle, bundle), split, plan, 0))

    def auc(case: str) -> float:
        one = find(found, HELD_OUT, case, AUC)
        assert one is not None
        return one.mean

    assert auc(f"{TWO_SIDED}: {POOLED}") > 0.99
    assert auc(f"{TWO_SIDED}: quiet") > 0.99
    assert auc("error: loud") > 0.7
    assert auc("error: quiet") < 0.6


def at_home(plan: Plan, split: Split) -> tuple[Split, Plan, Any]:
    """A random bundle that knows the plan's normal state."""
    bundle = random_bundle()
    twin = Twin(bundle)
    windows = split.teach[plan.normal].windows(16, 16)
    seen = feed_windows(twin, windows)
    logs = np.stack([np.log(seen.error), seen.log_variance], axis=1).astype(np.float64)
    s = np.cov(logs.T, bias=True)
    normal = replace(
        bundle.normal, count=len(logs), mean=logs.mean(axis=0), covariance=s[[0, 0, 1], [0, 1, 1]]
    )
    known = type(bundle).create(
        bundle.tflite, bundle.pipeline, settings=bundle.settings, taps=bundle.taps, normal=normal
    )
    return split, plan, known


def test_a_calibration_makes_another_place_normal_and_anomalies_stay_anomalies_there() -> None:
    plan, split = machine(loud=(0.2, 0.2, 0.2), quiet=(0.002, 0.002, 0.002))
    deploy = noise_state("deploy", (0.05, 0.04, 0.06), pieces=60)
    moved = split_states({"deploy": deploy})
    split = Split({**split.teach, **moved.teach}, {**split.report, **moved.report})
    split, plan, bundle = at_home(replace(plan, deploy="deploy"), split)
    found = summarise(move(Models(bundle, bundle, bundle), split, plan, 0))
    before = find(found, MOVED, "not calibrated", ABOVE)
    after = find(found, MOVED, "calibrated for 8 s", ABOVE)
    carried = find(found, CARRIED, f"{TWO_SIDED}: {POOLED}", AUC)
    assert before is not None
    assert after is not None
    assert carried is not None
    assert before.mean > 0.9
    assert after.mean < 0.03
    assert after.runs == plan.starts
    assert carried.mean > 0.99


def test_a_calibration_uses_its_windows_and_leaves_all_others() -> None:
    windows = noise_state("calm", (0.05, 0.05, 0.05)).windows(16, 16)
    twin, rest = calibrated(random_bundle(), windows, 100, 40, 10)
    np.testing.assert_array_equal(rest, np.concatenate([windows[150:], windows[:100]]))
    watch = twin.watch()
    assert (watch.calibration_windows_left, watch.normal_windows) == (0, 40)


# --- fine-tuning -----------------------------------------------------------------------------


def test_each_rule_lowers_the_error_of_a_random_layer() -> None:
    plan, split = machine(loud=(0.2, 0.2, 0.2))
    deploy = noise_state("deploy", (0.05, 0.04, 0.06), pieces=60)
    moved = split_states({"deploy": deploy})
    split = Split({**split.teach, **moved.teach}, {**split.report, **moved.report})
    found = summarise(fine_tune(models(), split, replace(plan, deploy="deploy"), 0))
    for rule in RULES:
        errors = {one.name: one.mean for one in found if one.case == f"{rule}, window centring"}
        assert errors[AFTER] < errors[BEFORE]
    windows = deploy.windows(16, 16)
    frozen, tuned = tuned_errors(random_bundle(error_source="frozen"), {}, windows[:0], windows)
    np.testing.assert_array_equal(frozen, tuned)  # no step, no difference


# --- the whole -------------------------------------------------------------------------------

OPTIONS = ("--seeds", "1", "--epochs", "8", "--lessons", "40", "--window", "40", "--json")


@pytest.fixture(scope="module")
def small_fan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fan")
    places = {"normal": TRAINING_PLACEMENT, "deploy": FIELD_PLACEMENT}
    for name, placement in places.items():
        samples = synthesize("normal", 75, seed=3, placement=placement).samples
        write_pieces(folder / name, np.array_split(samples, 25), 119.0)
    for mode in ("stuck", "tilted"):
        samples = synthesize(mode, 50, seed=4).samples
        write_pieces(folder / mode, np.array_split(samples, 25), 119.0)
    return folder


@needs_tensorflow
def test_the_command_measures_prints_and_writes_the_same_again(
    small_fan: Path, tmp_path: Path, tinyol: Tinyol
) -> None:
    printed = tinyol.done("evaluate", str(small_fan), *OPTIONS, "--jobs", "2", "-o", str(tmp_path))
    found = json.loads(printed)
    assert found["plan"]["states"] == ["normal", "stuck", "tilted"]
    assert found["split"]["normal"] == {
        "from": "25 recordings",
        "teach": "1-15 of 25",
        "report": "16-25 of 25",
    }
    floors = {floor["what"]: floor for floor in found["floors"]}
    assert floors["macro F1, 3 classes, 40 lessons each"]["held"]
    assert floors["order gap, 3 classes, 40 lessons each"]["measured"] == 0
    auc = {one["case"]: one["mean"] for one in found["figures"] if one["name"] == "AUC"}
    assert auc["two-sided: stuck"] > 0.99
    assert auc["error: stuck"] < 0.5  # quieter than normal
    with (tmp_path / "summary.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(found["figures"])
    for row, figure in zip(rows, found["figures"], strict=True):
        assert (row["part"], row["case"], row["name"]) == tuple(
            figure[key] for key in ("part", "case", "name")
        )
        assert float(row["mean"]) == pytest.approx(figure["mean"])
    with (tmp_path / "figures.csv").open() as file:
        each = list(csv.DictReader(file))
    assert len(each) == sum(figure["runs"] for figure in found["figures"])
    here = tinyol.done("evaluate", str(small_fan), *OPTIONS, "--jobs", "1")
    assert json.loads(here) == found  # as many processes as one likes


@needs_tensorflow
def test_tables_fit_a_terminal_and_another_folder_can_report(
    small_fan: Path, tmp_path: Path, tinyol: Tinyol
) -> None:
    other = shutil.copytree(small_fan, tmp_path / "other")
    words = ("evaluate", str(small_fan), *OPTIONS[:-1], "--report-on")
    text = tinyol.done(*words, str(other))
    status, _, err = tinyol(*words, str(small_fan))
    assert (status, "cannot report on itself" in err) == (2, True)
    assert text.startswith("window 40, hop 40 samples")
    assert re.search(r"^normal +25 recordings +all 25 +all 25$", text, re.MULTILINE)
    rows = [line for line in text.splitlines() if not line.startswith(("window", "AUC", "Fine"))]
    assert max(map(len, rows)) <= 80
    for what in ("Macro F1, 3 classes", "False alarms", "One class left out", "What it must show"):
        assert what in text
    for head in HEADS:
        assert f"\n{head.name} " in text


def test_what_cannot_be_evaluated_is_refused_at_once(
    small_fan: Path, tmp_path: Path, tinyol: Tinyol
) -> None:
    if importlib.util.find_spec("tensorflow") is not None:
        assert "normal: too few windows" in tinyol.refused("evaluate", str(small_fan))
    assert "there is no such folder" in tinyol.refused("evaluate", str(tmp_path / "gone"))
    assert "no state 'calm'" in tinyol.refused("evaluate", str(small_fan), "--normal", "calm")
    file = tmp_path / "file"
    file.write_text("")
    message = tinyol.refused("evaluate", str(small_fan), "-o", str(file / "out"))
    assert "cannot be made" in message


@needs_tensorflow
def test_the_real_fan_shows_what_is_promised(
    real_data: Path, tmp_path: Path, tinyol: Tinyol
) -> None:
    folder = real_data / "ceiling-fan"
    if not folder.is_dir():
        pytest.skip(f"no ceiling-fan recordings: {folder} is missing")
    found = json.loads(tinyol.done("evaluate", str(folder), "--seeds", "2", "--json"))
    missed = [floor for floor in found["floors"] if not floor["held"]]
    assert not missed
    assert len(found["floors"]) == 11
    softmax = {
        one["case"]: one["mean"]
        for one in found["figures"]
        if one["part"] == "3 classes, 300 lessons each"
    }
    assert softmax["softmax, the paper's"] < 0.9 < softmax[REHEARSED]  # it forgets; rehearsed less


def test_a_state_keeps_its_name_and_source() -> None:
    state = State("a", 100.0, (np.zeros((5, 3), np.float32),), "today.csv")
    assert state.duration_s == pytest.approx(0.05)
    assert state.recording().label_names == ("a",)
    assert state.windows(8, 8).shape == (0, 8, 3)
