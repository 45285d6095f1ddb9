"""Labels against predictions, summed up: the confusion, and that of each class's last showing."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tinyol_sim.reporting import scores
from tinyol_sim.window_block import WindowBlock


class ClassTally:
    """k classes, windows counted as `scores.confusion` does it.

    confusion: (k, k) windows by [truth, predicted]. labelled: (k,) windows by truth, predicted or
    not. learned: windows that the classifier took a step on.
    """

    def __init__(self, n_classes: int) -> None:
        self.confusion = np.zeros((n_classes, n_classes), np.int64)
        self.labelled = np.zeros(n_classes, np.int64)
        self.learned = 0
        self._last = np.zeros((n_classes, n_classes), np.int64)
        self._last_labelled = np.zeros(n_classes, np.int64)
        self._shown = -1

    def add(self, block: WindowBlock) -> None:
        """The next windows."""
        k = len(self.labelled)
        self.learned += int(block.windows.learned.sum())
        at = np.flatnonzero(block.truth >= 0)
        if not len(at):
            return
        shown, predicted = block.truth[at], block.windows.predicted[at]
        self.confusion += scores.confusion(shown, predicted, k)
        self.labelled += np.bincount(shown, minlength=k)
        showing = np.cumsum(shown != np.concatenate([[np.int16(self._shown)], shown[:-1]]))
        for label in np.unique(shown).tolist():
            last = showing[shown == label][-1]
            chosen = showing == last
            if last > 0:  # 0: the one that was under way goes on
                self._last[label] = 0
                self._last_labelled[label] = 0
            table = scores.confusion(shown[chosen], predicted[chosen], k)
            self._last[label] += table[label]
            self._last_labelled[label] += int(chosen.sum())
        self._shown = int(shown[-1])

    @property
    def last_showing(self) -> NDArray[np.int64] | None:
        """The confusion (k, k) over each class's last showing; None if no class had another.

        Classes are shown in turns; unlabelled windows in between end no showing.
        """
        return self._last if self._last_labelled.sum() < self.labelled.sum() else None
