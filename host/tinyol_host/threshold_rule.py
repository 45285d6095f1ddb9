"""The threshold for a share of false alarms: an order statistic of so many windows' errors.

M windows that are like each other and like the next one are as likely to stand in any order, so the
next one lies above the k-th largest of M with probability k / (M + 1). The threshold is that for
the largest k for which this is at most the share wanted; with M < 1 / share - 1 there is none, and
the quantile is not known. Nothing is extrapolated. (The bound of split conformal prediction: Vovk,
Gammerman, Shafer, "Algorithmic Learning in a Random World", 2005.)
"""

from __future__ import annotations

import math

import numpy as np

LEAST = 2  # windows: one alone does not tell whether the sensor's values move
ABOVE = 5  # windows that should lie above the threshold, for it to be known well enough

_LIKELY = (0.05, 0.95)


def rank_of(windows: int, false_alarms: float) -> int:
    """k, for the k-th largest error; 0 where so few windows do not tell it."""
    return math.floor(false_alarms * (windows + 1) + 1e-9)  # 0.29 * 100 is 28.999999999999996


def windows_needed(false_alarms: float) -> int:
    """The fewest windows that tell the threshold: 1 / share - 1, and LEAST or more."""
    least = max(LEAST, math.ceil(1 / false_alarms) - 2)
    while rank_of(least, false_alarms) < 1:
        least += 1
    return least


def enough_windows(false_alarms: float) -> int:
    """Windows that tell it well enough: ABOVE of them decide."""
    return math.ceil(ABOVE / false_alarms - 1e-9)


def likely_share(rank: int, windows: int, shared: float) -> tuple[float, float]:
    """Where the share above the rank-th largest of `windows` errors lies in 9 cases of 10.

    It has a beta distribution. shared: windows' length over their hop, where that is above 1: so
    many neighbours count as one, which is a rule of thumb.
    """
    fewer = max(1.0, shared)
    k, n = rank / fewer, windows / fewer
    draws = np.random.default_rng(0).beta(k, n + 1 / fewer - k, 20_000)
    low, high = np.quantile(draws, _LIKELY)
    return float(low), float(high)
