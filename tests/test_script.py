"""A recording as a script of commands means what replay makes of it."""

from __future__ import annotations

import numpy as np
import pytest
from small_replay import recording, small_bundle

from tinyol_sim.commands import (
    AddClass,
    Calibrate,
    ClassWeight,
    Command,
    FineTune,
    Gap,
    Label,
    NameUnknown,
    Relearn,
    SetSetting,
)
from tinyol_sim.errors import DeviceError
from tinyol_sim.recordings import Recording, concatenate
from tinyol_sim.replay import LEARN, Plan, replay
from tinyol_sim.script import Script, run_on_twin, script_of
from tinyol_sim.twin import Twin

SHORT = recording(
    [("normal", 150), (None, 700), ("loud", 120), ("normal", 200), (None, 30), ("loud", 90)],
    gaps=[40, 850, 1000],
)
STATES = ("normal", "loud")
OTHER = recording([("quiet", 200), ("loud", 150)], gaps=[77], seed=3, name="other")


@pytest.mark.parametrize("parts", [[SHORT], [SHORT, OTHER]])
@pytest.mark.parametrize("learn", [True, False])
@pytest.mark.parametrize(("fine_tune", "where"), [(None, "auto"), (25, "auto"), (500, "loud")])
def test_the_twin_ends_as_after_a_replay(
    parts: list[Recording], learn: bool, fine_tune: int | None, where: str
) -> None:
    bundle, settings = small_bundle(), {"classifier.l2": 0.01}
    known = Twin(bundle)
    known.add_class("loud")
    plan = Plan(learn, fine_tune, where, settings, known.state)
    expected = replay(bundle, parts, plan)

    twin = Twin(bundle)
    twin.state = known.state
    script = script_of(
        concatenate(parts),
        learn=learn,
        fine_tune=fine_tune,
        fine_tune_from=where,
        lengths=[part.n_samples for part in parts],
        known=twin.classes,
        settings=settings,
    )
    windows = run_on_twin(twin, script)
    twin.set(LEARN, 1.0)  # as replay leaves it
    assert twin.state == expected.state
    for name in ("sample_index", "error", "tuned_error", "confidence", "loss", "label", "learned"):
        np.testing.assert_array_equal(getattr(windows, name), getattr(expected.windows, name))
    assert windows.learned.any() == learn
    assert windows.fine_tuned.any() == bool(fine_tune)


def test_a_calibration_is_the_same_in_a_script_and_in_a_replay() -> None:
    bundle = small_bundle()
    plan = Plan(fine_tune=25, fine_tune_from="start", calibrate=60)
    for stream in (recording([("normal", 600)]), SHORT):  # in SHORT another class ends it
        expected = replay(bundle, [stream], plan)
        script = script_of(stream, learn=False, fine_tune=25, fine_tune_from="start", calibrate=60)
        twin = Twin(bundle)
        windows = run_on_twin(twin, script)
        twin.set(LEARN, 1.0)
        assert twin.state == expected.state
        assert windows.noticed("calibrated").any() == (expected.calibrate_left == 0)


def test_every_command_does_in_a_script_what_it_does_alone() -> None:
    normal, loud = (recording([(name, 600)], seed=i).samples for i, name in enumerate(STATES))
    steps: tuple[tuple[int, Command], ...] = (
        (0, AddClass("normal")),
        (0, Label("normal")),
        (600, Label(None)),
        (1200, NameUnknown(1, "loud")),
        (1200, ClassWeight("loud", 0.25)),
        (1200, Relearn("normal", 30)),
        (1200, Calibrate(40, 5)),
    )
    samples = np.concatenate([normal, loud, normal])
    twin, by_hand = Twin(small_bundle()), Twin(small_bundle())
    run_on_twin(twin, Script(samples, steps=steps))
    by_hand.add_class("normal")
    by_hand.label("normal")
    by_hand.feed(normal)
    by_hand.label(None)
    by_hand.feed(loud)
    assert by_hand.name_unknown(1, "loud")[1] > 0
    by_hand.set_class_weight("loud", 0.25)
    assert by_hand.relearn("normal", 30) == 30
    by_hand.calibrate(40, 5)
    by_hand.feed(normal)
    assert twin.state == by_hand.state


