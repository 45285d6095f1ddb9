from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_replay import HOP, WINDOW_LEN, recording, small_bundle
from told_device import ToldDevice, identity_of

from tinyol_host.events import Changed, Log, Lost, Samples
from tinyol_host.label_column import WindowPlan, label_column
from tinyol_host.protocol import Opcode
from tinyol_host.recorder import Recorder
from tinyol_host.verify import verify_session
from tinyol_sim.commands import (
    AddClass,
    FineTune,
    Gap,
    Label,
    LabelBack,
    NameUnknown,
    RemoveClass,
    RenameClass,
    Reset,
    SetSetting,
    Undo,
)
from tinyol_sim.errors import DeviceError, RecordingError
from tinyol_sim.recordings import read_recording, write_recording
from tinyol_sim.session_record import SessionRecord

BUNDLE = small_bundle()
NOISE = recording([(None, 4000)]).samples


class Life:
    """A told device and the recorder that listens to it."""

    def __init__(self) -> None:
        self.device = ToldDevice(BUNDLE)
        self.recorder = Recorder(identity_of(BUNDLE))
        self.fed = 0
        self.heard = 0

    def begin(self, *classes: str) -> None:
        for name in classes:
            self.device.do(AddClass(name))
        self.hear()
        self.recorder.begin(self.device.at, self.device.twin.classes)

    def feed(self, n: int) -> None:
        self.device.feed(NOISE[self.fed : self.fed + n])
        self.fed += n

    def hear(self) -> None:
        for event in self.device.events[self.heard :]:
            self.recorder.take(event)
        self.heard = len(self.device.events)

    def recording(self, **kwargs):
        self.device.flush()
        self.hear()
        return self.recorder.to_recording("life", **kwargs)

    def begin_session(self) -> bytes:
        self.hear()
        self.recorder.begin(self.device.at, self.device.twin.classes)
        return self.device.begin_session()

    def session(self, start: bytes) -> SessionRecord:
        end = self.device.twin.state
        self.device.flush()
        self.hear()
        return self.recorder.to_session(start, end, {"by": "tests"})


@pytest.fixture
def life() -> Life:
    return Life()


def runs(record) -> list[tuple[str | None, int]]:
    """(label, samples) one after the other."""
    names = [*record.label_names, None]
    found: list[tuple[str | None, int]] = []
    for index in record.labels.tolist():
        if found and found[-1][0] == names[index]:
            found[-1] = (names[index], found[-1][1] + 1)
        else:
            found.append((names[index], 1))
    return found


# --- recordings ----------------------------------------------------------------------------


def test_samples_come_out_as_they_went_in(life):
    life.begin()
    life.feed(101)
    record = life.recording()
    assert record.samples.tobytes() == NOISE[:101].tobytes()
    assert record.rate_hz == BUNDLE.pipeline.rate_hz
    assert runs(record) == [(None, 101)]
    assert not len(record.gaps)


def test_it_begins_where_it_is_told_to(life):
    life.feed(11)  # 8 are told, 3 are kept back
    life.hear()
    life.begin()
    life.feed(20)
    record = life.recording()
    assert record.samples.tobytes() == NOISE[11:31].tobytes()
    assert life.recorder.lost_samples == 0


def test_it_begins_at_a_sample_that_has_come_already(life):
    life.feed(20)
    life.device.flush()
    life.hear()
    life.recorder.begin(15, [])
    life.feed(5)
    assert life.recording().samples.tobytes() == NOISE[15:25].tobytes()


def test_a_label_holds_from_its_sample_to_the_next_command(life):
    life.begin("a", "b")
    life.feed(10)
    life.device.do(Label("a"))
    life.feed(13)
    life.device.do(Label("b"))
    life.feed(7)
    life.device.do(Label(None))
    life.feed(9)
    assert runs(life.recording()) == [(None, 10), ("a", 13), ("b", 7), (None, 9)]


def test_a_label_of_another_host_counts_too(life):
    life.begin("a")
    life.feed(10)
    life.device.do(Label("a"), own=False)
    life.feed(10)
    assert runs(life.recording()) == [(None, 10), ("a", 10)]
    assert life.recorder.others == 1
    assert life.recorder.own_label is None


def test_the_label_that_was_there_at_the_beginning(life):
    life.recorder.begin(0, ["x", "a"], "a", 3)
    life.feed(100)
    assert runs(life.recording()) == [
        ("a", WINDOW_LEN + 2 * HOP),
        (None, 100 - WINDOW_LEN - 2 * HOP),
    ]


