"""Reconstruction error before and after fine-tuning, the paper's Fig. 7, in numbers.

Windows are compared within groups of like windows, each with two errors: the frozen net's and
the fine-tuned layer's. The latter is taken before the window's own step, so no window is judged
by a layer that has learned from it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tinyol_sim.replay import ReplayResult
from tinyol_sim.settings import SETTINGS

THRESHOLD, DETECTOR = "anomaly.threshold", "anomaly.detector"
NO_LABEL = "no label"
BEFORE, END, AFTER, ALL = "before", "end of fine-tuning", "after", "all"


@dataclass(frozen=True, eq=False)
class ErrorGroup:
    """Like windows.

    phase: BEFORE, END, AFTER or ALL; label: a class name or None.
    frozen: (n,) errors; tuned: (n,) errors, None where no layer had been fine-tuned yet.
    anomaly: (n,) whether the device said so.
    """

    phase: str
    label: str | None
    frozen: NDArray[np.float32]
    tuned: NDArray[np.float32] | None
    anomaly: NDArray[np.bool_]

    @property
    def name(self) -> str:
        """What tables and plots call it."""
        if self.phase == END:
            return self.phase
        label = self.label or NO_LABEL
        return label if self.phase == ALL else f"{self.phase}: {label}"


def threshold_of(result: ReplayResult) -> float | None:
    """The error above which a window is an anomaly; None where that is not what decides."""
    value = result.settings[THRESHOLD]
    if result.settings[DETECTOR]:
        return None
    return None if value >= SETTINGS[THRESHOLD].maximum else value


def error_groups(result: ReplayResult) -> list[ErrorGroup]:
    """The groups that there are, in the order of time.

    With fine-tuning: windows BEFORE its first step, by label; the last quarter of the windows
    that took a step (END); windows AFTER the last step, by label. Without: ALL windows by label.
    """
    windows = result.windows
    steps = np.flatnonzero(windows.fine_tuned)
    if not len(steps):
        return _by_label(result, np.ones(len(windows), dtype=np.bool_), ALL)
    index = np.arange(len(windows))
    late = windows.fine_tuned & (index >= steps[-max(1, len(steps) // 4)])
    return [
        *_by_label(result, index < steps[0], BEFORE),
        ErrorGroup(
            END, None, windows.error[late], windows.tuned_error[late], windows.anomaly[late]
        ),
        *_by_label(result, index > steps[-1], AFTER),
    ]


def _by_label(result: ReplayResult, chosen: NDArray[np.bool_], phase: str) -> list[ErrorGroup]:
    groups = []
    tuned = bool(np.all(result.tuned[chosen]))
    for index, label in enumerate([*result.class_names, None]):
        mask = chosen & (result.truth == (-1 if label is None else index))
        if np.any(mask):
            windows = result.windows
            errors = windows.tuned_error[mask] if tuned else None
            groups.append(
                ErrorGroup(phase, label, windows.error[mask], errors, windows.anomaly[mask])
            )
    return groups
