"""The balanced reservoir by its statistics, and the rehearsal buffer's quantiser by its bound."""

from __future__ import annotations

import numpy as np
import pytest
from heads import F32, Heads, Reservoir, f32
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

LARGEST = float(F32(1e12))
FINEST = -8


def counts(reservoir: Reservoir, groups: int) -> NDArray[np.int64]:
    return np.bincount(reservoir.read()[0], minlength=groups)


# --- which rows are kept ---------------------------------------------------------------------


@settings(max_examples=80, deadline=None)
@given(
    groups=st.lists(st.integers(0, 5), max_size=300),
    room=st.integers(1, 40),
    random=st.integers(1, 2**32 - 1),
)
def test_groups_are_balanced_to_a_row(groups: list[int], room: int, random: int) -> None:
    """After every offer: full where it can be, and no group that has seen more than its share
    has a row less than it, or a row more."""
    reservoir = Reservoir(room, random)
    seen = np.zeros(6, np.int64)
    for group in groups:
        reservoir.offer([group])
        seen[group] += 1
        kept = counts(reservoir, 6)
        assert kept.sum() == min(seen.sum(), room)
        assert (kept <= seen).all()
        full, most = kept[kept < seen], kept.max()
        assert (full >= most - 1).all()
    _, offers = reservoir.read()
    assert len(set(offers.tolist())) == len(offers)
    assert [groups[i] for i in offers] == reservoir.read()[0].tolist()


def test_a_rare_group_is_kept_whole() -> None:
    rng = np.random.default_rng(0)
    groups = np.where(rng.random(20_000) < 0.001, 1, 0)
    reservoir = Reservoir(112)
    reservoir.offer(groups)
    _, offers = reservoir.read()
    assert set(np.flatnonzero(groups)) <= set(offers.tolist())