@pytest.mark.parametrize("phase", range(HOP + 1))
def test_a_label_for_windows_covers_just_those_that_are_lessons(life, phase):
    life.begin("a")
    life.device.gap()  # from here on it is known where windows begin
    life.feed(30 + phase)
    life.device.do(Label("a", 4))
    life.feed(60)
    before, held, _ = (n for _, n in runs(life.recording()))
    first = min(k * HOP for k in range(100) if k * HOP >= 30 + phase)
    assert before == 30 + phase
    assert before + held == first + 3 * HOP + WINDOW_LEN


def test_windows_are_those_that_the_device_counted(life):
    life.begin("a")
    life.device.gap()
    life.feed(33)
    life.device.do(Label("a", 3))
    life.feed(14)
    life.device.gap()  # cuts a window short
    life.feed(60)
    labelled = sum(n for name, n in runs(life.recording()) if name == "a")
    again = ToldDevice(BUNDLE)
    again.twin.add_class("a")
    again.twin.feed(NOISE[:33])
    again.twin.label("a", 3)
    ends = []
    for part, gap in ((NOISE[33:47], False), (NOISE[47:107], True)):
        windows = again.twin.feed(part, gaps=[0] if gap else [])
        ends += windows.sample_index[windows.label >= 0].tolist()
    assert len(ends) == 3
    assert labelled == ends[-1] + 1 - 33


def test_a_new_label_cuts_a_counted_one_short(life):
    life.begin("a", "b")
    life.device.do(Label("a", 50))
    life.feed(20)
    life.device.do(Label("b", 1))
    life.feed(40)
    assert runs(life.recording()) == [("a", 20), ("b", WINDOW_LEN), (None, 40 - WINDOW_LEN)]


def test_late_labels_fill_what_has_none(life):
    life.begin("a", "b")
    life.device.do(Label("a"))
    life.feed(20)
    life.device.do(Label(None))
    life.feed(40)
    life.device.do(LabelBack("b", 2))
    life.feed(10)
    assert runs(life.recording()) == [
        ("a", 20),
        (None, 40 - WINDOW_LEN - HOP),
        ("b", WINDOW_LEN + HOP),
        (None, 10),
    ]


def test_classes_have_the_names_of_their_time(life):
    life.begin("a", "b")
    life.device.do(Label("b"))
    life.feed(8)
    life.device.do(RenameClass("b", "stuck"))
    life.feed(8)
    life.device.do(RemoveClass("a"))
    life.feed(8)
    life.device.do(AddClass("c"))
    life.device.do(Label("c"))
    life.feed(8)
    life.device.do(RemoveClass("c"))
    life.feed(8)
    assert runs(life.recording()) == [("b", 8), ("stuck", 16), ("c", 8), (None, 8)]


def test_gaps_are_kept(life):
    life.begin()
    life.device.gap()
    life.feed(10)
    life.device.gap()
    life.feed(10)
    life.device.turn(Opcode.FEED_BEGIN)
    life.feed(10)
    life.device.turn(Opcode.FEED_END)
    assert life.recording().gaps.tolist() == [10, 20]
    assert life.recorder.n_gaps == 2


def test_lost_samples_make_a_gap_and_are_counted(life):
    life.begin("a")
    life.feed(24)
    life.device.do(Label("a"))
    life.feed(16)
    del life.device.events[-2]  # samples 24 to 31; the label stays
    life.recorder.take(Log(1, 0, "no matter"))
    record = life.recording()
    assert life.recorder.lost_samples == 8
    assert record.gaps.tolist() == [24]
    assert runs(record) == [(None, 24), ("a", 8)]
    assert life.recorder.duration_s == pytest.approx(40 / BUNDLE.pipeline.rate_hz)


def test_a_sample_that_is_not_finite_becomes_a_gap(life, tmp_path):
    life.begin()
    life.feed(10)
    life.device.feed([[np.nan, 0, 1], [np.inf, 0, 0]])
    life.feed(10)
    life.device.feed([[2e4, 0, 1]])
    life.feed(3)
    record = life.recording()
    assert record.n_samples == 24
    assert record.gaps.tolist() == [10]
    assert life.recorder.refused_samples == 3
    write_recording(record, tmp_path / "a.csv")
    assert read_recording(tmp_path / "a.csv").samples.tobytes() == record.samples.tobytes()


