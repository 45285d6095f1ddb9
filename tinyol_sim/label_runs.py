"""The labels of a stream as runs of equal labels: what a recording of any length has few of."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class LabelRuns:
    """starts: (r,) int64, the first sample of each run: rising, from 0.

    labels: (r,) int16, index into the stream's label_names, -1 = no label; neighbours may be alike.
    n_samples: of the whole stream; 0 only without runs.
    """

    starts: NDArray[np.int64]
    labels: NDArray[np.int16]
    n_samples: int

    @classmethod
    def of(cls, labels: NDArray[np.int16]) -> LabelRuns:
        """The runs of (n,) labels."""
        edges = np.flatnonzero(labels[1:] != labels[:-1]) + 1
        starts = np.concatenate([[0], edges])[: len(labels)].astype(np.int64)
        return cls(starts, labels[starts], len(labels))

    @classmethod
    def join(cls, parts: Iterable[LabelRuns]) -> LabelRuns:
        """One stream after the other; equal labels at a border make one run."""
        starts, labels, n_samples = [np.empty(0, np.int64)], [np.empty(0, np.int16)], 0
        for part in parts:
            starts.append(part.starts + n_samples)
            labels.append(part.labels)
            n_samples += part.n_samples
        all_starts, all_labels = np.concatenate(starts), np.concatenate(labels)
        begins = np.ones(len(all_labels), np.bool_)
        begins[1:] = all_labels[1:] != all_labels[:-1]
        return cls(all_starts[begins], all_labels[begins], n_samples)

    @property
    def stops(self) -> NDArray[np.int64]:
        """(r,) the first sample behind each run."""
        return np.append(self.starts[1:], self.n_samples)

    def at(self, samples: NDArray[np.int64]) -> NDArray[np.int64]:
        """The run, as an index, that each of these samples (m,) lies in."""
        return np.searchsorted(self.starts, samples, side="right") - 1

    def first_samples(self) -> dict[int, int]:
        """The first sample of each label that occurs, in the order of these samples."""
        labels, index = np.unique(self.labels, return_index=True)
        found = {int(n): int(self.starts[i]) for n, i in zip(labels, index, strict=True) if n >= 0}
        return dict(sorted(found.items(), key=lambda item: item[1]))

    def labels_of(self, start: int, stop: int) -> NDArray[np.int16]:
        """The labels (stop - start,) of samples start to stop - 1, 0 <= start < stop."""
        first = int(np.searchsorted(self.starts, start, side="right")) - 1
        last = int(np.searchsorted(self.starts, stop, side="left"))
        borders = np.concatenate([[start], self.starts[first + 1 : last], [stop]])
        return np.repeat(self.labels[first:last], np.diff(borders))
