"""What the device noticed by itself during a replay: alarms, unknown stretches, moves, changes.

Each is one Notice with a begin and, where it has one, an end; in the order of their begins.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tinyol_sim.replay import ReplayResult

ALARM, UNKNOWN, MOVED, CHANGED, CALIBRATED = KINDS = (
    "alarm",
    "unknown",
    "moved",
    "changed",
    "calibrated",
)
# What tables call them.
TITLES = {
    ALARM: "alarm",
    UNKNOWN: "unknown to all classes",
    MOVED: "sensor moved",
    CHANGED: "machine changed",
    CALIBRATED: "calibrated",
}


@dataclass(frozen=True)
class Notice:
    """kind: of KINDS. first: index in the replay of the window it began with.

    last: that of the window it ended with, or the replay's last one while it is open.
    peak: of an alarm the largest score, of an unknown stretch the largest novelty; else None.
    """

    kind: str
    first: int
    last: int
    open: bool = False
    peak: float | None = None

    @property
    def lasts(self) -> bool:
        """Whether it has an extent in time."""
        return self.kind in (ALARM, UNKNOWN, MOVED)


def notices(result: ReplayResult) -> list[Notice]:
    """All of them."""
    windows = result.windows
    found = [
        *_stretches(result, ALARM, windows.score),
        *_stretches(result, UNKNOWN, windows.novelty),
        *_stretches(result, MOVED, None),
    ]
    for kind in (CHANGED, CALIBRATED):
        found += [Notice(kind, int(i), int(i)) for i in np.flatnonzero(windows.noticed(kind))]
    return sorted(found, key=lambda notice: (notice.first, KINDS.index(notice.kind)))


def _stretches(
    result: ReplayResult, kind: str, size: NDArray[np.float32] | None
) -> Iterator[Notice]:
    """From each begin to its end; an end without a begin belongs to what Plan.state began with."""
    n = len(result.windows)
    began = result.windows.noticed(f"{kind}_began")
    ended = result.windows.noticed(f"{kind}_ended")
    # A calibration tells the sensor's new place: it was moved up to there.
    if kind == MOVED:
        ended = ended | result.windows.noticed(CALIBRATED)
    begins, ends = np.flatnonzero(began), np.flatnonzero(ended)
    for first in begins.tolist():
        later = ends[ends > first]
        last = int(later[0]) if len(later) else n - 1
        peak = None if size is None else float(size[first : last + 1].max())
        yield Notice(kind, first, last, not len(later), peak)
