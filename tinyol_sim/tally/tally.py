"""All that a replay is summed up in."""

from __future__ import annotations

from tinyol_sim.tally.class_tally import ClassTally
from tinyol_sim.tally.error_tally import ErrorTally
from tinyol_sim.tally.notice_tally import NoticeTally
from tinyol_sim.window_block import WindowBlock

BLOCK = 1 << 16  # windows summed at a time, so that sums do not depend on how they come


class Tally:
    """Windows come in blocks of any length; what is said is right after `finish`.

    n_windows, anomalies, unknown: how many. errors, classes, notices: by their kind.
    """

    def __init__(self, n_classes: int, threshold: float | None) -> None:
        """n_classes: that labels and predictions may name; threshold: of errors, or None."""
        self.n_windows = self.anomalies = self.unknown = 0
        self.errors = ErrorTally(threshold)
        self.classes = ClassTally(n_classes)
        self.notices = NoticeTally()
        self._waiting: list[WindowBlock] = []
        self._n_waiting = 0

    def add(self, block: WindowBlock) -> None:
        """The next windows."""
        self._waiting.append(block)
        self._n_waiting += len(block)
        if self._n_waiting >= BLOCK:
            whole = WindowBlock.join(self._waiting)
            full = len(whole) - len(whole) % BLOCK
            for first in range(0, full, BLOCK):
                self._sum(whole[first : first + BLOCK])
            self._waiting, self._n_waiting = [whole[full:]], len(whole) - full

    def finish(self) -> None:
        """No more come."""
        if self._n_waiting:
            self._sum(WindowBlock.join(self._waiting))
        self._waiting, self._n_waiting = [], 0

    def _sum(self, block: WindowBlock) -> None:
        self.n_windows += len(block)
        self.anomalies += int(block.windows.anomaly.sum())
        self.unknown += int(block.windows.unknown.sum())
        self.errors.add(block)
        self.classes.add(block)
        self.notices.add(block)