def test_a_name_that_no_file_may_hold_is_replaced(life):
    life.recorder.begin(0, ["\u202eab", "\x1b[2Jlong", "  "], "\u202eab")
    for name in ("\x1b[2Jlong", "  "):
        life.feed(8)
        life.hear()
        life.recorder.known([name], name)
    life.feed(8)
    names = life.recording().label_names
    assert len(set(names)) == 3
    assert all(name.isprintable() for name in names)


def test_a_cut_at_the_end(life):
    life.begin("a")
    life.feed(50)
    life.device.do(Label("a"))
    life.device.gap()
    life.feed(50)
    record = life.recording(stop=60)
    assert runs(record) == [(None, 50), ("a", 10)]
    assert record.gaps.tolist() == [50]
    assert not len(life.recording(stop=50).gaps)


def test_a_restart_is_a_gap_and_asks_for_what_is_known(life):
    life.begin("a")
    life.feed(16)
    life.device.do(Label("a"))
    life.feed(8)
    life.hear()
    life.recorder.take(Lost(0))
    assert life.recorder.stale
    life.recorder.take(Samples(3, False, NOISE[:8]))
    life.recorder.known(["a"])
    life.recorder.take(Samples(11, False, NOISE[:8]))
    record = life.recorder.to_recording("life")
    assert record.n_samples == 40
    assert record.gaps.tolist() == [24]
    assert runs(record)[-1] == (None, 8)
    assert life.recorder.lost_samples == 0
    assert not life.recorder.stale


def test_after_a_reset_samples_count_anew_and_no_label_holds(life):
    life.begin("a")
    life.device.do(Label("a"))
    life.feed(20)
    life.device.do(Reset())
    life.feed(20)
    life.device.do(AddClass("b"))
    life.device.do(Label("b"))
    life.feed(8)
    record = life.recording()
    assert runs(record) == [("a", 20), (None, 20), ("b", 8)]
    assert not len(record.gaps)
    assert life.recorder.index_of(25) == 45


def test_a_label_that_is_taken_back_was_never_given(life):
    life.begin("a", "b")
    life.device.do(Label("a"))
    life.feed(30)
    life.device.do(Label("b"))
    life.feed(20)
    life.device.do(Undo())
    life.feed(10)
    life.device.do(Label("b"))
    life.feed(8)
    assert runs(life.recording()) == [("a", 30), (None, 30), ("b", 8)]


def test_a_late_label_that_is_taken_back_was_never_given(life):
    life.begin("a", "b")
    life.feed(WINDOW_LEN + 4 * HOP)
    life.device.do(LabelBack("b", 5))
    life.device.do(Undo())
    life.feed(8)
    life.device.do(LabelBack("a", 1))
    assert {label for label, _ in runs(life.recording())} == {None, "a"}


def test_a_label_that_something_else_was_taken_back_under_stays_up_to_there(life):
    life.begin("a")
    life.device.do(Label("a"))
    life.feed(20)
    life.device.do(FineTune(5))
    life.feed(10)
    life.device.do(Undo())
    life.feed(10)
    assert runs(life.recording()) == [("a", 30), (None, 10)]
    life.hear()
    assert life.recorder.own_label is None


def test_classes_come_back_with_an_undo(life):
    life.begin("a", "b", "c")
    life.device.do(RemoveClass("a"))
    life.device.do(RenameClass("b", "x"))
    life.device.do(Undo())
    life.device.do(Label("c"))
    life.feed(8)
    assert runs(life.recording()) == [("c", 8)]
    assert not life.recorder.stale


def test_what_was_done_before_the_recording_is_asked_for_anew(life):
    life.device.do(AddClass("a"))
    life.device.do(AddClass("b"))
    life.device.do(RemoveClass("a"))
    life.begin()
    assert not life.recorder.stale
    life.device.do(Undo())
    life.hear()
    assert life.recorder.stale
    life.recorder.known(life.device.twin.classes)
    life.device.do(Label("b"))
    life.feed(8)
    assert runs(life.recording()) == [("b", 8)]


def test_a_reset_that_is_taken_back_in_a_session(life):
    life.feed(40)
    start = life.begin_session()
    life.device.do(AddClass("a"))
    life.device.do(Label("a"))
    life.feed(53)
    life.device.gap()
    life.device.do(Reset())
    life.device.gap()
    life.feed(50)
    life.device.do(Undo())
    life.feed(50)
    life.device.do(Label("a"))
    life.feed(50)
    record = life.session(start)
    assert record.n_samples == 203
    assert not record.lost
    assert verify_session(record, BUNDLE).difference is None


