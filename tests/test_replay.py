from __future__ import annotations

import json
from dataclasses import fields
from dataclasses import replace as changed

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_replay import HOP, RATE_HZ, WINDOW_LEN, recording, small_bundle

from tinyol_sim.errors import DeviceError, RecordingError, StateImageError, TinyOLError
from tinyol_sim.fine_tune_end import find_fine_tune_end
from tinyol_sim.fine_tune_start import find_fine_tune_start
from tinyol_sim.presets import PRESETS
from tinyol_sim.recordings import concatenate
from tinyol_sim.replay import Plan, ReplayResult, replay
from tinyol_sim.reporting import scores
from tinyol_sim.reporting.error_groups import (
    AFTER,
    ALL,
    BEFORE,
    DETECTOR,
    END,
    THRESHOLD,
    error_groups,
)
from tinyol_sim.reporting.notices import ALARM, CALIBRATED, CHANGED, UNKNOWN, notices
from tinyol_sim.reporting.replay_notes import replay_notes
from tinyol_sim.reporting.replay_summary import (
    MAX_NOTICE_ROWS,
    error_rows,
    headline,
    notice_rows,
    summarise,
)
from tinyol_sim.state_image import StateImage
from tinyol_sim.twin import Twin, Windows

BUNDLE = small_bundle()
LABELS = [None, "quiet", "normal", "loud"]
stretches = st.lists(
    st.tuples(st.sampled_from(LABELS), st.integers(1, 60)), min_size=1, max_size=8
).filter(lambda parts: sum(n for _, n in parts) >= WINDOW_LEN)


def assert_same(a: ReplayResult, b: ReplayResult) -> None:
    assert a.state == b.state
    assert a.class_names == b.class_names
    assert a.counters == b.counters
    assert np.array_equal(a.truth, b.truth)
    for field in fields(Windows):
        assert np.array_equal(getattr(a.windows, field.name), getattr(b.windows, field.name))


@settings(max_examples=40, deadline=None)
@given(parts=stretches, chunk_s=st.floats(0.02, 3), learn=st.booleans(), data=st.data())
def test_the_size_of_the_pieces_changes_no_bit(parts, chunk_s, learn, data):
    n = sum(length for _, length in parts)
    gap = data.draw(st.lists(st.integers(1, n - 1), max_size=1))
    whole = recording(parts, gaps=gap)
    start_s = data.draw(st.integers(0, n - 1)) / RATE_HZ
    plan = {"learn": learn, "fine_tune": 3, "fine_tune_from": str(start_s)}
    try:
        expected = replay(BUNDLE, [whole], Plan(**plan, chunk_s=1e6))
    except RecordingError:
        return  # the gap left no whole window
    assert_same(replay(BUNDLE, [whole], Plan(**plan, chunk_s=chunk_s)), expected)


def test_it_is_what_a_person_would_do_sample_by_sample():
    first = recording([("normal", 40), (None, 30), ("loud", 40)], gaps=[55])
    second = recording([("loud", 30), ("quiet", 40)], seed=1)
    result = replay(BUNDLE, [first, second], Plan(learn=True, fine_tune=4, fine_tune_from="0.9"))

    twin, parts = Twin(BUNDLE), []
    for part in (first, second):
        if part is second:
            twin.gap()
        for i in range(part.n_samples):
            label = part.label_names[part.labels[i]] if part.labels[i] >= 0 else None
            if label is not None and label not in twin.classes:
                twin.add_class(label)
            if part is first and i == 45:
                twin.fine_tune(4)
            if part is first and i == 70:
                twin.fine_tune(0)  # what comes now is another class
            gap = [0] if i in part.gaps else None
            index = -1 if label is None else twin.class_index(label)
            parts.append(twin.feed(part.samples[i : i + 1], [index], gap))
    assert result.class_names == ("normal", "loud", "quiet") == tuple(twin.classes)
    assert result.state == twin.state
    assert np.array_equal(result.windows.predicted, Windows.join(parts).predicted)
    assert np.array_equal(result.truth, result.windows.label)


