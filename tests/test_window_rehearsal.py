"""A reservoir of windows: which are kept, against plain Python, and that each has its chance."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from reference_watch import Reservoir
from watch_library import Section
from watch_units import Watch

pytestmark = pytest.mark.usefixtures("watch_library")
INPUTS = 5


def windows_of(n: int, inputs: int = INPUTS) -> NDArray[np.int8]:
    """(n, inputs): the window's number in its first two bytes."""
    rows = np.full((n, inputs), 7, np.int8)
    rows[:, :2] = np.arange(n, dtype="<u2").view(np.int8).reshape(n, 2)
    return rows


def numbers_of(rows: NDArray[np.int8]) -> list[int]:
    return np.ascontiguousarray(rows[:, :2]).view("<u2")[:, 0].tolist()  # type: ignore


@given(limit=st.integers(1, 16), n=st.integers(0, 400), draws=st.integers(0, 20))
def test_what_is_kept_against_algorithm_r(limit: int, n: int, draws: int) -> None:
    watch, reference = Watch(), Reservoir(limit)
    watch.rehearsal_reset(INPUTS, limit)
    for row in windows_of(n):
        watch.rehearsal_add(row[None])
        reference.add()
        if draws > 0:
            draws -= 1
            assert watch.rehearsal_draw() == reference.draw()
    assert numbers_of(watch.rehearsal_kept()) == reference.rows
    assert len(reference.rows) == min(n, limit)


def test_every_window_has_the_same_chance() -> None:
    """16 of 200, from 4,000 states of the generator: 320 of each expected, within 5 standard
    deviations; and the sum's chi-square within 5 of its own."""
    image = bytearray(start := Watch().write(Section.REHW))
    assert len(start) == 12
    image[:2] = (4).to_bytes(2, "little")
    times = np.zeros(200)
    rows = windows_of(200, 4)
    rng = np.random.default_rng(1)
    for state in rng.integers(1, 1 << 32, 4000):
        watch = Watch()
        image[4:8] = int(state).to_bytes(4, "little")
        assert watch.read(Section.REHW, bytes(image), size=4, limit=16).status == 0
        watch.inputs = 4
        watch.rehearsal_add(rows)
        times[numbers_of(watch.rehearsal_kept())] += 1
    spread = np.sqrt(320 * (1 - 0.08))
    assert times.sum() == 16 * 4000
    assert np.abs(times - 320).max() < 5 * spread
    assert ((times - 320) ** 2).sum() / spread**2 == pytest.approx(200, abs=5 * np.sqrt(400))


def test_draws_reach_every_row_alike() -> None:
    watch = Watch()
    watch.rehearsal_reset(INPUTS, 10)
    assert watch.rehearsal_draw() == -1
    watch.rehearsal_add(windows_of(10))
    drawn = np.bincount([watch.rehearsal_draw() for _ in range(5000)], minlength=10)
    assert np.abs(drawn - 500).max() < 5 * np.sqrt(500 * 0.9)


def test_without_room_nothing_is_kept() -> None:
    watch = Watch()
    watch.rehearsal_reset(INPUTS, 0)
    before = watch.write(Section.REHW)
    watch.rehearsal_add(windows_of(50))
    assert watch.write(Section.REHW) == before
    assert watch.rehearsal_draw() == -1
