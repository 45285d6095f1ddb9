"""Reconstruction errors before, at the end of and after fine-tuning, summed up by label."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tinyol_sim.tally.quantiles import Histogram, Quantiles
from tinyol_sim.window_block import WindowBlock

BEFORE, END, AFTER, ALL = "before", "end of fine-tuning", "after", "all"
_SLACK = 1 << 16  # steps that are kept beyond those that can still be its last quarter
_STEP = np.dtype([("error", "<f4"), ("tuned_error", "<f4"), ("anomaly", "?")])


@dataclass
class ErrorSums:
    """Like windows: how many, how many of them anomalies, the sums of both layers' errors, how
    many lie above the threshold (0 without one), and how the errors spread.
    """

    windows: int = 0
    anomalies: int = 0
    frozen: float = 0.0
    tuned: float = 0.0
    above_frozen: int = 0
    above_tuned: int = 0
    frozen_spread: Histogram = field(default_factory=Histogram)
    tuned_spread: Histogram = field(default_factory=Histogram)
    tuned_quantiles: Quantiles = field(default_factory=Quantiles)

    def add(
        self,
        error: NDArray[np.float32],
        tuned_error: NDArray[np.float32],
        anomaly: NDArray[np.bool_],
        threshold: float | None,
    ) -> None:
        """n more windows."""
        self.windows += len(error)
        self.anomalies += int(anomaly.sum())
        self.frozen += float(np.sum(error, dtype=np.float64))
        self.tuned += float(np.sum(tuned_error, dtype=np.float64))
        if threshold is not None:
            self.above_frozen += int(np.sum(error > threshold))
            self.above_tuned += int(np.sum(tuned_error > threshold))
        self.frozen_spread.add(error)
        self.tuned_spread.add(tuned_error)
        self.tuned_quantiles.add(tuned_error)


@dataclass
class _Phase:
    """by_label: sums by index of the label, -1 = none; untuned: windows no tuned layer saw."""

    by_label: dict[int, ErrorSums] = field(default_factory=dict)
    untuned: int = 0

    def add(self, block: WindowBlock, threshold: float | None) -> None:
        windows = block.windows
        self.untuned += int(np.sum(~block.tuned))
        for label in np.unique(block.truth).tolist():
            chosen = block.truth == label
            self.by_label.setdefault(label, ErrorSums()).add(
                windows.error[chosen],
                windows.tuned_error[chosen],
                windows.anomaly[chosen],
                threshold,
            )

    def groups(self, phase: str) -> Iterator[tuple[str, int, bool, ErrorSums]]:
        labels = sorted(self.by_label, key=lambda label: (label < 0, label))
        return ((phase, label, not self.untuned, self.by_label[label]) for label in labels)


class ErrorTally:
    """n_steps: of fine-tuning; first_step, last_step: the samples that their windows end with.

    Of the steps, the last quarter is kept for itself, 9 bytes each.
    """

    def __init__(self, threshold: float | None) -> None:
        self.n_steps = 0
        self.first_step = self.last_step = -1
        self._threshold = threshold
        self._before, self._after = _Phase(), _Phase()
        self._steps: list[NDArray[np.void]] = []
        self._n_kept = 0

    def add(self, block: WindowBlock) -> None:
        """The next windows."""
        steps = np.flatnonzero(block.windows.fine_tuned)
        if not len(steps):
            (self._after if self.n_steps else self._before).add(block, self._threshold)
            return
        first, last = int(steps[0]), int(steps[-1])
        if not self.n_steps:
            self._before.add(block[:first], self._threshold)
            self.first_step = int(block.sample_index[first])
        self.last_step = int(block.sample_index[last])
        self._after = _Phase()
        self._after.add(block[last + 1 :], self._threshold)
        kept = np.empty(len(steps), _STEP)
        for name in _STEP.names or ():
            kept[name] = getattr(block.windows, name)[steps]
        self._steps.append(kept)
        self.n_steps += len(steps)
        self._n_kept += len(steps)
        if self._n_kept > 2 * self._n_late + _SLACK:
            self._steps = [np.concatenate(self._steps)[-self._n_late :]]
            self._n_kept = self._n_late

    @property
    def _n_late(self) -> int:
        return max(1, self.n_steps // 4)

    def groups(self) -> Iterator[tuple[str, int, bool, ErrorSums]]:
        """Phase, label's index (-1 = none), whether a tuned layer saw all of it, and the sums.

        As `error_groups.error_groups` has them.
        """
        if not self.n_steps:
            yield from self._before.groups(ALL)
            return
        yield from self._before.groups(BEFORE)
        late, sums = np.concatenate(self._steps)[-self._n_late :], ErrorSums()
        sums.add(late["error"], late["tuned_error"], late["anomaly"], self._threshold)
        yield END, -1, True, sums
        yield from self._after.groups(AFTER)