@settings(max_examples=40, deadline=None)
@given(parts=stretches)
def test_a_window_has_a_label_only_if_all_its_samples_have_it(parts):
    whole = recording(parts)
    result = replay(BUNDLE, [whole], Plan(learn=True))
    assert np.array_equal(result.truth, result.windows.label)
    run = np.cumsum(np.diff(whole.labels, prepend=whole.labels[0]) != 0)
    for last, truth in zip(result.sample_index, result.truth, strict=True):
        inside = slice(last - WINDOW_LEN + 1, last + 1)
        one_run = len(set(run[inside])) == 1 and whole.labels[last] >= 0
        assert (truth >= 0) == one_run
        if one_run:
            assert result.class_names[truth] == whole.label_names[whole.labels[last]]


def test_a_border_between_recordings_is_a_gap():
    a, b = recording([("normal", 33)]), recording([("normal", 33)], seed=1)
    result = replay(BUNDLE, [a, b])
    in_each = 1 + (33 - WINDOW_LEN) // HOP
    assert len(result.windows) == 2 * in_each
    assert result.counters["gaps"] == 1
    assert result.sample_index[in_each] == 33 + WINDOW_LEN - 1
    assert result.time_s[in_each] == pytest.approx((33 + WINDOW_LEN - 1) / RATE_HZ)


def test_without_learn_labels_only_score():
    taught = replay(BUNDLE, [recording([("normal", 300), ("loud", 300)])], Plan(learn=True))
    before = Twin(BUNDLE)
    before.state = taught.state
    test = recording([("normal", 100), ("loud", 100)], seed=5)
    result = replay(BUNDLE, [test], Plan(state=taught.state))
    after = Twin(BUNDLE)
    after.state = result.state
    assert np.array_equal(before.weights()["softmax"], after.weights()["softmax"])
    assert not result.windows.learned.any()
    assert result.counters["classifier_steps"] == 0
    # A device that goes on from this state learns again when a person labels something.
    assert after.get("classifier.learn") == 1.0
    table = scores.confusion(result.truth, result.windows.predicted, 2)
    assert np.array_equal(table, result.metrics.confusion - taught.metrics.confusion)
    assert replay_notes(result) == []


def test_a_label_that_a_loaded_state_does_not_know_is_counted_as_wrong():
    taught = replay(BUNDLE, [recording([("normal", 200), ("loud", 200)])], Plan(learn=True))
    test = recording([("normal", 100), ("quiet", 100)], seed=5)
    result = replay(BUNDLE, [test], Plan(state=taught.state))
    assert result.metrics.classes == ("normal", "loud")
    assert result.class_names == ("normal", "loud", "quiet")
    quiet = summarise(result)["classifier"]["classes"][2]
    assert quiet["windows"] > 0
    assert quiet["f1"] == 0
    assert "no class quiet" in replay_notes(result)[0]


def test_labels_are_shown_but_predict_nothing_without_learn_and_state():
    result = replay(BUNDLE, [recording([("normal", 100)])])
    assert (result.windows.predicted == -1).all()
    assert (result.truth == 0).all()
    assert summarise(result)["classifier"] is None
    assert "--learn" in replay_notes(result)[0]


def test_going_on_from_a_state_is_as_if_it_had_never_stopped():
    a, b = recording([("normal", 200), ("loud", 200)]), recording([("quiet", 200)], seed=1)
    plan = {"learn": True, "fine_tune": 5, "fine_tune_from": "start"}
    half = replay(BUNDLE, [a], Plan(**plan))
    resumed = replay(BUNDLE, [b], Plan(learn=True, state=half.state))
    whole = replay(BUNDLE, [a, b], Plan(**plan))
    left, right = (StateImage.from_bytes(r.state) for r in (resumed, whole))
    assert left.fields.pop("counters.gaps") + 1 == right.fields.pop("counters.gaps")  # the border
    assert left.first_difference(right) is None
    assert resumed.counters["samples"] == b.n_samples
    assert resumed.sample_index[0] == WINDOW_LEN - 1
    assert resumed.tuned.all()