@pytest.mark.parametrize(
    "order", ["shuffled", "one after the other", "in turns", "three that do not divide"]
)
def test_what_is_kept_of_a_group_is_a_uniform_sample(order: str) -> None:
    """Each group's stream in ten parts: how many rows of each are kept over 2,000 runs, by
    chi-square. 9 degrees of freedom: 27.9 is passed once in a thousand. Sampling without
    replacement only narrows it. The seeds are fixed."""
    n_groups = 3 if order == "three that do not divide" else 4
    each, room, runs = 100, 32 if n_groups == 4 else 31, 2000
    rng = np.random.default_rng(1)
    if order == "one after the other":
        groups = np.repeat(np.arange(n_groups), each)
    elif order == "shuffled":
        groups = rng.permutation(np.repeat(np.arange(n_groups), each))
    else:
        groups = np.tile(np.arange(n_groups), each)
    rank = np.empty(len(groups), np.int64)  # of each offer within its group
    for g in range(n_groups):
        rank[groups == g] = np.arange(each)
    tally = np.zeros((n_groups, 10))
    for random in rng.integers(1, 2**32, runs):
        reservoir = Reservoir(room, int(random))
        reservoir.offer(groups)
        kept, offers = reservoir.read()
        np.add.at(tally, (kept, rank[offers] * 10 // each), 1)
    for row in tally:
        expected = row.sum() / 10
        assert expected > 1000
        assert ((row - expected) ** 2 / expected).sum() < 27.9, row


def test_rows_are_drawn_uniformly() -> None:
    reservoir = Reservoir(20)
    assert (reservoir.draw(5) == -1).all()
    reservoir.offer(np.arange(17) % 3)
    drawn = np.bincount(reservoir.draw(170_000), minlength=17)
    assert len(drawn) == 17
    assert ((drawn - 10_000) ** 2 / 10_000).sum() < 39.3  # 16 degrees of freedom: 1 in 1,000


@settings(max_examples=60, deadline=None)
@given(
    steps=st.lists(
        st.one_of(
            st.lists(st.integers(0, 4), min_size=1, max_size=30),
            st.tuples(st.integers(0, 4), st.booleans()),
        ),
        max_size=12,
    ),
    room=st.integers(1, 20),
)
def test_dropping_a_group_leaves_the_others(
    steps: list[list[int] | tuple[int, bool]], room: int
) -> None:
    reservoir = Reservoir(room)
    for step in steps:
        if isinstance(step, list):
            reservoir.offer(step)
            continue
        group, renumber = step
        groups, offers = reservoir.read()
        reservoir.drop(group, renumber=renumber)
        stay = groups != group
        expected = groups[stay] - (renumber & (groups[stay] > group))
        after = reservoir.read()
        np.testing.assert_array_equal(after[0], expected)
        np.testing.assert_array_equal(after[1], offers[stay])


def test_room_that_a_dropped_group_leaves_is_shared_again() -> None:
    """One group grabs it all; the others have it back as soon as they come."""
    reservoir = Reservoir(30)
    reservoir.offer(np.repeat([0, 1, 2], 200))
    reservoir.drop(2, renumber=False)
    reservoir.offer([0] * 200)
    assert counts(reservoir, 2).tolist() == [20, 10]
    reservoir.offer([1] * 20)
    kept = counts(reservoir, 2)
    assert abs(kept[0] - kept[1]) <= 1
    assert kept.sum() == 30


def test_without_room_nothing_is_kept() -> None:
    heads = Heads(2, rows=0, classes=1)
    heads.rehearsal_add(np.ones((10, 2)), 0)
    assert heads.rehearsal_draw()[0] == -1
    assert heads.rehearsal().seen.tolist() == [0]


# --- what is kept of a row -------------------------------------------------------------------


def kept_rows(heads: Heads) -> NDArray[np.float64]:
    state = heads.rehearsal()
    return state.offset + state.values * 2.0 ** state.exponent.astype(float)


@settings(max_examples=80, deadline=None)
@given(
    rows=st.lists(
        st.lists(
            st.one_of(
                st.floats(-LARGEST, LARGEST, width=32),
                st.floats(-3, 3, width=32),
                st.sampled_from([0.0, LARGEST, -LARGEST, 1e-30, 127 / 256, 128 / 256]),
            ),
            min_size=2,
            max_size=2,
        ),
        min_size=1,
        max_size=40,
    )
)
def test_a_kept_value_is_within_a_step_of_what_it_was(rows: list[list[float]]) -> None:
    """And the step is the finest that covers the range, so 127 of them do and half would not."""
    heads, x = Heads(2, rows=40, classes=1), f32(rows).astype(float)
    heads.rehearsal_add(x, 0)
    state = heads.rehearsal()
    step = 2.0 ** state.exponent.astype(float)
    np.testing.assert_array_equal(state.offset, x[0])
    # The float32 difference itself is off by an ulp of the larger number.
    slack = 2.0**-23 * np.abs(x).max(0)
    assert (np.abs(kept_rows(heads) - x) <= step + slack).all()
    assert (np.abs(state.values.astype(int)) <= 127).all()
    reach = np.abs(x - x[0]).max(0)
    assert (reach <= 127.5 * step + slack).all()
    coarse = state.exponent > FINEST
    assert (reach[coarse] + slack[coarse] >= 127.5 * step[coarse] / 2).all()


def test_a_value_in_range_is_kept_to_half_a_step() -> None:
    rng = np.random.default_rng(2)
    rows = f32(rng.uniform(-0.24, 0.24, (100, 5)))
    heads = Heads(5, rows=112, classes=1)
    heads.rehearsal_add(rows, 0)
    assert (heads.rehearsal().exponent == FINEST).all()
    assert np.abs(kept_rows(heads) - rows).max() <= 2**-9 + 1e-7


def test_halving_neither_shrinks_nor_swells() -> None:
    """Five doublings: the mean of what was kept stays, to the standard error of its rounding."""
    rng = np.random.default_rng(3)
    rows = f32(rng.uniform(-0.4, 0.4, (110, 1)))
    rows[0] = 0
    heads = Heads(1, rows=112, classes=1)
    heads.rehearsal_add(rows, 0)
    before = kept_rows(heads)[:110]
    heads.rehearsal_add([[127 / 8]], 0)
    assert heads.rehearsal().exponent[0] == -3
    error = kept_rows(heads)[:110] - before
    assert np.abs(error).max() <= 1 / 8
    assert abs(error.mean()) < 4 * (1 / 8) / np.sqrt(12 * 110)
    assert abs((error * np.sign(before)).mean()) < 4 * (1 / 8) / np.sqrt(12 * 110)


def test_draws_are_rows_that_were_kept_with_their_class() -> None:
    rng = np.random.default_rng(4)
    centres = np.array([[0.0, 5.0], [10.0, -5.0], [-20.0, 1.0]])
    heads = Heads(2, rows=30, classes=3)
    for i in range(300):
        heads.rehearsal_add(centres[i % 3] + rng.normal(0, 0.1, 2), i % 3)
    drawn = [heads.rehearsal_draw() for _ in range(3000)]
    classes = np.array([k for k, _ in drawn])
    assert np.abs(np.bincount(classes) - 1000).max() < 120  # 4.6 standard deviations
    kept = kept_rows(heads)
    for k, x in drawn[:200]:
        assert np.abs(x - centres[k]).max() < 1
        assert (np.abs(kept - x).max(1) < 1e-5).any()


def test_the_scale_begins_anew_once_nothing_is_kept() -> None:
    heads = Heads(1, rows=8, classes=2)
    heads.rehearsal_add([[5.0], [1e6]], 1)
    assert heads.rehearsal().exponent[0] > FINEST
    heads.restart_class(1)
    state = heads.rehearsal()
    assert (state.exponent[0], state.offset[0], state.seen.tolist()) == (FINEST, 0, [0, 0])
    heads.rehearsal_add([[7.0]], 0)
    assert heads.rehearsal().offset[0] == 7


def test_a_removed_class_takes_its_rows_along() -> None:
    heads = Heads(1, rows=9, classes=3)
    for k in (0, 1, 2):
        heads.rehearsal_add(np.full((3, 1), k / 8), k)
    heads.remove_class(1)
    state = heads.rehearsal()
    assert state.groups.tolist() == [0, 0, 0, 1, 1, 1]
    assert state.seen.tolist() == [3, 3]
    np.testing.assert_array_equal(kept_rows(heads)[:, 0], [0, 0, 0, 0.25, 0.25, 0.25])
