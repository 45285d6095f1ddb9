"""What is gathered of a recording's rows, block by block: runs of labels, gaps."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tinyol_sim.errors import RecordingError
from tinyol_sim.label_runs import LabelRuns


class LabelRunsBuilder:
    """Labels by name become runs of indices. n_samples: so far."""

    def __init__(self, path: Path) -> None:
        self.n_samples = 0
        self._path = path
        self._index: dict[str, int] = {"": -1}
        self._starts: list[int] = []
        self._labels: list[int] = []

    @property
    def names(self) -> tuple[str, ...]:
        """By first appearance."""
        return tuple(self._index)[1:]

    def add(self, starts: Sequence[int], names: Sequence[str], n_rows: int) -> None:
        """n_rows more: from each of `starts`, rising, the label is another; "" = none.

        Raises RecordingError if these are more labels than an index can tell apart.
        """
        for start, name in zip(starts, names, strict=True):
            label = self._index.setdefault(name, len(self._index) - 1)
            if not self._labels or self._labels[-1] != label:
                self._starts.append(self.n_samples + start)
                self._labels.append(label)
        self.n_samples += n_rows
        if len(self._index) - 1 > np.iinfo(np.int16).max:
            raise RecordingError(f"{self._path}: {len(self.names)} different labels are too many")

    def runs(self) -> LabelRuns:
        """All of them; without any label, one run of none."""
        starts, labels = self._starts or [0], self._labels or [-1]
        if not self.n_samples:
            starts, labels = [], []
        return LabelRuns(np.array(starts, np.int64), np.array(labels, np.int16), self.n_samples)


class GapsBuilder:
    """Rows that a gap stands in front of."""

    def __init__(self) -> None:
        self._gaps: list[int] = []

    def add(self, gaps: Sequence[int]) -> None:
        """More, none before the last one."""
        self._gaps += gaps

    def between(self, n_rows: int) -> NDArray[np.int64]:
        """(g,) of those that have a row on either side, each once."""
        gaps = np.unique(np.array(self._gaps, np.int64))
        return gaps[(gaps > 0) & (gaps < n_rows)]