def test_progress_rises_to_the_end():
    calls: list[tuple[int, int]] = []
    replay(
        BUNDLE,
        [recording([("normal", 120)])],
        Plan(chunk_s=1.0),
        lambda done, total: calls.append((done, total)),
    )
    assert [done for done, _ in calls] == [50, 100, 120]
    assert {total for _, total in calls} == {120}


# --- fine-tuning --------------------------------------------------------------------------

SCENE = recording(
    [("normal", 600), (None, 200), ("normal", 100), (None, 700), ("loud", 100)], gaps=[300, 900]
)


@pytest.mark.parametrize(
    ("where", "sample"),
    [
        ("auto", 900),  # 200 samples are 4 s: too short
        ("start", 0),
        ("gap", 300),
        ("10", 500),
        ("10.001s", 501),
        ("loud", 1600),
        ("label:loud", 1600),
        ("recording:2", 1000),
    ],
)
def test_where_fine_tuning_begins(where, sample):
    assert find_fine_tune_start(where, SCENE, [1000, 700]).sample == sample


def test_fine_tuning_begins_at_the_first_of_several_unlabelled_stretches():
    parts = [("normal", 50), (None, 600), ("loud", 50), (None, 900)]
    assert find_fine_tune_start("auto", recording(parts)).sample == 50


def test_fine_tuning_begins_at_the_start_where_all_is_labelled():
    assert find_fine_tune_start("auto", recording([("normal", 2000)])).sample == 0


@pytest.mark.parametrize(
    ("where", "says"),
    [
        ("quiet", "normal, loud"),
        ("recording:3", "1 to 2"),
        ("recording:" + "9" * 5000, "1 to 2"),
        ("34", "34 s of recordings"),
        ("-1", "34 s of recordings"),
        ("nan", "auto, start, gap"),
    ],
)
def test_a_place_that_is_not_there_is_refused(where, says):
    with pytest.raises(RecordingError, match=says):
        find_fine_tune_start(where, SCENE, [1000, 700])


def test_no_gap_to_begin_at():
    with pytest.raises(RecordingError, match="there is none"):
        find_fine_tune_start("gap", recording([("normal", 100)]))


def test_fine_tuning_takes_n_windows_from_its_place_on():
    plan = Plan(fine_tune=7, fine_tune_from="gap")
    result = replay(BUNDLE, [SCENE], plan)
    taken = np.flatnonzero(result.windows.fine_tuned)
    assert len(taken) == 7 == result.counters["reconstruction_steps"]
    assert result.sample_index[taken[0]] == 300 + WINDOW_LEN - 1
    assert np.all(np.diff(taken) == 1)
    assert np.array_equal(np.flatnonzero(~result.tuned), np.arange(taken[0] + 1))


@pytest.mark.parametrize(
    ("parts", "start", "end"),
    [
        ([("normal", 300), ("loud", 300)], 0, (300, "loud")),
        ([(None, 300), ("loud", 300)], 0, (300, "loud")),
        ([(None, 100), ("normal", 100), (None, 100), ("loud", 9)], 0, (300, "loud")),
        ([(None, 100), ("normal", 100), (None, 100), ("loud", 9)], 150, (300, "loud")),
        ([("loud", 50), (None, 50), ("loud", 50), ("normal", 50)], 0, (150, "normal")),
        ([("loud", 50), (None, 50), ("loud", 50), ("normal", 50)], 60, (100, "loud")),
        ([("loud", 50), ("normal", 300)], 50, None),
        ([(None, 300)], 0, None),
    ],
)
def test_fine_tuning_ends_where_another_class_begins(parts, start, end):
    found = find_fine_tune_end(recording(parts, gaps=[20]), start)
    assert (found and (found.sample, found.label)) == end


def test_fine_tuning_never_takes_a_step_on_a_fault_that_follows():
    healthy, fault = recording([("normal", 600)]), recording([("loud", 600)], seed=1)
    result = replay(BUNDLE, [healthy, fault], Plan(fine_tune=1000))
    taken = np.flatnonzero(result.windows.fine_tuned)
    assert len(taken) == (600 - WINDOW_LEN) // HOP + 1
    assert result.sample_index[taken[-1]] < 600
    assert result.fine_tune_end.label == "loud"
    text = dict(headline(summarise(result)))["fine-tuning"]
    assert text.startswith(f"{len(taken)} steps from 0.0 s")
    assert text.endswith("of 1,000 asked for, until loud at 12.0 s")
    enough = replay(BUNDLE, [healthy, fault], Plan(fine_tune=len(taken)))
    assert enough.fine_tune_end is None
    assert summarise(enough)["fine_tuning"]["ended"] == "as many as asked"
    assert enough.state == result.state


