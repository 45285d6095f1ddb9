"""One step back: what returns, what goes on, what is told of it, whatever came in between."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from small_replay import small_bundle

from tinyol_sim.bundle import Bundle
from tinyol_sim.errors import DeviceError, TinyOLError
from tinyol_sim.twin import Twin
from tinyol_sim.undone import Undone

Act = Callable[[Twin], object]
NOTHING = "nothing to take back"
COUNTED = ("samples", "windows", "gaps", "refused_samples", "refused_windows")


def noise(n: int, seed: int, spread: float = 0.3) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(0, spread, (n, 3)).astype(np.float32)


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return small_bundle()


@pytest.fixture
def twin(bundle: Bundle) -> Twin:
    """Two classes with 40 lessons, fine-tuned, and an unknown event that waits for a name."""
    twin = Twin(bundle)
    twin.set("unknown.windows", 1)
    for seed, name in enumerate(("calm", "loud")):
        twin.add_class(name)
        twin.label(name, 40)
        twin.feed(noise(700, seed, 0.1 + seed), gaps=[0])
    twin.fine_tune(20)
    twin.feed(noise(400, 3, 0.1))
    twin.label(None)
    twin.feed(noise(200, 4, 30.0))
    assert twin.unknowns()
    return twin


ACTS: dict[str, Act] = {
    "label": lambda t: t.label("loud", 20),
    "label_back": lambda t: t.label_back("calm", 9),
    "relearn": lambda t: t.relearn("loud", 12),
    "name_unknown": lambda t: t.name_unknown(t.unknowns()[0].number, "new"),
    "fine_tune": lambda t: t.fine_tune(15),
    "calibrate": lambda t: t.calibrate(30, 5),
    "remove_class": lambda t: t.remove_class("calm"),
    "reset": lambda t: t.reset(),
}
ABOUT = {
    **{"label": "loud", "label_back": "calm", "relearn": "loud", "name_unknown": "new"},
    **{"remove_class": "calm"},
}


def counters_of(image: bytes) -> tuple[int, ...]:
    return struct.unpack_from("<QQIII", image, image.index(b"COUN") + 8)


def with_counters(image: bytes, counters: tuple[int, ...]) -> bytes:
    """The same state at another time."""
    at = image.index(b"COUN") + 8
    body = image[:at] + struct.pack("<QQIII", *counters) + image[at + 28 : -4]
    return body + struct.pack("<I", zlib.crc32(body))


def after_undo(kept: bytes, now: bytes, what: str) -> bytes:
    """What a device in state `now` must become that goes back to `kept`."""
    then, since = counters_of(kept), counters_of(now)
    if what == "reset":  # samples and windows before it and behind it
        since = (then[0] + since[0], then[1] + since[1], *since[2:])
    return with_counters(kept, since)


@pytest.mark.parametrize("what", ACTS)
def test_all_but_the_counters_returns(twin: Twin, what: str) -> None:
    kept = twin.state
    asked_at = twin.counters()["samples"]
    ACTS[what](twin)
    twin.feed(noise(333, 9), gaps=[0])
    now, before = twin.state, twin.counters()
    assert now != after_undo(kept, now, what)  # there is something to take back
    undone = twin.undo()
    assert twin.state == after_undo(kept, now, what)
    assert (undone.what, undone.class_name, undone.at) == (what, ABOUT.get(what), asked_at)
    after = twin.counters()
    if what != "reset":
        assert [after[name] for name in COUNTED] == [before[name] for name in COUNTED]
    assert after["fine_tune_left"] == 0
    assert twin.watch().calibration_windows_left == 0
    with pytest.raises(DeviceError, match=NOTHING):
        twin.undo()


@pytest.mark.parametrize("what", ACTS)
def test_what_follows_depends_on_the_image_alone(bundle: Bundle, twin: Twin, what: str) -> None:
    """Nothing that was under way, and no part of a window, outlives it."""
    ACTS[what](twin)
    twin.feed(noise(101, 5))
    twin.undo()
    other = Twin(bundle)
    other.state = twin.state
    for each in (twin, other):
        each.feed(noise(500, 6, 0.1))
        each.label_back("calm", 30)
    assert twin.state == other.state


def test_it_says_how_much_goes_back_with_it(twin: Twin) -> None:
    at = twin.counters()["samples"]
    twin.label("calm", 7)
    twin.feed(noise(160, 1))
    twin.set("classifier.l2", 0.001)
    twin.add_class("more")
    twin.rename_class("more", "other")
    twin.set_class_weight("calm", 2.0)
    twin.label(None)  # ends a label: nothing to be taken back
    twin.fine_tune(0)
    twin.calibrate(0)
    would = twin.would_undo()
    windows = would.windows
    assert would == Undone("label", "calm", at, 7, 0, windows, 4)
    before = twin.counters()["windows"]
    twin.feed(noise(100, 2))
    more = twin.counters()["windows"] - before
    assert twin.undo() == Undone("label", "calm", at, 7, 0, windows + more, 4)
    assert twin.classes == ["calm", "loud"]
    assert twin.class_status()[0].weight == 1.0


def test_fine_tuning_counts_its_steps_and_restores_the_weights(twin: Twin) -> None:
    weights = twin.weights()["reconstruction"]
    twin.fine_tune(11)
    twin.feed(noise(300, 1))
    assert np.any(twin.weights()["reconstruction"] != weights)
    assert (twin.would_undo().steps, twin.would_undo().lessons) == (11, 0)
    twin.undo()
    assert np.array_equal(twin.weights()["reconstruction"], weights)


def test_to_ask_changes_nothing(twin: Twin) -> None:
    twin.label("loud", 20)
    twin.feed(noise(37, 1))
    before, counters = twin.state, twin.counters()
    assert twin.would_undo() == twin.would_undo()
    assert (twin.state, twin.counters()) == (before, counters)
    windows = twin.feed(noise(100, 2))  # the label goes on
    assert (windows.label == 1).any()


def test_one_step_only_and_the_last_counts(twin: Twin) -> None:
    twin.label("calm", 5)
    twin.feed(noise(200, 1))
    kept = twin.state
    twin.label("loud", 5)
    twin.feed(noise(200, 2))
    twin.undo()
    assert twin.state == with_counters(kept, counters_of(twin.state))
    with pytest.raises(DeviceError, match=NOTHING):
        twin.would_undo()


def test_what_is_refused_takes_no_place(twin: Twin) -> None:
    twin.label("calm", 5)
    number = twin.unknowns()[0].number
    refused: list[Act] = [
        lambda t: t.name_unknown(number, ""),
        lambda t: t.name_unknown(number, "\x1b[31m"),
        lambda t: t.name_unknown(99, "x"),
        lambda t: t.calibrate(29),
        lambda t: t.set("classifier.l2", -1),
        lambda t: t.add_class("calm"),
        lambda t: t.rename_class("loud", "calm"),
        lambda t: t.set_class_weight("loud", 0),
    ]
    for act in refused:
        with pytest.raises(DeviceError):
            act(twin)
    undone = twin.would_undo()
    assert (undone.what, undone.other_changes) == ("label", 0)


def test_no_room_for_the_class_takes_no_place(bundle: Bundle, twin: Twin) -> None:
    number = twin.unknowns()[0].number
    while True:
        try:
            twin.add_class(f"c{twin.n_classes}")
        except DeviceError:
            break
    twin.label("calm", 5)
    with pytest.raises(DeviceError, match="taken"):
        twin.name_unknown(number, "x")
    assert twin.would_undo().what == "label"


def test_relearning_from_nothing_takes_no_place(twin: Twin) -> None:
    twin.state = twin.state  # forgets the windows
    twin.label("calm", 5)
    with pytest.raises(DeviceError):
        twin.relearn("calm", 5)
    assert twin.would_undo().what == "label"


def test_another_state_leaves_nothing_to_take_back(twin: Twin) -> None:
    twin.label("calm", 5)
    twin.state = twin.state
    with pytest.raises(DeviceError, match=NOTHING):
        twin.undo()


def test_a_refused_state_leaves_it(twin: Twin) -> None:
    twin.label("calm", 5)
    with pytest.raises(TinyOLError):
        twin.state = twin.state[:-1]
    assert twin.would_undo().what == "label"


def test_a_reset_that_is_taken_back_goes_on_behind_both(bundle: Bundle, twin: Twin) -> None:
    """Else an unknown event could come before an earlier one, and the image be refused."""
    then = twin.counters()
    twin.reset()
    twin.feed(noise(120, 1))
    since = twin.counters()
    undone = twin.undo()
    after = twin.counters()
    for name in ("samples", "windows"):
        assert after[name] == then[name] + since[name]
    assert (undone.lessons, undone.steps, undone.windows) == (0, 0, since["windows"])
    twin.feed(noise(600, 2, 0.1))
    twin.feed(noise(600, 3, 60.0))
    assert twin.unknowns()[0].first_sample > then["samples"]
    Twin(bundle).state = twin.state


def test_a_label_column_begins_anew(twin: Twin) -> None:
    """The label that an undo ends is given again where the column goes on."""
    labels = np.zeros(300, np.int16)
    twin.feed(noise(300, 1), labels=labels)
    twin.undo()
    windows = twin.feed(noise(300, 2), labels=labels)
    assert (windows.label == 0).any()


def name_latest(twin: Twin, name: str) -> None:
    events = twin.unknowns()
    twin.name_unknown(events[0].number if events else 1, name)


def end_all(twin: Twin) -> None:
    twin.label(None)
    twin.fine_tune(0)
    twin.calibrate(0)


def put_own_state(twin: Twin) -> None:
    twin.state = twin.state


def act_of(what: str, value: int, number: int) -> Act:
    if what == "name_unknown":
        return lambda t: name_latest(t, f"u{value}")
    others: dict[str, Act] = {
        "set": lambda t: t.set("unknown.windows", 1 + value),
        "add": lambda t: t.add_class(f"c{value}"),
        "stop": end_all,
        "import": put_own_state,
        "feed": lambda t: t.feed(noise(60 + 17 * value, number, (0.1, 1.0, 20.0)[value % 3])),
    }
    return ACTS[what] if what in ACTS else others[what]


def done(act: Act, twin: Twin) -> bool:
    """Whether it was not refused."""
    try:
        act(twin)
    except DeviceError:
        return False
    return True


KINDS = [*ACTS, "undo", "undo", "set", "add", "feed", "feed", "stop", "import"]


@settings(max_examples=150, deadline=None)
@given(life=st.lists(st.tuples(st.sampled_from(KINDS), st.integers(0, 9)), max_size=30))
def test_any_life_against_images_kept_beside_it(life: list[tuple[str, int]]) -> None:
    """A second opinion: undo is to take over the image of then, at the time of now."""
    twin, other = Twin(small_bundle()), Twin(small_bundle())
    kept: tuple[str, bytes] | None = None
    for name in ("calm", "loud"):
        twin.add_class(name)
        other.add_class(name)
    for number, (what, value) in enumerate(life):
        before = twin.state
        if what != "undo":
            act = act_of(what, value, number)
            accepted = done(act, twin)
            assert done(act, other) == accepted
            if accepted and what in ACTS:
                kept = what, before
            elif what == "import":
                kept = None
        elif kept is None:
            assert not done(Twin.undo, twin)
        else:
            assert twin.undo().what == kept[0]
            other.state = after_undo(kept[1], before, kept[0])
            kept = None
        assert twin.state == other.state, (number, what)
