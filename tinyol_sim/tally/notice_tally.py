"""What the device noticed by itself during a replay: alarms, unknown stretches, moves, changes.

Each is one Notice with a begin and, where it has one, an end; in the order of their begins.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tinyol_sim.window_block import WindowBlock

ALARM, UNKNOWN, MOVED, CHANGED, CALIBRATED = KINDS = (
    "alarm",
    "unknown",
    "moved",
    "changed",
    "calibrated",
)
MAX_NOTICES = 10_000  # so many are kept for themselves, all of them are counted
_LASTING = (ALARM, UNKNOWN, MOVED)


@dataclass
class Notice:
    """kind: of KINDS. first: index in the replay of the window it began with.

    last: that of the window it ended with, or the replay's last one while it is open.
    peak: of an alarm the largest score, of an unknown stretch the largest novelty; else None.
    first_sample, last_sample: the last samples of these two windows.
    """

    kind: str
    first: int
    last: int
    open: bool = False
    peak: float | None = None
    first_sample: int = 0
    last_sample: int = 0

    @property
    def lasts(self) -> bool:
        """Whether it has an extent in time."""
        return self.kind in _LASTING


class NoticeTally:
    """counts: how many there were of each of KINDS."""

    def __init__(self) -> None:
        self.counts = dict.fromkeys(KINDS, 0)
        self._found: list[Notice] = []
        self._open: dict[str, list[Notice]] = {kind: [] for kind in _LASTING}
        self._n_windows = 0

    def add(self, block: WindowBlock) -> None:
        """The next windows."""
        windows, new = block.windows, list[Notice]()
        for kind, size in ((ALARM, windows.score), (UNKNOWN, windows.novelty), (MOVED, None)):
            self._follow(kind, size, block, new)
        for kind in (CHANGED, CALIBRATED):
            for i in np.flatnonzero(windows.noticed(kind)).tolist():
                sample = int(block.sample_index[i])
                at = self._n_windows + i
                new.append(Notice(kind, at, at, first_sample=sample, last_sample=sample))
        new.sort(key=lambda notice: (notice.first, KINDS.index(notice.kind)))
        for notice in new:
            self.counts[notice.kind] += 1
        self._found += new[: MAX_NOTICES - len(self._found)]
        self._n_windows += len(block)
        for notice in (n for found in self._open.values() for n in found):
            notice.last, notice.last_sample = self._n_windows - 1, int(block.sample_index[-1])

    def notices(self) -> list[Notice]:
        """The first MAX_NOTICES of them."""
        return list(self._found)

    @property
    def left_out(self) -> int:
        """How many more there are."""
        return sum(self.counts.values()) - len(self._found)

    @property
    def standing(self) -> list[Notice]:
        """Those that are open, in the order of their begins."""
        found = [notice for notices in self._open.values() for notice in notices]
        return sorted(found, key=lambda notice: (notice.first, KINDS.index(notice.kind)))

    def _follow(
        self, kind: str, size: NDArray[np.float32] | None, block: WindowBlock, new: list[Notice]
    ) -> None:
        """From each begin to its end; an end without a begin belongs to what was before."""
        standing = self._open[kind]
        began = block.windows.noticed(f"{kind}_began")
        ended = block.windows.noticed(f"{kind}_ended")
        # A calibration tells the sensor's new place: it was moved up to there.
        if kind == MOVED:
            ended = ended | block.windows.noticed(CALIBRATED)
        seen = 0  # windows of the block that those which stand have grown by

        def grow(upto: int) -> None:
            nonlocal seen
            if standing and size is not None and upto > seen:
                largest = float(size[seen:upto].max())
                for notice in standing:
                    notice.peak = largest if notice.peak is None else max(notice.peak, largest)
            seen = upto

        for i in np.flatnonzero(began | ended).tolist():
            grow(i + 1)
            at, sample = self._n_windows + i, int(block.sample_index[i])
            if ended[i]:
                for notice in standing:
                    notice.last, notice.last_sample, notice.open = at, sample, False
                standing.clear()
            if began[i]:
                peak = None if size is None else float(size[i])
                notice = Notice(kind, at, at, True, peak, sample, sample)
                standing.append(notice)
                new.append(notice)
        grow(len(block))
