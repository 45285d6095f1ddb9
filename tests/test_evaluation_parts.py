"""The parts of an evaluation: states, their split, orders of lessons, moves, choices, figures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from evaluated import noise_state, noise_states, random_bundle, write_pieces
from hypothesis import given, settings
from hypothesis import strategies as st

from tinyol_sim.errors import RecordingError
from tinyol_sim.evaluation.choices import _choice
from tinyol_sim.evaluation.figures import Figure, find, order_gap, summarise
from tinyol_sim.evaluation.floors import Floor
from tinyol_sim.evaluation.placement import (
    carried,
    carry_map,
    centred_covariance,
    turned,
    turns,
)
from tinyol_sim.evaluation.roles import Plan, check_enough, plan_for
from tinyol_sim.evaluation.split import split_apart, split_states
from tinyol_sim.evaluation.states import read_states
from tinyol_sim.evaluation.streams import ORDERS, draw_stretches, feed_windows, lesson_order
from tinyol_sim.twin import Twin

FAN = ("high_0", "low-deploy", "low_0", "low_0-moving", "low_1", "off_0")


def fan() -> dict[str, object]:
    return dict.fromkeys(FAN)


# --- states ----------------------------------------------------------------------------------


def test_a_folder_has_a_state_for_each_sub_folder_or_label(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    pieces = [rng.normal(0, 1, (n, 3)).astype(np.float32) for n in (20, 30)]
    write_pieces(tmp_path / "quiet", pieces, 50.0)
    (tmp_path / "both.csv").write_text(
        "# tinyol recording 1\n# rate_hz=50\n# units=g\nx,y,z,label\n"
        + "0,0,1,loud\n" * 4
        + "0,0,1,\n" * 3
        + "0,0,1,quiet\n" * 5
    )
    states = read_states(tmp_path)
    assert {name: [len(p) for p in s.pieces] for name, s in states.items()} == {
        "loud": [4],
        "quiet": [5, 20, 30],  # the unlabelled stretch is in no state
    }
    np.testing.assert_allclose(states["quiet"].pieces[2], pieces[1], atol=1e-5)
    assert states["loud"].source == "both"


def test_folders_that_cannot_be_evaluated_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match=r"gone: there is no such folder"):
        read_states(tmp_path / "gone")
    with pytest.raises(RecordingError, match=r"there is no recording in this folder"):
        read_states(tmp_path)
    piece = [np.zeros((5, 3), np.float32)]
    write_pieces(tmp_path / "a", piece, 50.0)
    write_pieces(tmp_path / "b", piece, 60.0)
    with pytest.raises(RecordingError, match=r"a/0000 has 50 Hz, b/0000 60 Hz; all states"):
        read_states(tmp_path)
    huge = np.array([[0, 0, 1], [0, 2e4, 1]], np.float32)
    write_pieces(tmp_path / "far" / "loud", [huge], 50.0)
    with pytest.raises(RecordingError, match=r"loud/0000: sample 1 is beyond 10000 g"):
        read_states(tmp_path / "far")
    write_pieces(tmp_path / "much too long a name", piece, 50.0)
    with pytest.raises(RecordingError, match=r"much too long a name.*at most 15"):
        read_states(tmp_path)


@pytest.mark.parametrize("hop", [5, 16, 23])
def test_windows_are_those_that_the_device_cuts_between_gaps(hop: int) -> None:
    state, bundle = noise_state("x", (0.1, 0.2, 0.3), pieces=4, n=90), random_bundle(hop)
    whole = state.recording()
    cut_by_device = Twin(bundle).feed(whole.samples, gaps=whole.gaps)
    one_by_one = feed_windows(Twin(bundle), state.windows(16, hop))
    np.testing.assert_array_equal(one_by_one.features, cut_by_device.features)
    assert len(one_by_one) == 4 * ((90 - 16) // hop + 1)


# --- split -----------------------------------------------------------------------------------


def test_split_is_by_files_in_the_order_of_time() -> None:
    state = noise_state("x", (0.1, 0.1, 0.1), pieces=30)
    split = split_states({"x": state})
    assert len(split.teach["x"].pieces) == 18
    for before, after in zip(
        state.pieces, (*split.teach["x"].pieces, *split.report["x"].pieces), strict=True
    ):
        assert before is after
    assert (split.teach["x"].span, split.report["x"].span) == ("1-18 of 30", "19-30 of 30")


@given(st.lists(st.integers(1, 200), min_size=1, max_size=9), st.floats(0.05, 0.95))
def test_few_long_pieces_are_split_inside_and_lose_no_sample(
    lengths: list[int], share: float
) -> None:
    samples = np.arange(3 * sum(lengths), dtype=np.float32).reshape(-1, 3)
    pieces = tuple(np.split(samples, np.cumsum(lengths)[:-1]))
    state = replace(noise_state("x", (1, 1, 1), 1), pieces=pieces)
    split = split_states({"x": state}, share)
    joined = np.concatenate([*split.teach["x"].pieces, *split.report["x"].pieces])
    np.testing.assert_array_equal(joined, samples)
    assert sum(map(len, split.teach["x"].pieces)) == int(len(samples) * share)


def test_two_folders_must_have_the_same_states() -> None:
    here = noise_states()
    there = {name: state for name, state in here.items() if name != "y"}
    with pytest.raises(RecordingError, match="no recording of y to report on"):
        split_apart(here, there, here)
    slow = {**here, "y": replace(here["y"], rate_hz=50.0)}
    with pytest.raises(RecordingError, match="y has 100 Hz to teach with and 50 Hz"):
        split_apart(here, slow, here)
    split = split_apart(here, there, ["x"])
    assert split.teach["x"].pieces == here["x"].pieces
    assert split.apart


# --- roles -----------------------------------------------------------------------------------


def test_the_ceiling_fans_names_need_no_option() -> None:
    plan = plan_for(fan())  # type: ignore[arg-type]
    assert (plan.normal, plan.deploy) == ("low_0", "low-deploy")
    assert plan.classes == ("low_0", "off_0", "low_1")
    assert plan.states == ("high_0", "low_0", "low_1", "off_0")
    assert plan.ignored == ("low_0-moving",)


def test_roles_can_be_given() -> None:
    plan = plan_for(
        fan(),  # type: ignore[arg-type]
        normal="high_0",
        deploy="low_1",
        classes=["off_0", "low_0-moving"],
        ignore=["low-deploy"],
    )
    assert plan.states == ("high_0", "low_0", "low_0-moving", "off_0")
    assert plan.classes == ("off_0", "low_0-moving")
    assert plan.others == ("low_0", "low_0-moving", "off_0")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"normal": "lo_0"}, "there is no state 'lo_0'; there are high_0, low-deploy"),
        ({"deploy": "low_0"}, "cannot be both"),
        ({"normal": "low_0", "ignore": ["low_0"]}, "'low_0' is asked for and cannot be ignored"),
        ({"classes": ["low_0", "low-deploy"]}, "'low-deploy' is no class"),
        ({"classes": ["low_0"]}, "at least two classes"),
    ],
)
def test_roles_that_cannot_be_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(RecordingError, match=message):
        plan_for(fan(), **options)  # type: ignore[arg-type]


def test_without_a_usual_name_one_must_say_what_is_normal() -> None:
    with pytest.raises(RecordingError, match=r"which state is normal \(--normal\)"):
        plan_for(noise_states())


def test_too_few_windows_are_refused_with_what_would_do() -> None:
    states = noise_states()
    plan = replace(plan_for(states, normal="calm"), window_len=16, hop=16)
    with pytest.raises(
        RecordingError,
        match=r"calm: too few windows: 108 .*record more or give --lessons 108 at most$",
    ):
        check_enough(plan, split_states(states))
    check_enough(replace(plan, lessons=108), split_states(states))
    short = {**states, "y": replace(states["y"], pieces=states["y"].pieces[:20] * 2)}
    split = split_states(short)
    split.report["y"] = replace(split.report["y"], pieces=split.report["y"].pieces[:3])
    with pytest.raises(RecordingError, match=r"y: too few windows: 18 to report on"):
        check_enough(replace(plan, lessons=100), split)


def test_a_place_of_deployment_must_outlast_its_calibration() -> None:
    states = {**noise_states(), "deploy": noise_state("deploy", (0.1, 0.1, 0.1), pieces=31)}
    plan = replace(plan_for(states, normal="calm"), window_len=16, hop=16, lessons=100)
    with pytest.raises(RecordingError, match=r"deploy: too few windows: 186 in 31 s"):
        check_enough(plan, split_states(states))
    few = replace(plan, calibrate_s=4.0)
    with pytest.raises(RecordingError, match=r"24 in the 4 s of a calibration, at least 30"):
        check_enough(few, split_states(states))
    check_enough(replace(plan, calibrate_s=10.0), split_states(states))


# --- lessons ---------------------------------------------------------------------------------


@pytest.mark.parametrize("order", ORDERS)
@given(n_classes=st.integers(1, 6), lessons=st.integers(3, 40), seed=st.integers(0, 9))
@settings(max_examples=25)
def test_every_order_teaches_each_lesson_once_and_each_class_in_time(
    order: str, n_classes: int, lessons: int, seed: int
) -> None:
    rows = lesson_order(order, n_classes, lessons, seed)
    assert rows.shape == (n_classes * lessons, 2)
    for k in range(n_classes):
        assert rows[rows[:, 0] == k, 1].tolist() == list(range(lessons))


def test_orders_are_what_they_are_called() -> None:
    classes = {order: lesson_order(order, 3, 6, 1)[:, 0].tolist() for order in ORDERS}
    assert classes["forward"] == [0] * 6 + [1] * 6 + [2] * 6
    assert classes["backward"] == [2] * 6 + [1] * 6 + [0] * 6
    assert classes["three rounds"] == [0, 0, 1, 1, 2, 2] * 3
    assert classes["interleaved"] == [0, 1, 2] * 6
    assert classes["shuffled classes"] != lesson_order("shuffled classes", 3, 6, 2)[:, 0].tolist()


def test_a_draw_is_a_stretch_of_each_class() -> None:
    windows = [np.arange(40, dtype=np.float32)[:, None, None] + 100 * k for k in range(2)]
    seen = set()
    for seed in range(20):
        for k, stretch in enumerate(draw_stretches(windows, 10, seed)):
            values = stretch[:, 0, 0] - 100 * k
            np.testing.assert_array_equal(np.diff(values), 1)
            assert len(values) == 10
            seen.add(int(values[0]))
    assert min(seen) >= 0
    assert max(seen) <= 30
    assert len(seen) > 10


# --- moves -----------------------------------------------------------------------------------


def shaking(seed: int, mix: list[list[float]]) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (rng.normal(0, 0.1, (50, 20, 3)) @ np.array(mix) + (0.1, 0.2, 0.9)).astype(np.float32)


def test_turns_are_small_rotations_about_each_axis() -> None:
    windows = shaking(0, [[1, 0, 0], [0, 2, 0], [0, 0, 3]])
    for name, turn in turns(2.0):
        np.testing.assert_allclose(turn @ turn.T, np.eye(3), atol=1e-12)
        assert np.linalg.det(turn) == pytest.approx(1)
        assert np.degrees(np.arccos((np.trace(turn) - 1) / 2)) == pytest.approx(2)
        axis = "xyz".index(name[-1])
        assert turn[axis, axis] == 1
        lengths = np.linalg.norm(turned(windows, turn), axis=2)
        np.testing.assert_allclose(lengths, np.linalg.norm(windows, axis=2), rtol=1e-5)


def test_normal_carried_over_has_normals_covariance_and_mean_there() -> None:
    here = shaking(1, [[1, 0.3, 0], [0, 1, 0.2], [0, 0, 0.5]])
    there = shaking(2, [[0.4, 0, 0.1], [0.7, 1.5, 0], [0, 0.2, 0.8]])
    mean = np.array([0.5, -0.5, 0.7])
    moved = carried(here, carry_map(here, there), mean)
    np.testing.assert_allclose(centred_covariance(moved), centred_covariance(there), rtol=1e-4)
    np.testing.assert_allclose(moved.mean(axis=1), np.tile(mean, (50, 1)), atol=1e-6)


def test_an_axis_that_does_not_shake_carries_nothing() -> None:
    here = shaking(1, [[1, 0, 0], [0, 1, 0], [0, 0, 0]])
    way = carry_map(here, shaking(2, [[1, 0, 0], [0, 1, 0], [0, 0, 1]]))
    assert np.all(np.isfinite(way))
    np.testing.assert_allclose(way[:, 2], 0, atol=1e-9)


# --- figures ---------------------------------------------------------------------------------


def figures() -> list[Figure]:
    values = {"a": (0.9, 1.0), "b": (0.8, 0.7), "c": (0.85, 0.85)}
    return [
        Figure("part", "head", "F1", value, seed, "64/64", order)
        for order, pair in values.items()
        for seed, value in enumerate(pair)
    ]


def test_summary_and_order_gap_by_hand() -> None:
    (summary,) = summarise(figures())
    assert (summary.runs, summary.least, summary.most) == (6, 0.7, 1.0)
    assert summary.mean == pytest.approx(0.85)
    assert summary.std == pytest.approx(np.sqrt(0.05 / 5))
    assert find([summary], "part", "head", "F1") is summary
    assert find([summary], "part", "head", "AUC") is None
    assert order_gap(figures(), "part", "head", "F1") == pytest.approx(0.2)  # a against b
    assert order_gap(figures()[:2], "part", "head", "F1") is None


@pytest.mark.parametrize(
    ("at_least", "measured", "held"),
    [(True, 0.95, True), (True, 0.949, False), (False, 0.95, True), (False, 0.951, False)],
)
def test_a_floor_is_held_at_its_bound(at_least: bool, measured: float, held: bool) -> None:
    assert Floor("F1", 0.95, measured, at_least).held is held


def test_a_start_value_stays_unless_another_is_clearly_better() -> None:
    f1 = {1.0: 0.900, 2.0: 0.904, 4.0: 0.91}
    assert _choice("head", "s", 1.0, (2.0,), f1.__getitem__).chosen == 1.0
    assert _choice("head", "s", 1.0, (2.0, 4.0), f1.__getitem__).chosen == 4.0
    error = {1.0: 0.500, 2.0: 0.495, 4.0: 0.40}
    assert _choice("rule", "s", 1.0, (2.0,), error.__getitem__, less=True).chosen == 1.0
    assert _choice("rule", "s", 1.0, (2.0, 4.0), error.__getitem__, less=True).chosen == 4.0


def test_a_plan_names_what_it_needs() -> None:
    plan = Plan("n", "d", ("n", "a"), ("a", "n", "b"))
    assert plan.named == ("a", "n", "b", "d")
    assert plan.others == ("a", "b")
    assert replace(plan, deploy=None).named == ("a", "n", "b")
