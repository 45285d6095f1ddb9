"""What a device notices by itself, over the wire: notices, unknown states, what is normal.

What must be told is worked out from the streamed predictions alone.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace

import numpy as np
import pytest
from board_in_process import LOG, NOTICE, OK, PREDICTION, Board, feed, name, noise, refused
from numpy.typing import NDArray
from small_replay import small_bundle
from wire_by_hand import (
    CALIBRATE,
    CLASS_ADD,
    CLASS_STATUS,
    CLASS_WEIGHT,
    FEED_BEGIN,
    LABEL,
    RELEARN,
    RESET,
    SETTING_SET,
    UNKNOWN_NAME,
    UNKNOWNS,
    WATCH,
)

from tinyol_host import requests
from tinyol_host.events import Notice, NoticeKind, Prediction, parse_event
from tinyol_host.paged_replies import ClassStatus, ClassStatusPage
from tinyol_host.protocol import Message
from tinyol_host.watch_replies import Unknowns, Watch
from tinyol_sim.settings import SETTINGS
from tinyol_sim.twin import Twin

STREAM, CLASSES_LIST = 24, 12
NOT_FINITE, FULL, NOT_FOUND, EXISTS, BAD_NAME, BAD_VALUE, MALFORMED, BUSY = (
    *(-1, -2, -3, -4, -5, -6),
    *(-15, -17),
)
PREDICTIONS_LOG_NOTICES = b"\x19"
RAISE, CLEAR, UNKNOWN_WINDOWS = 3, 5, 5  # as settings.cpp begins
LESSONS = 40
QUIET_G, LOUD_G = 0.05, 2.0
Samples = NDArray[np.float32]


def machine(windows: int, size: float = QUIET_G, tilt_deg: float = 0.0, seed: int = 0) -> Samples:
    """So many hops of a machine that shakes evenly, under gravity."""
    angle = np.radians(tilt_deg)
    gravity = [0.0, np.sin(angle), np.cos(angle)]
    return (size / 0.3 * noise(5 * windows, seed) + gravity).astype(np.float32)


def new_board(max_message: int = 512) -> Board:
    board = Board(max_message=max_message)
    board.hello()
    assert board.ask(STREAM, PREDICTIONS_LOG_NOTICES).status == OK
    return board


def set_to(board: Board, setting: str, value: float) -> None:
    assert board.ask(SETTING_SET, struct.pack("<HHf", SETTINGS[setting].id, 0, value)).status == OK


def hold_fast(board: Board) -> None:
    """Loud noise has means of its own: they are not to look as if the sensor had moved."""
    set_to(board, "drift.tilt_deg", 60.0)
    set_to(board, "drift.level_g", 10.0)


def with_a_class(board: Board) -> None:
    """Class 0, taught what the quiet machine is like."""
    hold_fast(board)
    board.ask(CLASS_ADD, name("normal"))
    board.ask(LABEL, struct.pack("<hHI", 0, 0, LESSONS))
    board.sense(machine(LESSONS + 3))


def told(board: Board) -> list[Prediction | Notice]:
    """Predictions and notices, in their order; told() of the board forgets them."""
    board.replies()
    found = []
    for event in board.events:
        if event.opcode in (PREDICTION, NOTICE):
            message = Message(3, event.opcode, event.session, event.sequence, 77, event.body)
            parsed = parse_event(message)
            assert isinstance(parsed, Prediction | Notice)
            found.append(parsed)
    board.events = [event for event in board.events if event.opcode not in (PREDICTION, NOTICE)]
    return found


def watched(board: Board) -> Watch:
    reply = board.ask(WATCH)
    assert reply.status == OK
    return Watch.from_bytes(reply.next_sample, reply.body)


def unknowns(board: Board) -> Unknowns:
    reply = board.ask(UNKNOWNS)
    assert reply.status == OK
    return Unknowns.from_bytes(reply.next_sample, reply.body)


def classes(board: Board) -> tuple[ClassStatus, ...]:
    return ClassStatusPage.from_bytes(board.ask(CLASS_STATUS, b"\0\0").body).classes


@dataclass
class Run:
    """Windows in a row that make an event, and others that end it."""

    kind: NoticeKind
    begins_after: int
    ends_after: int
    counts_from_first: bool  # the event began with the first of them, not with the last
    stands: bool = False
    yes: int = 0
    no: int = 0
    row: tuple[int, float] = (0, 0.0)  # first sample and peak of those in a row
    event: Notice | None = None

    def window(self, at: int, holds: bool, size: float, goes_on: bool) -> list[Notice]:
        """`holds`: the window speaks for an event; `goes_on`: it is counted in one that stands."""
        self.yes, self.no = (self.yes + 1, 0) if holds else (0, self.no + 1)
        if holds and not self.stands:
            first, peak = self.row if self.yes > 1 else (at, 0.0)
            self.row = (first, max(peak, size))
        if not self.stands and self.yes >= self.begins_after:
            self.stands = True
            first, peak, n = (*self.row, self.yes) if self.counts_from_first else (at, size, 1)
            number = self.event.number + 1 if self.event else 1
            self.event = Notice(self.kind, True, None, number, first, at, n, peak)
            return [self.event]
        if self.event is None or not self.stands:
            return []
        if self.no >= self.ends_after:
            self.stands, self.yes = False, 0
            return [replace(self.event, began=False)]
        if goes_on:
            self.event = replace(
                self.event,
                last_sample=at,
                windows=self.event.windows + 1,
                size=max(self.event.size, size),
            )
        return []


def due(events: list[Prediction | Notice]) -> list[Prediction | Notice]:
    """The predictions, and behind each the notices of alarms and unknown states due then."""
    alarm = Run(NoticeKind.ALARM, RAISE, CLEAR, counts_from_first=False)
    unknown = Run(NoticeKind.UNKNOWN, UNKNOWN_WINDOWS, UNKNOWN_WINDOWS, counts_from_first=True)
    found: list[Prediction | Notice] = []
    for p in events:
        if not isinstance(p, Prediction):
            continue
        is_unknown = p.novelty > 1 and p.label < 0
        assert (p.anomaly, p.unknown) == (p.score > 1, is_unknown)
        found += [
            p,
            *alarm.window(p.sample_index, p.anomaly, p.score, goes_on=True),
            *unknown.window(p.sample_index, is_unknown, p.novelty, goes_on=is_unknown),
        ]
        assert p.alarm == alarm.stands
    return found


# --- alarms and unknown states ---------------------------------------------------------------


def test_alarms_and_unknown_states_are_told_as_they_begin_and_end() -> None:
    board = new_board()
    with_a_class(board)
    set_to(board, "drift.lambda", 0.0)
    for round_ in range(3):
        board.sense(machine(9 + 25 * round_, LOUD_G, seed=7))  # more than vectors are kept
        board.sense(machine(2, seed=8))  # too short to end anything
        board.sense(machine(4, LOUD_G, seed=9))
        board.sense(machine(20, seed=10))
    events = told(board)
    expected = due(events)
    notices = [event for event in expected if isinstance(event, Notice)]
    assert [(n.kind, n.began, n.number) for n in notices] == [
        (kind, began, number)
        for number in (1, 2, 3)
        for began in (True, False)
        for kind in (NoticeKind.ALARM, NoticeKind.UNKNOWN)
    ]
    assert events == expected
    lines = [body[12:].decode() for body in board.told(LOG)]
    assert len(lines) == len(set(lines)) == 2  # each kind once in 1,000 samples at most
    assert {line.split(":")[0] for line in lines} == {"alarm", "unknown"}


def test_nothing_is_noticed_of_what_is_labelled() -> None:
    board = new_board()
    with_a_class(board)
    board.ask(LABEL, struct.pack("<hHI", 0, 0, 30))
    board.sense(machine(20, LOUD_G))
    events = told(board)
    assert any(isinstance(event, Prediction) and event.novelty > 1 for event in events)
    assert not any(event.kind == NoticeKind.UNKNOWN for event in events if type(event) is Notice)
    assert unknowns(board) == Unknowns(5 * (LESSONS + 23), 0, ())


def test_who_does_not_want_notices_is_not_told() -> None:
    board = new_board()
    board.ask(STREAM, b"\x01")
    board.hello(link=1, nonce=2)
    board.ask(STREAM, b"\x10", link=1)
    with_a_class(board)
    board.sense(machine(10, LOUD_G))
    assert board.told(NOTICE) == []
    assert board.told(PREDICTION)
    assert [body[:2] for body in board.told(NOTICE, link=1)] == [b"\1\1", b"\2\1"]
    assert board.told(PREDICTION, link=1) == []


# --- drift -----------------------------------------------------------------------------------


def test_a_sensor_that_is_turned_has_moved_until_it_is_turned_back() -> None:
    board = new_board()
    board.sense(machine(40))
    assert told(board)
    before = watched(board)
    assert not before.moved
    assert before.tilt_deg < 0.5
    np.testing.assert_allclose(before.gravity_reference, [0, 0, 1], atol=0.02)
    board.sense(machine(60, tilt_deg=20.0))
    (began,) = [event for event in told(board) if isinstance(event, Notice)]
    assert (began.kind, began.began, began.windows) == (NoticeKind.MOVED, True, 1)
    assert began.first_sample == began.last_sample
    assert SETTINGS["drift.tilt_deg"].initial < began.size < 20
    now = watched(board)
    assert now.moved
    assert now.tilt_deg == pytest.approx(20, abs=1.5)
    np.testing.assert_allclose(now.gravity, [0, 0.342, 0.940], atol=0.03)
    assert now.gravity_reference == before.gravity_reference
    board.sense(machine(100))
    (ended,) = [event for event in told(board) if isinstance(event, Notice)]
    assert (ended.kind, ended.began) == (NoticeKind.MOVED, False)
    assert 0 < ended.size < SETTINGS["drift.tilt_deg"].initial
    assert not watched(board).moved
    (line,) = [body[12:].decode() for body in board.told(LOG)]
    assert line.startswith("moved: ")


def test_an_error_that_has_risen_is_told_once_with_the_class_it_is_taken_for() -> None:
    board = new_board()
    set_to(board, "drift.lambda", 5.0)
    set_to(board, "anomaly.raise_windows", 1000.0)
    set_to(board, "anomaly.learn", 0.0)
    board.ask(CLASS_ADD, name("x"))
    with_a_class(board)  # index 0 is x, which learns
    # What is normal does not learn by itself now: it is taken from a calibration.
    board.ask(CALIBRATE, struct.pack("<II", 0, 40))
    board.sense(machine(45))
    told(board)
    board.sense(machine(30, LOUD_G, seed=3))
    events = told(board)
    (changed,) = [e for e in events if isinstance(e, Notice) and e.kind == NoticeKind.CHANGED]
    before = [e for e in events[: events.index(changed)] if isinstance(e, Prediction)][-1]
    assert (changed.began, changed.number, changed.windows) == (True, 0, 1)
    assert changed.first_sample == changed.last_sample == before.sample_index
    assert changed.class_index == before.predicted == 0
    assert 5.0 < changed.size <= 10.0
    now = watched(board)
    assert now.changed
    assert now.up > 5.0
    assert now.down == 0.0
    assert any(b"changed: " in body for body in board.told(LOG))


# --- what is normal --------------------------------------------------------------------------


def test_a_calibration_takes_anew_what_is_normal_and_where_down_is() -> None:
    board = new_board()
    hold_fast(board)
    board.sense(machine(40))
    board.sense(machine(10, LOUD_G))
    assert watched(board).alarm
    alarms = watched(board).alarms
    told(board)
    board.hello(link=1, nonce=2)
    assert board.ask(CALIBRATE, struct.pack("<II", 7, 50), link=1).status == OK
    begun = watched(board)
    assert (begun.calibration_steps_left, begun.calibration_windows_left) == (7, 50)
    board.sense(machine(27, LOUD_G, tilt_deg=30.0, seed=2))
    halfway = watched(board)
    assert (halfway.calibration_steps_left, halfway.calibration_windows_left) == (0, 30)
    assert not halfway.alarm
    events = told(board)
    assert all(p.score == 0 and not p.alarm for p in events if isinstance(p, Prediction))
    assert [(n.kind, n.began) for n in events if isinstance(n, Notice)] == [
        (NoticeKind.ALARM, False)
    ]
    board.sense(machine(30, LOUD_G, tilt_deg=30.0, seed=3))
    last, calibrated = told(board)[-2:]
    assert isinstance(last, Prediction)
    at = last.sample_index
    assert calibrated == Notice(NoticeKind.CALIBRATED, False, None, 0, at, at, 1, 0.0)
    after = watched(board)
    assert (after.normal_windows, after.calibration_windows_left) == (50, 0)
    assert after.alarms == alarms
    assert after.limit > 0
    board.sense(machine(30, LOUD_G, tilt_deg=30.0, seed=4))
    np.testing.assert_allclose(watched(board).gravity_reference, [0, 0.5, 0.866], atol=0.5)
    events = told(board)
    # What was an alarm is normal here, and has not moved.
    assert not any(isinstance(event, Notice) for event in events)
    assert np.mean([p.anomaly for p in events if isinstance(p, Prediction)]) < 0.2


def test_a_calibration_can_be_ended_and_needs_enough_windows() -> None:
    board = new_board()
    board.sense(machine(40))
    before = watched(board)
    assert refused(board.ask(CALIBRATE, struct.pack("<II", 0, 29))) == (BAD_VALUE, "windows")
    assert refused(board.ask(CALIBRATE, struct.pack("<I", 0)))[0] == MALFORMED
    assert board.ask(CALIBRATE, struct.pack("<II", 100, 30)).status == OK
    board.sense(machine(5, LOUD_G))
    assert board.ask(CALIBRATE, bytes(8)).status == OK
    after = watched(board)
    assert (after.calibration_steps_left, after.calibration_windows_left) == (0, 0)
    assert (after.normal_windows, after.mean) == (before.normal_windows, before.mean)


def test_the_score_is_of_the_last_window_since_the_state_began() -> None:
    board = new_board()
    assert watched(board).score == 0
    board.sense(machine(60))
    last = told(board)[-1]
    assert isinstance(last, Prediction)
    assert watched(board).score == last.score > 0
    board.ask(RESET)
    assert watched(board) == replace(watched(new_board()), at=0)


def test_all_of_it_is_the_twins() -> None:
    board, twin = new_board(), Twin(small_bundle())
    with_a_class(board)
    twin.set("drift.tilt_deg", 60.0)
    twin.set("drift.level_g", 10.0)
    twin.add_class("normal")
    twin.label("normal", LESSONS)
    twin.feed(machine(LESSONS + 3))
    x = np.concatenate([machine(9, LOUD_G), machine(12, tilt_deg=30.0), machine(4, LOUD_G)])
    board.sense(x)
    windows = twin.feed(x)
    mine, theirs = watched(board), twin.watch()
    for field in ("normal_windows", "limit", "alarms", "alarm", "moved", "changed", "tilt_deg"):
        assert getattr(mine, field) == getattr(theirs, field), field
    for field in ("mean", "covariance", "gravity_reference", "gravity", "up", "down"):
        assert np.array_equal(np.float32(getattr(mine, field)), getattr(theirs, field)), field
    assert mine.score == windows.score[-1]
    assert mine.unknown == windows.unknown[-1]
    assert mine.tilt_deg > 1
    status = twin.class_status()
    assert [ClassStatus(c.lessons, c.weight, c.limit) for c in status] == list(classes(board))
    kept = [
        (e.number, e.first_sample, e.last_sample, e.windows, e.peak_novelty, e.named, e.kept)
        for e in twin.unknowns()
    ]
    assert kept == [
        (e.number, e.first_sample, e.last_sample, e.windows, e.peak_novelty, e.named, e.kept)
        for e in unknowns(board).latest
    ]
    assert kept


# --- classes ---------------------------------------------------------------------------------


def test_an_unknown_state_gets_a_name_and_is_known() -> None:
    board = new_board()
    with_a_class(board)
    board.sense(machine(12, LOUD_G, seed=1))
    found = unknowns(board)
    (event,) = found.latest
    assert (found.count, event.number, event.open, event.named) == (1, 1, True, False)
    assert 5 <= event.kept <= event.windows <= 12
    first, last = told(board)[0], told(board)
    assert isinstance(first, Prediction)
    assert last == []
    board.hello(link=1, nonce=2)
    reply = board.ask(UNKNOWN_NAME, requests.unknown_name(1, "loud"), link=1)
    assert (reply.status, reply.body) == (OK, struct.pack("<HH", 1, event.kept))
    (same,) = unknowns(board).latest
    assert same == replace(event, named=True, open=False)
    assert [c.lessons for c in classes(board)] == [LESSONS, event.kept]
    board.sense(machine(10, LOUD_G, seed=2))
    predictions = [event for event in told(board) if isinstance(event, Prediction)]
    assert np.mean([p.predicted == 1 for p in predictions[2:]]) > 0.7
    # Another one of the same name is more of the same class.
    board.sense(machine(10))
    board.sense(machine(12, 40 * LOUD_G, seed=3))
    assert unknowns(board).latest[0].number == 2
    (kept,) = [event.kept for event in unknowns(board).latest if event.number == 2]
    before = classes(board)[1].lessons
    reply = board.ask(UNKNOWN_NAME, requests.unknown_name(2, "loud"))
    assert (reply.status, reply.body) == (OK, struct.pack("<HH", 1, kept))
    assert classes(board)[1].lessons == before + kept


def test_an_event_is_named_once_while_it_is_kept() -> None:
    board = new_board()
    with_a_class(board)
    for seed in range(3):
        board.sense(machine(8, LOUD_G * 10**seed, seed=seed))
        board.sense(machine(12, seed=seed))
    found = unknowns(board)
    assert (found.count, [event.number for event in found.latest]) == (3, [3, 2])
    assert not any(event.open for event in found.latest)
    before = board.state()
    for number, text, why in (
        (1, "a", (NOT_FOUND, "event")),
        (0, "a", (NOT_FOUND, "event")),
        (4, "a", (NOT_FOUND, "event")),
        (2, "", (BAD_NAME, "class name")),
        (2, "x" * 16, (BAD_NAME, "class name")),
    ):
        reply = board.ask(UNKNOWN_NAME, requests.unknown_name(number, text))
        assert refused(reply) == why, (number, text)
    assert board.ask(UNKNOWN_NAME, requests.unknown_name(2, "a") + b"\0").status == MALFORMED
    assert board.state() == before
    assert board.ask(UNKNOWN_NAME, requests.unknown_name(2, "a")).status == OK
    assert refused(board.ask(UNKNOWN_NAME, requests.unknown_name(2, "b"))) == (EXISTS, "event")
    for text in ("b", "c"):
        board.ask(CLASS_ADD, name(text))
    assert board.ask(UNKNOWN_NAME, requests.unknown_name(3, "d")).status == FULL
    assert not unknowns(board).latest[0].named
    assert board.ask(UNKNOWN_NAME, requests.unknown_name(3, "a")).status == OK


def test_a_class_begins_anew_and_the_others_stay() -> None:
    board = new_board()
    with_a_class(board)
    board.ask(CLASS_ADD, name("loud"))
    board.ask(LABEL, struct.pack("<hHI", 1, 0, 20))
    board.sense(machine(25, LOUD_G))
    loud = classes(board)[1]
    board.sense(machine(15, 3 * QUIET_G))
    reply = board.ask(RELEARN, struct.pack("<hH", 0, 12))
    assert (reply.status, reply.body) == (OK, struct.pack("<HH", 12, 0))
    assert classes(board)[0].lessons == 12
    assert classes(board)[1] == loud
    before = board.state()
    for payload, why in (
        (struct.pack("<hH", 2, 5), (NOT_FOUND, "class")),
        (struct.pack("<hH", -1, 5), (NOT_FOUND, "class")),
        (struct.pack("<hH", 0, 0), (BAD_VALUE, "windows")),
        (b"\0\0\1", (MALFORMED, "payload")),
    ):
        assert refused(board.ask(RELEARN, payload)) == why, payload
    assert board.state() == before
    fresh = new_board()
    fresh.ask(CLASS_ADD, name("a"))
    assert refused(fresh.ask(RELEARN, struct.pack("<hH", 0, 5))) == (NOT_FOUND, "windows")


def test_a_class_has_a_weight_until_it_is_changed() -> None:
    board = new_board()
    with_a_class(board)
    board.ask(CLASS_ADD, name("b"))
    assert [c.weight for c in classes(board)] == [1.0, 1.0]
    assert board.ask(CLASS_WEIGHT, struct.pack("<HHf", 1, 0, 0.125)).status == OK
    before = board.state()
    for index, value in ((0, 0.0), (0, -1.0), (0, 2e6), (0, np.nan), (0, np.inf)):
        reply = board.ask(CLASS_WEIGHT, struct.pack("<HHf", index, 0, value))
        assert reply.status in (BAD_VALUE, NOT_FINITE), value
    assert refused(board.ask(CLASS_WEIGHT, struct.pack("<HHf", 2, 0, 1)))[0] == NOT_FOUND
    assert board.ask(CLASS_WEIGHT, struct.pack("<HHf", 0, 1, 1)).status == MALFORMED
    assert board.state() == before
    assert [c.weight for c in classes(board)] == [1.0, 0.125]


def test_while_another_link_feeds_one_may_look_but_not_touch() -> None:
    board = new_board()
    with_a_class(board)
    board.hello(link=1, nonce=2)
    board.ask(FEED_BEGIN, link=1)
    board.ask(29, feed(machine(8, LOUD_G)), link=1)
    before = board.state()
    for opcode, payload in (
        (RELEARN, struct.pack("<hH", 0, 5)),
        (CLASS_WEIGHT, struct.pack("<HHf", 0, 0, 2)),
        (CALIBRATE, struct.pack("<II", 0, 30)),
        (UNKNOWN_NAME, requests.unknown_name(1, "a")),
    ):
        assert refused(board.ask(opcode, payload)) == (BUSY, "feeding"), opcode
    for opcode, payload in ((UNKNOWNS, b""), (WATCH, b""), (CLASS_STATUS, b"\0\0")):
        assert board.ask(opcode, payload).status == OK
        assert board.ask(opcode, payload + b"\0").status == MALFORMED
    assert board.state() == before


def test_all_of_it_fits_the_smallest_link() -> None:
    board = Board(max_message=136, model=small_bundle(max_classes=20).model_image)
    board.hello()
    board.ask(STREAM, b"\x1f")
    for i in range(18):
        board.ask(CLASS_ADD, name(f"class {i}"))
    board.ask(LABEL, struct.pack("<hHI", 0, 0, LESSONS))
    board.sense(machine(LESSONS + 3))
    for i in range(2):
        board.sense(machine(10, LOUD_G, seed=i))
        board.sense(machine(10, seed=i))
    assert [n.began for n in told(board) if isinstance(n, Notice)].count(True) >= 4
    assert len(unknowns(board).latest) == 2
    assert watched(board).normal_windows > 30
    found: list[ClassStatus] = []
    while len(found) < 18:
        body = board.ask(CLASS_STATUS, requests.class_status(len(found))).body
        page = ClassStatusPage.from_bytes(body)
        assert page.total == 18
        assert len(page.classes) == min(8, 18 - len(found))
        found += page.classes
    assert [status.lessons for status in found] == [LESSONS] + [0] * 17
    assert [status.limit > 0 for status in found] == [True] + [False] * 17