def test_labels_become_commands_where_they_change() -> None:
    stream = recording([(None, 5), ("normal", 10), ("loud", 10), (None, 5), ("loud", 10)])
    assert script_of(stream, fine_tune=4, fine_tune_from="start").steps == (
        (0, SetSetting(LEARN, 1.0)),
        (0, FineTune(4)),
        (5, AddClass("normal")),
        (5, Label("normal")),
        (15, AddClass("loud")),
        (15, FineTune(0)),
        (15, Label("loud")),
        (25, Label(None)),
        (30, Label("loud")),
    )


def test_commands_and_gaps_hold_in_their_order() -> None:
    samples = recording([("normal", 60)]).samples
    steps: tuple[tuple[int, Command], ...] = (
        (0, Gap()),
        (20, AddClass("a")),
        (20, Label("a")),
        (60, AddClass("b")),
        (60, Gap()),
    )
    twin, by_hand = Twin(small_bundle()), Twin(small_bundle())
    windows = run_on_twin(twin, Script(samples, np.array([0, 20, 33]), steps))
    by_hand.gap()
    by_hand.feed(samples[:20], gaps=[0])
    by_hand.add_class("a")
    by_hand.label("a")
    by_hand.feed(samples[20:], gaps=[0, 13])
    by_hand.add_class("b")
    by_hand.gap()
    assert twin.state == by_hand.state
    assert twin.counters()["gaps"] == 5
    assert windows.label.tolist() == [-1, -1, 0, 0, 0, 0, 0]


@pytest.mark.parametrize("most", [1, 7, 1000])
def test_pieces_cover_each_sample_once(most: int) -> None:
    steps: tuple[tuple[int, Command], ...] = ((3, Label(None)), (50, Gap()), (50, Label(None)))
    script = Script(np.zeros((50, 3), np.float32), np.array([10, 49]), steps)
    pieces = list(script.pieces(most))
    covered = [i for piece in pieces for i in range(piece.first, piece.stop)]
    assert covered == list(range(50))
    assert max(piece.stop - piece.first for piece in pieces) <= most
    assert [piece.first for piece in pieces if piece.gap] == [10, 49]
    assert [(p.first, c) for p in pieces for c in p.commands] == list(steps)


def test_a_script_of_nothing() -> None:
    empty = np.empty((0, 3), np.float32)
    assert len(run_on_twin(Twin(small_bundle()), Script(empty))) == 0
    twin = Twin(small_bundle())
    run_on_twin(twin, Script(empty, steps=((0, AddClass("a")),)))
    assert twin.classes == ["a"]


def test_progress_reaches_the_end() -> None:
    calls: list[tuple[int, int]] = []
    run_on_twin(Twin(small_bundle()), script_of(SHORT), lambda done, n: calls.append((done, n)))
    assert calls[-1] == (SHORT.n_samples, SHORT.n_samples)
    assert [done for done, _ in calls] == sorted({done for done, _ in calls})


@pytest.mark.parametrize(
    ("gaps", "steps", "match"),
    [
        ([9, 3], (), "gaps must increase"),
        ([10], (), "0 to 9"),
        ([], ((5, Gap()), (4, Gap())), "in order"),
        ([], ((11, Gap()),), "0 to 10"),
        ([], ((-1, Gap()),), "0 to 10"),
    ],
)
def test_what_does_not_fit_together_is_refused(
    gaps: list[int], steps: tuple[tuple[int, Command], ...], match: str
) -> None:
    with pytest.raises(DeviceError, match=match):
        Script(np.zeros((10, 3), np.float32), np.array(gaps, np.int64), steps)


def test_without_learning_unknown_labels_label_nothing() -> None:
    script = script_of(OTHER, learn=False)
    assert script.steps == ((0, SetSetting(LEARN, 0.0)),)
