"""Windows that no class explains become events, with vectors that can be named afterwards."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from reference_watch import UNKNOWN_VECTORS, unknown_events
from watch_library import F32, Section
from watch_units import Watch

pytestmark = pytest.mark.usefixtures("watch_library")
D = 3
RUNS = st.lists(st.tuples(st.booleans(), st.integers(1, 12)), min_size=1, max_size=30)


def flags_of(runs: list[tuple[bool, int]]) -> NDArray[np.bool_]:
    return np.concatenate([np.full(n, unknown) for unknown, n in runs])


def vectors_of(n: int) -> NDArray[np.float32]:
    """(n, D), each its window's number: what is kept tells where it is from."""
    return np.repeat(np.arange(n, dtype=F32)[:, None], D, axis=1)


def samples_of(n: int) -> NDArray[np.uint64]:
    return np.arange(n, dtype=np.uint64) * np.uint64(64) + np.uint64(63)


def meet(
    watch: Watch, unknown: NDArray[np.bool_], least: int, novelty: NDArray[np.float32] | None = None
) -> tuple[list[int], list[int]]:
    n = len(unknown)
    sizes = np.where(unknown, 2.0, 0.5) if novelty is None else novelty
    return watch.meet(unknown, sizes, samples_of(n), vectors_of(n), least)


@given(runs=RUNS, least=st.integers(1, 9), seed=st.integers(0, 1000), ring=st.integers(1, 64))
def test_events_against_the_reference(
    runs: list[tuple[bool, int]], least: int, seed: int, ring: int
) -> None:
    unknown = flags_of(runs)
    novelty = np.random.default_rng(seed).exponential(2, len(unknown)).astype(F32)
    watch = Watch(D, ring)
    began, ended = meet(watch, unknown, least, novelty)
    events, expected_ends = unknown_events(unknown, novelty, least)
    assert ended == expected_ends
    assert began == [event.windows[least - 1] for event in events]
    for event in events[-2:]:
        kept = watch.event(event.number)
        assert kept is not None
        assert (kept.first_sample, kept.last_sample) == (
            64 * event.windows[0] + 63,
            64 * event.windows[-1] + 63,
        )
        assert (kept.windows, kept.peak_novelty) == (len(event.windows), event.peak)
        assert not kept.named
        # Of the run that opened it the ring reaches the newest ones, then every window until the
        # room is full.
        reached = event.windows[max(0, least - ring) :]
        if len(reached) <= UNKNOWN_VECTORS:
            np.testing.assert_array_equal(kept.vectors[:, 0], reached)
    for number in (0, max(0, len(events) - 2), len(events) + 1):
        assert watch.event(number) is None


@given(n=st.integers(1, 3000), least=st.integers(1, 100), ring=st.sampled_from([1, 5, 24, 25, 64]))
def test_what_is_kept_is_spread_over_the_whole_event(n: int, least: int, ring: int) -> None:
    """Rows in order, no two further apart than three strides, none missing at either end; at
    least half the room is in use once the event is longer than it."""
    n = max(n, least)
    watch = Watch(D, ring)
    meet(watch, np.ones(n, bool), least)
    event = watch.event(1)
    assert event is not None
    rows, stride = event.vectors[:, 0], event.stride
    first = max(0, least - ring)  # the ring does not reach further back
    assert np.all(np.diff(rows) >= stride)
    assert np.all(np.diff(rows) <= 3 * stride)
    assert first <= rows[0] <= first + 2 * stride
    assert n - 1 - 2 * stride < rows[-1] <= n - 1
    if n - first >= UNKNOWN_VECTORS:
        assert UNKNOWN_VECTORS // 2 <= len(rows) <= UNKNOWN_VECTORS
    else:
        assert (len(rows), stride) == (n - first, 1)


def test_without_a_ring_there_are_no_vectors() -> None:
    watch = Watch(D, 0)
    began, _ = meet(watch, np.ones(50, bool), 5)
    event = watch.event(1)
    assert began == [4]
    assert event is not None
    assert (event.windows, len(event.vectors)) == (50, 0)


def test_the_latest_two_are_kept() -> None:
    watch = Watch(D, 64)
    meet(watch, np.tile([True] * 6 + [False] * 6, 5), 3)
    assert [watch.event(n) is not None for n in range(7)] == [False] * 4 + [True] * 2 + [False]


def test_closing_ends_the_event_and_the_next_needs_its_windows_again() -> None:
    watch = Watch(D, 64)
    meet(watch, np.ones(10, bool), 5)
    watch.close_event()
    began, ended = meet(watch, np.ones(10, bool), 5)
    assert (began, ended) == ([4], [])
    event = watch.event(2)
    assert event is not None
    assert event.first_sample == 63


def test_naming_an_event_ends_it_if_it_goes_on() -> None:
    watch = Watch(D, 64)
    meet(watch, np.array([True] * 6 + [False] * 6 + [True] * 6), 3)
    for number in (1, 2, 3):  # the third is none
        watch.name_event(number)
    named = [event.named for event in map(watch.event, (1, 2)) if event is not None]
    assert named == [True, True]
    began, ended = meet(watch, np.ones(6, bool), 3)
    assert (began, ended) == ([2], [])
    third = watch.event(3)
    assert third is not None
    assert not third.named


@given(runs=RUNS, least=st.integers(1, 9), cut=st.floats(0, 1))
def test_an_image_in_between_changes_nothing(
    runs: list[tuple[bool, int]], least: int, cut: float
) -> None:
    """Saved and restored at any window, the ring's vectors aside: the same events with the same
    bytes of everything else."""
    unknown = flags_of(runs)
    n, at = len(unknown), int(cut * len(unknown))
    novelty = np.linspace(1.1, 9, n).astype(F32)
    whole, other = Watch(D, 1), Watch(D, 1)
    samples, vectors = samples_of(n), vectors_of(n)
    whole.meet(unknown[:at], novelty[:at], samples[:at], vectors[:at], least)
    assert other.read(Section.UNKN, whole.write(Section.UNKN)).status == 0
    rest = (unknown[at:], novelty[at:], samples[at:], vectors[at:])
    after = [w.meet(*rest, least) for w in (whole, other)]
    assert after[0] == after[1]
    assert whole.write(Section.UNKN) == other.write(Section.UNKN)