def test_a_note_gives_the_threshold_to_set_where_the_old_one_no_longer_fits():
    parts = [(None, 600), ("normal", 600)]
    plan = {"fine_tune": 50, "fine_tune_from": "start"}
    fixed = {DETECTOR: 0.0}
    first = replay(BUNDLE, [recording(parts)], Plan(**plan, settings={**fixed, THRESHOLD: 0.05}))
    normal = (first.truth == 0) & (np.arange(len(first.windows)) > 50)
    (note,) = [note for note in replay_notes(first) if "above the threshold" in note]
    value = float(note.split(f"--set {THRESHOLD}=")[1].split("`")[0])
    assert value == pytest.approx(np.quantile(first.windows.tuned_error[normal], 0.99), rel=0.01)
    again = replay(BUNDLE, [recording(parts)], Plan(**plan, settings={**fixed, THRESHOLD: value}))
    assert not any("above the threshold" in note for note in replay_notes(again))


def test_a_note_says_that_one_block_a_class_flatters_f1():
    block = [("normal", 100), ("loud", 100)]
    once = replay(BUNDLE, [recording(block)], Plan(learn=True))
    assert any("flatters F1" in note for note in replay_notes(once))
    turns = replay(BUNDLE, [recording(block * 2)], Plan(learn=True))
    alone = replay(BUNDLE, [recording(block[:1])], Plan(learn=True))
    for result in (turns, alone):
        assert not any("flatters F1" in note for note in replay_notes(result))


def test_notes_say_what_went_on():
    long = replay(BUNDLE, [SCENE], Plan(fine_tune=10_000))
    left = 10_000 - int(long.windows.fine_tuned.sum())
    assert long.fine_tune_left == left
    assert f"took {10_000 - left:,} of 10,000 windows" in replay_notes(long)[0]
    assert "where loud begins, at 32.0 s" in replay_notes(long)[0]
    short = replay(BUNDLE, [SCENE], Plan(fine_tune=1000, fine_tune_from="loud"))
    left = 1000 - int(short.windows.fine_tuned.sum())
    assert f"{left} windows short of the 1,000" in replay_notes(short)[0]
    diverging = {"reconstruction.learning_rate": 50.0, "reconstruction.weight_limit": 1.0}
    wild = replay(BUNDLE, [SCENE], Plan(fine_tune=50, settings=diverging))
    assert any("learning_rate is too high" in note for note in replay_notes(wild))
    silent = replay(BUNDLE, [SCENE.with_label(None)], Plan(learn=True))
    assert any("no window has a label" in note for note in replay_notes(silent))


def test_errors_are_compared_in_groups_of_like_windows():
    result = replay(BUNDLE, [SCENE], Plan(fine_tune=20, learn=True))
    groups = {(group.phase, group.label): group for group in error_groups(result)}
    assert list(groups) == [
        (BEFORE, "normal"),
        (BEFORE, None),
        (END, None),
        (AFTER, "loud"),
        (AFTER, None),
    ]
    assert groups[BEFORE, "normal"].tuned is None
    assert len(groups[END, None].frozen) == 5
    last = np.flatnonzero(result.windows.fine_tuned)[-5:]
    assert np.array_equal(groups[END, None].tuned, result.windows.tuned_error[last])
    loud = result.truth == result.class_names.index("loud")
    assert np.array_equal(groups[AFTER, "loud"].frozen, result.windows.error[loud])
    counted = sum(len(g.frozen) for key, g in groups.items() if key != (END, None)) + 20
    assert counted == len(result.windows)
    plain = error_groups(replay(BUNDLE, [SCENE]))
    assert {(group.phase, group.tuned is None) for group in plain} == {(ALL, True)}


