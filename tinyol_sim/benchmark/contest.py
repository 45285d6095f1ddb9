"""Times entrants that do the same job, by turns, and holds their answers against the first one's.

A time is processor time of this process, all its threads together, so that nothing counts that
other programs do meanwhile; and the least of the repeats, since what disturbs only ever adds. The
spread says by how much the longest was longer. By turns, so that a machine that slows down slows
all alike.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

RESOLUTION_S = 1e-9  # a run is never shorter: rates stay finite on a coarse clock
ENOUGH_S = 10.0  # who has run for so long is not run again
WAIT_S, MOST_WAIT_S = 0.01, 2.0
NEAR = 0.01  # errors within this share of each other count as the same


class PeerMissingError(Exception):
    """A peer cannot take part: says why, and if it is not installed how to have it."""


@dataclass(frozen=True, eq=False)
class Answers:
    """What an entrant made of each window or row: its class (n,), and its errors (n,)."""

    predicted: NDArray[np.int64] | None = None  # -1: none
    error: NDArray[np.float64] | None = None

    def agreement(self, other: Answers) -> float | None:
        """Share of the windows with the same class, where there are classes; else of those whose
        errors are within NEAR of each other. None where there is nothing to compare.
        """
        if self.predicted is not None and other.predicted is not None:
            return float(np.mean(self.predicted == other.predicted))
        if self.error is not None and other.error is not None:
            return float(np.mean(np.isclose(self.error, other.error, rtol=NEAR, atol=0)))
        return None


Job = TypeVar("Job")
Work = Callable[[], Answers]  # all that is timed


@dataclass(frozen=True)
class Peer(Generic[Job]):
    """Another way to do some of the jobs.

    load: raises PeerMissingError where it is not installed. work: makes ready from the beginning,
    for one of `jobs`, what is then timed. differs: what it does otherwise than the twin, in a few
    words; "" = nothing.
    """

    name: str
    jobs: tuple[str, ...]
    load: Callable[[], object]
    version: Callable[[], str]  # "" for the twin
    work: Callable[[Job, str], Work]
    differs: str = ""


@dataclass(frozen=True)
class Entrant:
    """One who does a job; prepare() is its work(), as of a Peer."""

    job: str
    name: str
    n: int  # windows or rows
    prepare: Callable[[], Work]
    version: str = ""
    differs: str = ""


@dataclass(frozen=True)
class Place:
    """How one did, or why it did not take part; the twin is `times_slower` times as fast."""

    job: str
    name: str
    version: str = ""
    n: int = 0  # windows or rows
    runs: int = 0
    seconds: float = 0.0  # the least
    spread: float = 0.0  # (most - least) / least
    per_second: float = 0.0
    microseconds: float = 0.0  # of one
    times_slower: float = 0.0  # than the job's first entrant, the twin
    agreement: float | None = None  # of its answers with that one's, 0 to 1
    differs: str = ""
    missing: str = ""


def enter(peer: Peer[Job], job: Job, what: str, n: int) -> Entrant | Place:
    """Its entrant; or, where it is not installed or cannot run the net, the line that says so."""
    try:
        peer.load()
        peer.work(job, what)
    except PeerMissingError as error:
        return Place(what, peer.name, missing=str(error))
    work = partial(peer.work, job, what)
    return Entrant(what, peer.name, n, work, peer.version(), peer.differs)


def hold(
    slots: Sequence[Entrant | Place],
    *,
    repeats: int,
    progress: Callable[[int, str], None] | None = None,
) -> list[Place]:
    """Everyone's place, in the order of `slots`; of a job's entrants, the first is the twin.

    Args:
        repeats: of each, at least 1; fewer of one that takes longer than ENOUGH_S.
        progress: called with the number of runs done and who is next.
    """
    entrants = [slot for slot in slots if isinstance(slot, Entrant)]
    seconds: list[list[float]] = [[] for _ in entrants]
    answers: list[Answers] = [Answers()] * len(entrants)
    for turn in range(repeats):
        for i, entrant in enumerate(entrants):
            if sum(seconds[i]) > ENOUGH_S:
                continue
            if progress is not None:
                progress(turn * len(entrants) + i, entrant.name)
            work = entrant.prepare()
            wait_for_threads()
            start = time.process_time()
            answers[i] = work()
            seconds[i].append(time.process_time() - start)
    first = {entrant.job: i for i, entrant in reversed(list(enumerate(entrants)))}
    places = iter(
        _place(entrant, seconds[i], seconds[twin], answers[i].agreement(answers[twin]))
        for i, entrant in enumerate(entrants)
        for twin in (first[entrant.job],)
    )
    return [next(places) if isinstance(slot, Entrant) else slot for slot in slots]


def _place(
    entrant: Entrant, seconds: list[float], of_the_twin: list[float], agreement: float | None
) -> Place:
    least = max(min(seconds), RESOLUTION_S)
    return Place(
        job=entrant.job,
        name=entrant.name,
        version=entrant.version,
        n=entrant.n,
        runs=len(seconds),
        seconds=least,
        spread=max(0.0, max(seconds) - least) / least,
        per_second=entrant.n / least,
        microseconds=1e6 * least / entrant.n,
        times_slower=least / max(min(of_the_twin), RESOLUTION_S),
        agreement=agreement,
        differs=entrant.differs,
    )


def wait_for_threads() -> None:
    """Until the threads of whoever ran last sleep, at most MOST_WAIT_S: a BLAS's go on spinning for
    a while, and would be counted to the next one."""
    end = time.monotonic() + MOST_WAIT_S
    while time.monotonic() < end:
        used = time.process_time()
        time.sleep(WAIT_S)
        if time.process_time() - used < WAIT_S / 10:
            return


@contextmanager
def one_core() -> Iterator[bool]:
    """Holds this thread, and those it starts, to one processor; whether the system can do that."""
    if not hasattr(os, "sched_setaffinity"):
        yield False
        return
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(allowed)})
    try:
        yield True
    finally:
        os.sched_setaffinity(0, allowed)
