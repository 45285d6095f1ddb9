"""How entrants are timed, and what is said of one who is missing."""

from __future__ import annotations

import os
import sys
from typing import Any

import numpy as np
import pytest

from tinyol_sim.benchmark import (
    contest,
    river_peer,
    sklearn_peer,
    tflite_micro_peer,
    tflite_runtime_peer,
)
from tinyol_sim.benchmark.contest import Answers, Entrant, PeerMissingError, Place, hold, one_core


class Clock:
    """Processor time that passes only where an entrant works."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        self.log: list[str] = []
        monkeypatch.setattr(contest.time, "process_time", lambda: self.now)

    def entrant(self, name: str, *seconds: float, n: int = 10, answers: Any = None) -> Entrant:
        runs = iter(seconds)

        def prepare() -> Any:
            self.now += 1000  # getting ready is not timed

            def work() -> Answers:
                self.log.append(name)
                self.now += next(runs)
                return answers or Answers(predicted=np.zeros(n, np.int64))

            return work

        return Entrant("job", name, n, prepare)


def test_entrants_take_turns_and_the_least_time_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    half = Answers(predicted=np.arange(10) % 2)
    done: list[tuple[int, str]] = []
    twin, other = hold(
        [clock.entrant("twin", 3, 2, 4), clock.entrant("other", 3, 2.5, 4, answers=half)],
        repeats=3,
        progress=lambda *moved: done.append(moved),
    )
    assert clock.log == ["twin", "other"] * 3
    assert done == list(enumerate(clock.log))
    assert (twin.seconds, twin.spread, twin.times_slower, twin.agreement) == (2, 1, 1, 1)
    assert (other.seconds, other.spread, other.times_slower) == (2.5, 0.6, 1.25)
    assert (other.runs, other.per_second, other.microseconds) == (3, 4, 250_000)
    assert other.agreement == 0.5


def test_who_takes_long_is_not_run_again(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    _, slow = hold(
        [clock.entrant("twin", 1, 1, 1), clock.entrant("slow", contest.ENOUGH_S + 1)], repeats=3
    )
    assert clock.log == ["twin", "slow", "twin", "twin"]
    assert (slow.runs, slow.spread) == (1, 0)


def test_lines_of_the_missing_keep_their_place(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    gone = Place("job", "gone", missing="not installed")
    places = hold([clock.entrant("twin", 1), gone, clock.entrant("last", 2)], repeats=1)
    assert [place.name for place in places] == ["twin", "gone", "last"]


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="not on this system")
def test_one_core_and_then_all_again() -> None:
    before = os.sched_getaffinity(0)
    with one_core() as held:
        assert held
        assert len(os.sched_getaffinity(0)) == 1
    assert os.sched_getaffinity(0) == before
    with pytest.raises(KeyboardInterrupt), one_core():
        raise KeyboardInterrupt
    assert os.sched_getaffinity(0) == before


@pytest.mark.parametrize(
    ("module", "load", "wanted"),
    [
        ("river", river_peer.load_river, "pip install 'tinyol[bench]'"),
        ("sklearn", sklearn_peer.load_sklearn, "pip install 'tinyol[bench]'"),
        (
            "tflite_micro",
            tflite_micro_peer.load_runtime,
            "pip install --no-deps --pre tflite-micro",
        ),
        ("tflite_runtime", tflite_runtime_peer.load_runtime, "pip install 'tinyol[reference]'"),
    ],
)
def test_what_is_missing_says_how_to_have_it(
    monkeypatch: pytest.MonkeyPatch, module: str, load: Any, wanted: str
) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == module]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, module, None)  # type: ignore[arg-type]  # as if not there
    bare = getattr(load, "__wrapped__", load)  # what is cached was there
    with pytest.raises(PeerMissingError, match="not installed: ") as error:
        bare()
    assert wanted in str(error.value)