# --- what the device notices by itself ----------------------------------------------------


def fault(n_after: int = 600):
    """Normal, then loud without a label, then normal again."""
    whole = recording([("normal", 2000), ("loud", 400), ("normal", n_after)])
    labels = np.where(whole.labels == 1, -1, whole.labels)
    return changed(whole, labels=labels.astype(np.int16))


def test_a_fault_is_an_alarm_and_something_unknown():
    result = replay(BUNDLE, [fault()], Plan(learn=True))
    inside = np.flatnonzero((result.sample_index >= 2000) & (result.sample_index < 2400))
    found = {notice.kind: notice for notice in notices(result)}
    raise_windows, unknown_windows = 3, 5  # as the settings start
    assert inside[0] <= found[ALARM].first <= inside[0] + raise_windows + 1
    assert inside[0] <= found[UNKNOWN].first <= inside[0] + unknown_windows + 1
    for kind, least in ((ALARM, 5), (UNKNOWN, 5)):
        assert not found[kind].open
        assert inside[-1] < found[kind].last <= inside[-1] + least + 3
    score = result.windows.score[found[ALARM].first : found[ALARM].last + 1]
    assert found[ALARM].peak == score.max() > 1
    assert dict(headline(summarise(result)))["unknown"].endswith("1 stretch")


def test_alarms_are_the_runs_of_windows_that_say_so():
    result = replay(BUNDLE, [fault(), fault(n_after=40)], Plan(learn=True))
    said = np.zeros(len(result.windows) + 1, bool)
    for notice in notices(result):
        if notice.kind == ALARM:
            said[notice.first : notice.last + notice.open] = True
    assert np.array_equal(said[:-1], result.windows.alarm)
    assert np.any(np.diff(result.windows.alarm.astype(int)) < 0)


def test_what_goes_on_at_the_end_is_open():
    result = replay(BUNDLE, [fault(n_after=1)], Plan(learn=True))
    open_kinds = {notice.kind for notice in notices(result) if notice.open}
    assert {ALARM, UNKNOWN} <= open_kinds
    rows = notice_rows(summarise(result))
    assert {row[2] for row in rows if row[0] == "alarm"} == {"the end"}


def test_more_notices_than_a_table_holds_are_counted():
    summary = {
        "notices": [
            {"kind": CHANGED, "from_s": float(i), "to_s": None, "open": False, "peak": None}
            for i in range(MAX_NOTICE_ROWS + 7)
        ]
    }
    rows = notice_rows(summary)
    assert len(rows) == MAX_NOTICE_ROWS + 1
    assert rows[-1][0] == "7 more"


def test_a_calibration_follows_its_fine_tuning():
    plan = Plan(fine_tune=20, fine_tune_from="start", calibrate=40)
    result = replay(BUNDLE, [recording([("normal", 1000)])], plan)
    done = [notice.first for notice in notices(result) if notice.kind == CALIBRATED]
    assert done == [20 + 40 - 1]
    assert not result.windows.score[:60].any()
    assert result.windows.score[60:].any()
    assert (result.fine_tune_left, result.calibrate_left) == (0, 0)
    text = dict(headline(summarise(result)))["fine-tuning"]
    assert text.endswith("then calibrated on 40 of 40 windows")


def test_a_calibration_ends_undone_where_another_class_begins():
    whole = recording([("normal", 300), ("loud", 600)])
    plan = Plan(fine_tune=20, fine_tune_from="start", calibrate=1000)
    result = replay(BUNDLE, [whole], plan)
    n_before = int(np.sum(result.sample_index < 300))
    assert result.calibrate_left == 1000 - (n_before - 20)
    assert result.fine_tune_end.label == "loud"
    assert not any(notice.kind == CALIBRATED for notice in notices(result))
    assert any("what was normal before stands" in note for note in replay_notes(result))
    # What it had taken in is gone: what was seen since is all that counts as normal.
    counted = StateImage.from_bytes(result.state).fields["normal.count"]
    assert counted == len(result.windows) - n_before


