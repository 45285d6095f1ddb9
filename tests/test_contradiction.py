"""A label against what the device is sure of: by hand, from what its windows told before."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from numpy.typing import NDArray
from small_replay import HOP, WINDOW_LEN, small_bundle

from tinyol_sim.errors import DeviceError
from tinyol_sim.twin import Twin, Windows
from tinyol_sim.undone import Contradiction

SURE, ENOUGH_LESSONS = 0.9, 20


def noise(n: int, seed: int, spread: float) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(0, spread, (n, 3)).astype(np.float32)


def length(windows: int) -> int:
    """Samples behind a gap that make so many windows."""
    return WINDOW_LEN + HOP * (windows - 1)


def taught(lessons: int = 60, **settings: float) -> Twin:
    twin = Twin(small_bundle())
    for name, value in settings.items():
        twin.set(name.replace("__", "."), value)
    for seed, (name, spread) in enumerate((("calm", 0.05), ("loud", 1.0), ("wild", 8.0))):
        twin.add_class(name)
        twin.label(name, lessons)
        twin.feed(noise(length(lessons) + 40, seed, spread), gaps=[0])
    twin.label(None)
    return twin


def speaks(twin: Twin, windows: Windows, truth: int, last: int = 1) -> dict[int, tuple[int, float]]:
    """Classes that the last windows are surely of: how many, and the confidence of the last."""
    lessons = [status.lessons for status in twin.class_status()]
    found: dict[int, tuple[int, float]] = {}
    for i in range(max(0, len(windows) - last), len(windows)):
        k, confidence = int(windows.predicted[i]), float(windows.confidence[i])
        sure = k >= 0 and k != truth and confidence >= np.float32(SURE)
        if sure and windows.novelty[i] <= 1 and lessons[k] >= ENOUGH_LESSONS:
            found[k] = found.get(k, (0, 0.0))[0] + 1, confidence
    return found


@pytest.mark.parametrize("head", [0.0, 1.0])
def test_the_last_window_speaks_for_itself(head: float) -> None:
    twin = taught(classifier__head=head)
    outcomes: Counter[str] = Counter()
    for seed in range(60):
        spread = (0.05, 1.0, 8.0, 0.3, 30.0)[seed % 5]
        windows = twin.feed(noise(length(1), 100 + seed, spread), gaps=[0])
        for truth, name in enumerate(twin.classes):
            expected = speaks(twin, windows, truth)
            found = twin.contradiction(name)
            if not expected:
                assert found is None
            else:
                ((index, (n, confidence)),) = expected.items()
                assert found == Contradiction(index, n, confidence)
            outcomes["none" if found is None else twin.classes[found.class_index]] += 1
    assert outcomes["none"] > 10
    assert min(outcomes[name] for name in ("calm", "loud")) > 5


def test_late_labels_are_judged_window_by_window_before_they_are_learned() -> None:
    twin = taught()
    seen = []
    for seed, spread in enumerate((0.05, 1.0, 0.05, 8.0)):
        n = (9, 14, 4, 5)[seed]
        seen.append(twin.feed(noise(length(n), 200 + seed, spread), gaps=[0]))
    windows = Windows.join(seen)
    for back in (1, 5, 9, 20, 32, 500):
        for truth, name in enumerate(twin.classes):
            expected = speaks(twin, windows, truth, back)
            found = twin.contradiction(name, min(back, 32))
            if not expected:
                assert found is None
                continue
            most = max(n for n, _ in expected.values())
            index = min(k for k, (n, _) in expected.items() if n == most)
            assert found == Contradiction(index, *expected[index])
    assert twin.contradiction("wild", 32) is not None


def test_windows_that_are_lessons_already_are_not_judged() -> None:
    twin = taught()
    twin.label("calm")
    twin.feed(noise(length(10), 1, 0.05), gaps=[0])
    twin.label(None)
    assert twin.contradiction("loud", 10) is None
    windows = twin.feed(noise(length(5), 2, 0.05), gaps=[0])
    ((index, expected),) = speaks(twin, windows, 1, 5).items()
    assert twin.contradiction("loud", 15) == Contradiction(index, *expected)


def test_who_has_learned_little_is_not_sure() -> None:
    for lessons, sure in ((19, False), (20, True)):
        twin = taught(lessons)
        twin.feed(noise(length(1), 5, 0.05), gaps=[0])
        assert (twin.contradiction("loud") is not None) == sure


def test_what_no_class_explains_contradicts_nothing() -> None:
    twin = taught()
    windows = twin.feed(noise(length(1), 5, 500.0), gaps=[0])
    assert windows.novelty[-1] > 1
    assert windows.confidence[-1] >= SURE
    assert all(twin.contradiction(name) is None for name in twin.classes)


@pytest.mark.parametrize("forget", ["gap", "reset_of_window", "undo", "refused", "new"])
def test_without_a_last_window_nothing_speaks(forget: str) -> None:
    twin = Twin(small_bundle()) if forget == "new" else taught()
    if forget == "new":
        twin.add_class("loud")
    else:
        twin.feed(noise(length(1), 5, 0.05), gaps=[0])
        assert twin.contradiction("loud") is not None
    if forget == "gap":
        twin.gap()
    elif forget == "reset_of_window":
        twin.state = twin.state
    elif forget == "undo":
        twin.undo()
    elif forget == "refused":
        twin.feed(np.full((1, 3), np.nan, np.float32))
    assert twin.contradiction("loud") is None


def test_to_ask_changes_nothing() -> None:
    one, other = taught(), taught()
    for twin in (one, other):
        twin.feed(noise(length(20), 5, 0.05), gaps=[0])
    before = one.state
    for name in one.classes:
        one.contradiction(name)
        one.contradiction(name, 20)
    assert one.state == before
    for twin in (one, other):  # nor what follows
        twin.label("calm")
        twin.feed(noise(200, 6, 0.5))
    assert one.state == other.state


@pytest.mark.parametrize("back", [0, 65536, -1])
def test_so_many_windows_there_are_not(back: int) -> None:
    with pytest.raises(DeviceError, match="1 to 65535"):
        taught().contradiction("calm", back)


def test_it_is_a_warning_and_the_label_is_learned() -> None:
    twin = taught()
    twin.feed(noise(length(10), 5, 0.05), gaps=[0])
    assert twin.contradiction("loud", 10) is not None
    assert twin.label_back("loud", 10) == 10
