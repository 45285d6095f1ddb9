"""Whoever guesses is slowed down, and nobody is shut out by a clock that wraps."""

from __future__ import annotations

import pytest
from access_library import FailureLimit
from hypothesis import given
from hypothesis import strategies as st

HALF_ROUND_MS = 1 << 31
pytestmark = pytest.mark.usefixtures("access_library")


@pytest.mark.parametrize("start", [0, 0xFFFFFFFF, 0xFFFFFE00, HALF_ROUND_MS - 500])
def test_five_are_free_and_each_further_one_costs_twice_as_much(start: int) -> None:
    limit, now = FailureLimit(), start
    for _ in range(4):
        limit.failed(now)
        assert limit.wait_ms(now) == 0
    waits = []
    for _ in range(9):
        limit.failed(now)
        waits.append(limit.wait_ms(now))
        assert limit.wait_ms(now + waits[-1] - 1) == 1
        now += waits[-1]
        assert limit.wait_ms(now) == 0
    assert waits == [1000, 2000, 4000, 8000, 16000, 32000, 64000, 64000, 64000]


def test_a_success_sets_it_back() -> None:
    limit = FailureLimit()
    for _ in range(9):
        limit.failed(0)
    limit.succeeded()
    assert limit.wait_ms(0) == 0
    for _ in range(4):
        limit.failed(0)
    assert limit.wait_ms(0) == 0
    limit.failed(0)
    assert limit.wait_ms(0) == 1000


def test_more_failures_than_a_byte_counts_lock_no_less() -> None:
    limit = FailureLimit()
    for _ in range(1000):
        limit.failed(0)
    assert limit.wait_ms(0) == 64000


def test_a_caller_whose_clock_was_read_before_waits_a_little_longer() -> None:
    limit = FailureLimit()
    for _ in range(5):
        limit.failed(10)
    assert limit.wait_ms(0) == 1010


@given(
    st.integers(0, 0xFFFFFFFF),
    st.lists(st.tuples(st.integers(0, 86_400_000), st.booleans()), max_size=40),
)
def test_however_the_clock_wraps_a_lock_ends_in_time(
    start: int, steps: list[tuple[int, bool]]
) -> None:
    """Against the same written down with a clock that never wraps."""
    limit, now, in_a_row, until = FailureLimit(), start, 0, start
    for pause_ms, fails in steps:
        now += pause_ms
        assert limit.wait_ms(now) == max(0, until - now)
        if fails:
            limit.failed(now)
            in_a_row += 1
            if in_a_row >= 5:
                until = now + min(1000 << min(in_a_row - 5, 20), 64000)
