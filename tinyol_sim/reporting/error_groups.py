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
from tinyol_sim.tally.error_tally import AFTER, ALL, BEFORE, END
from tinyol_sim.tally.quantiles import Quantiles
from tinyol_sim.threshold import DETECTOR, THRESHOLD, threshold_in

__all__ = [
    "AFTER",
    "ALL",
    "BEFORE",
    "DETECTOR",
    "END",
    "NO_LABEL",
    "THRESHOLD",
    "ErrorFigures",
    "ErrorGroup",
    "error_figures",
    "error_groups",
    "threshold_of",
]

NO_LABEL = "no label"
Spread = tuple[NDArray[np.float32], NDArray[np.int64]]


@dataclass(frozen=True, eq=False)
class ErrorGroup:
    """Like windows, of a replay that kept all windows.

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
        return _name(self.phase, self.label)


@dataclass(frozen=True, eq=False)
class ErrorFigures:
    """The same in figures, of any replay: n windows.

    anomalies, above_frozen, above_tuned: shares, of anomalies and of errors above the threshold.
    mean_frozen, mean_tuned: mean errors. What is None: there is no tuned layer, or no threshold.
    frozen_spread, tuned_spread: errors, rising, and how many windows have each, errors being told
    apart within 0.8 %. tuned_quantiles: of the tuned errors.
    """

    phase: str
    label: str | None
    windows: int
    anomalies: float
    mean_frozen: float
    mean_tuned: float | None
    above_frozen: float | None
    above_tuned: float | None
    frozen_spread: Spread
    tuned_spread: Spread | None
    tuned_quantiles: Quantiles

    @property
    def name(self) -> str:
        """What tables and plots call it."""
        return _name(self.phase, self.label)


def error_figures(result: ReplayResult) -> list[ErrorFigures]:
    """The groups of `error_groups`, in figures."""
    threshold, found = threshold_of(result), []
    for phase, label, tuned, sums in result.tally.errors.groups():
        n = sums.windows
        above_tuned = None if threshold is None or not tuned else sums.above_tuned / n
        found.append(
            ErrorFigures(
                phase=phase,
                label=result.class_names[label] if label >= 0 else None,
                windows=n,
                anomalies=sums.anomalies / n,
                mean_frozen=sums.frozen / n,
                mean_tuned=sums.tuned / n if tuned else None,
                above_frozen=None if threshold is None else sums.above_frozen / n,
                above_tuned=above_tuned,
                frozen_spread=sums.frozen_spread.filled(),
                tuned_spread=sums.tuned_spread.filled() if tuned else None,
                tuned_quantiles=sums.tuned_quantiles,
            )
        )
    return found


def _name(phase: str, label: str | None) -> str:
    if phase == END:
        return phase
    return (label or NO_LABEL) if phase == ALL else f"{phase}: {label or NO_LABEL}"


def threshold_of(result: ReplayResult) -> float | None:
    """The error above which a window is an anomaly; None where that is not what decides."""
    return threshold_in(result.settings)


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