def test_a_name_for_an_unknown_event_is_a_class_from_then_on(life):
    life.begin("a")
    life.device.do(SetSetting("unknown.windows", 1.0))
    life.device.do(Label("a"))
    life.feed(200)
    life.device.do(Label(None))
    life.device.feed(100 * NOISE[:40])
    life.device.do(NameUnknown(1, "new"))
    life.device.do(Label("new"))
    life.feed(8)
    assert runs(life.recording())[-1] == ("new", 8)
    assert not life.recorder.stale


def test_own_label_is_what_has_to_be_ended(life):
    life.begin("a", "b")
    assert life.recorder.own_label is None
    life.device.do(Label("a"))
    life.hear()
    assert life.recorder.own_label == "a"
    life.device.do(Label("b", 5))
    life.hear()
    assert life.recorder.own_label is None
    life.recorder.begin(0, ["a"], "a", own=True)
    assert life.recorder.own_label == "a"
    life.recorder.known(["a"], "a")
    assert life.recorder.own_label is None


# --- sessions ------------------------------------------------------------------------------


def test_a_session_is_lived_again_to_the_last_bit(life, tmp_path):
    life.begin("old")
    life.device.do(Label("old"))
    life.feed(99)
    start = life.begin_session()
    life.feed(30)
    life.device.do(AddClass("a"))
    life.device.do(Label("a", 5))
    life.feed(101)
    life.device.gap()
    life.device.do(SetSetting("classifier.learning_rate", 0.125), own=False)
    life.device.do(FineTune(7))
    life.feed(40)
    life.device.do(LabelBack("old", 3))
    life.device.do(RenameClass("a", "an a"))
    life.device.feed([[np.nan] * 3, [1e9, 0, 0]])
    life.feed(55)
    life.session(start).save(tmp_path / "s")
    record = SessionRecord.load(tmp_path / "s")
    assert record.n_samples == 30 + 101 + 40 + 2 + 55
    assert (131, SetSetting("classifier.learning_rate", 0.125)) in record.commands
    assert record.lost == ()
    assert record.meta == {"by": "tests"}
    verdict = verify_session(record, BUNDLE)
    assert verdict.difference is None
    assert verdict.updates > 7


def test_one_wrong_sample_is_found(life):
    start = life.begin_session()
    life.feed(100)
    record = life.session(start)
    record.samples[50] += 1
    assert not verify_session(record, BUNDLE).identical


def test_what_came_after_the_end_image_is_left_out(life):
    start = life.begin_session()
    life.feed(83)
    end = life.device.twin.state
    life.device.gap()
    life.feed(30)
    life.device.do(FineTune(3))
    life.device.flush()
    life.hear()
    record = life.recorder.to_session(start, end)
    assert record.n_samples == 83
    assert verify_session(record, BUNDLE).identical


@pytest.mark.parametrize("image_first", [True, False])
def test_a_gap_at_the_very_end_counts_if_the_image_counts_it(life, image_first):
    start = life.begin_session()
    life.device.turn(Opcode.FEED_BEGIN)
    life.feed(50)
    image = life.device.twin.state
    life.device.turn(Opcode.FEED_END)
    life.hear()
    end = image if image_first else life.device.twin.state
    record = life.recorder.to_session(start, end)
    assert sum(isinstance(command, Gap) for _, command in record.commands) == 3 - image_first
    assert verify_session(record, BUNDLE).identical


def test_a_reset_in_a_session(life):
    life.feed(40)
    start = life.begin_session()
    life.feed(53)
    life.device.gap()
    life.device.do(Reset())
    life.device.gap()
    life.feed(50)
    life.device.do(AddClass("a"))
    life.device.do(Label("a"))
    life.feed(50)
    record = life.session(start)
    assert [index for index, command in record.commands if isinstance(command, Reset)] == [53]
    assert verify_session(record, BUNDLE).difference is None


def _ways_to_spoil():
    def lose_samples(life):
        life.feed(20)
        life.device.flush()
        del life.device.events[-2:]
        life.feed(8)

    return {
        "samples? got lost": lose_samples,
        "events were lost": lambda life: life.recorder.take(Lost(1)),
        "state image": lambda life: life.device.changed(Opcode.IMAGE_COMMIT, own=False),
        "another host began a session": lambda life: life.device.changed(
            Opcode.SESSION_BEGIN, b"\x06", own=False
        ),
        "could not be understood": lambda life: life.device.changed(99),
        "restarted": lambda life: life.device.events.append(Samples(0, False, NOISE[:8])),
    }


