"""Timestamps of samples: what is wrong with them, and where they show a gap."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from tinyol_sim.errors import RecordingError

GAP_PERIODS = 1.5  # a step longer than this many sample periods has lost a sample
_RATE_TOLERANCE = 0.1  # a sensor's clock may be several percent off its nominal rate
_MIN_STEPS = 8  # fewer say too little about the rate
_REGULAR_SHARE = 0.9


def gaps_in(
    time_s: NDArray[np.float64], rate_hz: float, where: Callable[[int], str]
) -> NDArray[np.int64]:
    """The gaps (g,) int64 that timestamps (n,) float64 show: i if sample i does not follow i-1.

    Raises RecordingError, with `where` of the row, for a time that is negative or does not
    increase, and for steps that contradict `rate_hz` by more than 10 %.
    """
    if time_s[0] < 0:
        raise RecordingError(f"{where(0)}: t = {time_s[0]:g} s must not be negative")
    steps_s = np.diff(time_s)
    backward = np.flatnonzero(steps_s <= 0)
    if len(backward):
        row = int(backward[0]) + 1
        raise RecordingError(
            f"{where(row)}: t = {time_s[row]:.9g} s must be later than the row before"
            f" ({time_s[row - 1]:.9g} s)"
        )
    is_gap = steps_s > GAP_PERIODS / rate_hz
    if len(steps_s) >= _MIN_STEPS:
        # Short steps are averaged: clocks that tick in ms give 8, 8, 9 ms at 119 Hz.
        typical_s = np.median(steps_s) if is_gap.mean() > 0.5 else steps_s[~is_gap].mean()
        if abs(typical_s * rate_hz - 1) > _RATE_TOLERANCE:
            raise RecordingError(
                f"{where(0)}: t steps by {typical_s:.4g} s, which is {1 / typical_s:.4g} Hz,"
                f" but rate_hz is {rate_hz:g}{_milliseconds_hint(float(typical_s))}"
            )
    return np.asarray(np.flatnonzero(is_gap) + 1, dtype=np.int64)


def regular_rate_hz(time_s: NDArray[np.float64]) -> float | None:
    """The rate that timestamps (n,) stand for, six digits; None if they are not regular.

    Regular are 8 steps or more, of which 9 in 10 of those that are no gap lie within 10 % of
    their mean, unless they read like milliseconds.
    """
    steps_s = np.diff(time_s)
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
    step_s = float(np.median(np.diff(time_s)))
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
