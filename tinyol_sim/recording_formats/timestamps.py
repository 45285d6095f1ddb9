"""Timestamps of samples: what is wrong with them, and where they show a gap."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from tinyol_sim.errors import RecordingError

GAP_PERIODS = 1.5  # a step longer than this many sample periods has lost a sample
_RATE_TOLERANCE = 0.1  # a sensor's clock may be several percent off its nominal rate
_MIN_STEPS = 8  # fewer say too little about the rate
_REGULAR_SHARE = 0.9
RATE_ROWS = 1 << 20  # that say the rate of a recording that does not state it


def gaps_in(
    time_s: NDArray[np.float64], rate_hz: float, where: Callable[[int], str]
) -> NDArray[np.int64]:
    """The gaps (g,) int64 that timestamps (n,) float64 show: i if sample i does not follow i-1.

    Raises RecordingError, with `where` of the row, for a time that is negative or does not
    increase, and for steps that contradict `rate_hz` by more than 10 %.
    """
    check = TimestampCheck(rate_hz)
    gaps = check.add(time_s, where)
    check.finish(where(0))
    return gaps


class TimestampCheck:
    """The same for timestamps that come piece by piece."""

    def __init__(self, rate_hz: float) -> None:
        self._rate_hz = rate_hz
        self._last_s: float | None = None
        self._n_rows = 0
        self._n_gaps = 0
        self._short_s: list[float] = []  # sums over a piece of the steps that are no gap
        self._first_steps: list[NDArray[np.float64]] = []  # as many as say the rate
        self._n_first = 0

    def add(self, time_s: NDArray[np.float64], where: Callable[[int], str]) -> NDArray[np.int64]:
        """The next (n,) timestamps: the gaps among them, as rows of the whole.

        where: of a row of this piece.
        """
        if not len(time_s):
            return np.empty(0, np.int64)
        if self._last_s is None:
            if time_s[0] < 0:
                raise RecordingError(f"{where(0)}: t = {time_s[0]:g} s must not be negative")
            steps_s = np.diff(time_s)
        else:
            steps_s = np.diff(time_s, prepend=self._last_s)
        first = len(time_s) - len(steps_s)  # the row behind the first step
        backward = np.flatnonzero(steps_s <= 0)
        if len(backward):
            row = int(backward[0]) + first
            before_s = time_s[row - 1] if row else self._last_s
            raise RecordingError(
                f"{where(row)}: t = {time_s[row]:.9g} s must be later than the row before"
                f" ({before_s:.9g} s)"
            )
        is_gap = steps_s > GAP_PERIODS / self._rate_hz
        gaps = np.flatnonzero(is_gap) + first + self._n_rows
        self._n_gaps += len(gaps)
        self._short_s.append(float(steps_s[~is_gap].sum()))
        if self._n_first < RATE_ROWS:
            self._first_steps.append(steps_s[: RATE_ROWS - self._n_first])
            self._n_first += len(self._first_steps[-1])
        self._last_s = float(time_s[-1])
        self._n_rows += len(time_s)
        return np.asarray(gaps, dtype=np.int64)

    def finish(self, where: str) -> None:
        """No more come. where: the first row. Raises RecordingError for steps of another rate."""
        n_steps = self._n_rows - 1
        if n_steps < _MIN_STEPS:
            return
        # Short steps are averaged: clocks that tick in ms give 8, 8, 9 ms at 119 Hz.
        if self._n_gaps > 0.5 * n_steps:
            typical_s = float(np.median(np.concatenate(self._first_steps)))
        else:
            typical_s = math.fsum(self._short_s) / (n_steps - self._n_gaps)
        if abs(typical_s * self._rate_hz - 1) > _RATE_TOLERANCE:
            raise RecordingError(
                f"{where}: t steps by {typical_s:.4g} s, which is {1 / typical_s:.4g} Hz,"
                f" but rate_hz is {self._rate_hz:g}{_milliseconds_hint(typical_s)}"
            )


def regular_rate_hz(time_s: NDArray[np.float64]) -> float | None:
    """The rate that timestamps (n,) stand for, six digits; None if they are not regular.

    The first RATE_ROWS of them say it. Regular are 8 steps or more, of which 9 in 10 of those that
    are no gap lie within 10 % of their mean, unless they read like milliseconds.
    """
    steps_s = np.diff(time_s[:RATE_ROWS])
    if len(steps_s) < _MIN_STEPS:
        return None
    median_s = float(np.median(steps_s))
    if median_s <= 0 or _milliseconds_hint(median_s):
        return None
    steps_s = steps_s[(steps_s > 0) & (steps_s <= GAP_PERIODS * median_s)]
    mean_s = float(steps_s.mean())  # not the median: clocks that tick in ms give 8, 8, 9 ms
    near = np.abs(steps_s / mean_s - 1) <= _RATE_TOLERANCE
    return float(f"{1 / mean_s:.6g}") if near.mean() >= _REGULAR_SHARE else None


def rate_hint(time_s: NDArray[np.float64] | None) -> str:
    """A half sentence with the rate that the timestamps suggest, or nothing."""
    if time_s is None or len(time_s) < 2:
        return ""
    step_s = float(np.median(np.diff(time_s[:RATE_ROWS])))
    if step_s <= 0:
        return ""
    if hint := _milliseconds_hint(step_s):
        return f" (t steps by {step_s:.4g}{hint})"
    return f" (t steps by {step_s:.4g} s: about {1 / step_s:.4g} Hz)"


def _milliseconds_hint(step: float) -> str:
    """A half sentence if a step of t, which is in seconds, looks like milliseconds."""
    if not 1 <= step <= 1000:
        return ""
    return f"; t is in seconds: if these are milliseconds, {1000 / step:.4g} Hz, divide by 1000"