def test_the_paper_preset_is_the_papers_device():
    preset = PRESETS["paper"]
    threshold = float(np.median(replay(BUNDLE, [SCENE]).windows.error))
    settings = {**preset.settings, THRESHOLD: threshold}
    result = replay(BUNDLE, [SCENE], Plan(learn=True, settings=settings))
    weights = Twin(BUNDLE)
    weights.state = result.state
    assert not weights.weights()["softmax_bias"].any()
    # One threshold, and an alarm with each window beyond it.
    assert np.array_equal(result.windows.anomaly, result.windows.tuned_error > threshold)
    assert np.array_equal(result.windows.anomaly, result.windows.alarm)
    assert 0 < result.windows.anomaly.mean() < 1
    assert not result.windows.noticed("changed").any()
    for name in ("head", "bias", "balanced", "rehearsal"):
        assert result.settings[f"classifier.{name}"] == 0.0


# --- settings and refusals ----------------------------------------------------------------


def test_settings_of_the_plan_hold_and_are_kept_in_the_state():
    result = replay(
        BUNDLE, [recording([("normal", 60)])], Plan(settings={"statistics.horizon": 100.0})
    )
    assert result.settings["statistics.horizon"] == 100.0
    assert StateImage.from_bytes(result.state).fields["settings.statistics.horizon"] == 100.0


@pytest.mark.parametrize(
    ("plan", "says"),
    [
        ({"settings": {"classifier.learn": 1.0}}, "learn"),
        ({"settings": {"classifier.speed": 1.0}}, "classifier.speed"),
        ({"settings": {"classifier.learning_rate": -1.0}}, "0 to 100"),
        ({"chunk_s": 0.0}, "chunk_s"),
        ({"state": b"TOLS"}, "truncated"),
    ],
)
def test_a_bad_plan_is_refused(plan, says):
    with pytest.raises(TinyOLError, match=says):
        replay(BUNDLE, [recording([("normal", 60)])], Plan(**plan))


def test_a_state_of_another_model_is_refused():
    state = replay(small_bundle(seed=1), [recording([("normal", 60)])]).state
    with pytest.raises(StateImageError, match="another model"):
        replay(BUNDLE, [recording([("normal", 60)])], Plan(state=state))


def test_another_rate_is_refused_with_both_rates():
    with pytest.raises(RecordingError, match=r"slow has 25 Hz.*for 50 Hz"):
        replay(BUNDLE, [recording([("normal", 60)], rate_hz=25.0, name="slow")])


def test_recordings_without_a_whole_window_are_refused():
    short = recording([("normal", WINDOW_LEN)], gaps=[5])
    with pytest.raises(RecordingError, match=f"{WINDOW_LEN} samples"):
        replay(BUNDLE, [short])


def test_one_label_too_many_is_refused_by_name():
    names = [(f"state {i}", 20) for i in range(5)]
    with pytest.raises(DeviceError, match=r"'state 4'.*4 classes"):
        replay(BUNDLE, [recording(names)], Plan(learn=True))


# --- in numbers --------------------------------------------------------------------------


def test_the_summary_is_json_and_its_rows_are_text():
    settings = {DETECTOR: 0.0}
    result = replay(BUNDLE, [SCENE], Plan(fine_tune=20, learn=True, settings=settings))
    summary = summarise(result)
    assert json.loads(json.dumps(summary, allow_nan=False)) == summary
    assert summary["fine_tuning"] == {
        "asked": 20,
        "steps": 20,
        "from_s": 18.0,
        "from": "the first unlabelled stretch",
        "calibrate": 0,
        "calibrate_left": 0,
        "windows_left": 0,
        "ended": "as many as asked",
    }
    assert summary["speed"]["windows_per_s"] > 0
    assert "speed" not in dict(headline(summary))
    assert summary["threshold"] == 5.0
    assert summary["settings"]["reconstruction.learning_rate"] == 0.001
    assert dict(headline(summary))["recorded"] == "small: 34.0 s at 50 Hz, 2 gaps"
    assert all(isinstance(cell, str) for row in error_rows(summary) for cell in row)
    joined = replay(BUNDLE, [concatenate([SCENE] * 2)])
    assert summarise(joined)["classifier"] is None