@pytest.mark.parametrize("what", _ways_to_spoil())
def test_a_session_that_is_not_whole_says_so(life, what):
    life.feed(30)
    start = life.begin_session()
    life.feed(20)
    life.hear()
    _ways_to_spoil()[what](life)
    life.feed(30)
    record = life.session(start)
    assert record.lost
    with pytest.raises(RecordingError, match=what):
        verify_session(record, BUNDLE)


def test_a_session_without_an_end_image_cannot_be_verified(life, tmp_path):
    start = life.begin_session()
    life.feed(20)
    life.hear()
    life.recorder.to_session(start, None).save(tmp_path / "s")
    record = SessionRecord.load(tmp_path / "s")
    assert record.n_samples == 16
    with pytest.raises(RecordingError, match="from the end"):
        verify_session(record, BUNDLE)


_COMMANDS = st.one_of(
    st.builds(AddClass, st.sampled_from(["a", "b", "c"])),
    st.builds(RenameClass, st.sampled_from(["a", "b"]), st.sampled_from(["c", "d"])),
    st.builds(RemoveClass, st.sampled_from(["a", "b", "c", "d"])),
    st.builds(Label, st.sampled_from(["a", "b", "d", None]), st.sampled_from([None, 0, 1, 3])),
    st.builds(LabelBack, st.sampled_from(["a", "c"]), st.integers(1, 9)),
    st.builds(FineTune, st.sampled_from([None, 0, 5])),
    st.builds(SetSetting, st.just("anomaly.threshold"), st.floats(0, 10, width=32)),
    st.just(Reset()),
    st.builds(NameUnknown, st.integers(1, 3), st.sampled_from(["a", "e"])),
    st.just(Undo()),
)
_HAPPENINGS = st.lists(
    st.one_of(
        st.integers(1, 40),
        _COMMANDS,
        st.just(Undo()),
        st.sampled_from([Gap(), Opcode.FEED_BEGIN, Opcode.FEED_END, float("nan")]),
    ),
    max_size=30,
)


@settings(max_examples=60, deadline=None)
@given(before=_HAPPENINGS, after=_HAPPENINGS)
def test_whatever_happens_the_twin_can_live_it_again(before, after):
    life = Life()
    start = b""
    life.device.do(SetSetting("unknown.windows", 1.0))
    for stage in (before, after):
        for thing in stage:
            if isinstance(thing, Opcode):
                life.device.turn(thing)
            elif isinstance(thing, int):
                life.feed(thing)
            elif isinstance(thing, float):
                life.device.feed([[thing, 0, 0]])
            elif isinstance(thing, Gap):
                life.device.gap()
            else:
                try:
                    life.device.do(thing)
                except DeviceError:
                    continue
        if stage is before:
            start = life.begin_session()
    record = life.session(start)
    assert verify_session(record, BUNDLE).difference is None
    assert life.recorder.to_recording("any").n_samples <= record.n_samples


# --- the label column alone ----------------------------------------------------------------


@given(
    st.integers(1, 9),
    st.integers(1, 9),
    st.integers(0, 60),
    st.integers(1, 12),
    st.lists(st.integers(0, 120), max_size=4),
)
def test_the_end_of_the_nth_window_is_where_counting_finds_it(length, hop, start, n, restarts):
    plan, stop = WindowPlan(length, hop), 150
    restarts = sorted({*restarts, 0})
    expected, seen, due, since = stop, 0, length, 0
    for index in range(stop):
        if index in restarts:
            due, since = length, 0
        since, due = since + 1, due - 1
        if due == 0:
            due = hop
            seen += index + 1 - length >= start
            if seen == n:
                expected = index + 1
                break
    assert plan.end_of(start, n, restarts, stop) == expected


def test_commands_behind_the_last_sample_label_nothing():
    plan = WindowPlan(4, 2)
    labels, names = label_column(5, [(5, Label("a")), (7, Label("b", 3))], [], plan)
    assert labels.tolist() == [-1] * 5
    assert names == ()


def test_changes_without_a_payload_are_no_commands():
    recorder = Recorder(identity_of(BUNDLE))
    recorder.begin(0, ["a"])
    assert recorder.take(Changed(Opcode.LABEL, True, 0, b"")) is None
    assert recorder.stale
