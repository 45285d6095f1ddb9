"""Scores of predictions against labels: confusion, F1, and F1 by learning step.

All of it is prequential, as on the device: a window is predicted before it is learned from
(Gama, Sebastiao, Rodrigues 2013). Window i has truth[i] and predicted[i], class indices, -1 =
none; a window without truth counts nowhere.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Labels = NDArray[np.int16]


@dataclass(frozen=True, eq=False)
class LearningCurve:
    """Macro F1 after some of the labelled windows, the paper's Fig. 8.

    step: (p,) labelled windows so far, rising, from where a second class comes into play: with
    one class alone there is nothing to mistake. since_start: (p,) over all of them; recent: (p,)
    over each class's own last `recent_len`, so that one class shown for long does not push the
    others out. 0 <= F1 <= 1.
    """

    step: NDArray[np.int64]
    since_start: NDArray[np.float64]
    recent: NDArray[np.float64]
    recent_len: int


def confusion(truth: Labels, predicted: Labels, n_classes: int) -> NDArray[np.int64]:
    """Windows by [truth, predicted], (n_classes, n_classes); both must be known to count."""
    counted = (truth >= 0) & (predicted >= 0)
    flat = truth[counted].astype(np.int64) * n_classes + predicted[counted]
    return np.bincount(flat, minlength=n_classes**2).reshape(n_classes, n_classes)


def f1(table: NDArray[np.int64]) -> NDArray[np.float64]:
    """Per class, (..., k) for confusions (..., k, k): 2 TP / (2 TP + FP + FN), 0 without any."""
    hits = np.diagonal(table, axis1=-2, axis2=-1)
    involved = table.sum(axis=-1) + table.sum(axis=-2)
    return np.asarray(2 * hits / np.maximum(involved, 1), dtype=np.float64)


def macro_f1(table: NDArray[np.int64]) -> NDArray[np.float64]:
    """Mean F1 over the classes that were seen or predicted, (...) for confusions (..., k, k)."""
    present = (table.sum(axis=-1) + table.sum(axis=-2)) > 0
    total = np.sum(f1(table) * present, axis=-1)
    return np.asarray(total / np.maximum(present.sum(axis=-1), 1), dtype=np.float64)


def accuracy(table: NDArray[np.int64]) -> float:
    """Share of windows that were predicted rightly; 0 without any."""
    return float(np.trace(table) / max(int(table.sum()), 1))


def learning_curve(
    truth: Labels, predicted: Labels, n_classes: int, *, points: int = 400, recent_len: int = 50
) -> LearningCurve:
    """F1 at up to `points` evenly spaced labelled windows, the last one always among them."""
    counted = (truth >= 0) & (predicted >= 0)
    truth, predicted = truth[counted].astype(np.int64), predicted[counted].astype(np.int64)
    n = len(truth)
    mixed = (truth != truth[:1]) | (predicted != truth[:1])
    first = int(np.argmax(mixed)) + 1 if mixed.any() else n + 1
    step = np.unique(np.linspace(first, n, min(points, n - first + 1)).round().astype(np.int64))
    cell = truth * n_classes + predicted
    cells_of = [(np.flatnonzero(truth == k), cell[truth == k]) for k in range(n_classes)]
    since_start, recent = np.zeros(len(step)), np.zeros(len(step))
    for i, stop in enumerate(step):
        since_start[i] = _macro_f1_of(cell[:stop], n_classes)
        latest = [cells[: np.searchsorted(at, stop)][-recent_len:] for at, cells in cells_of]
        recent[i] = _macro_f1_of(np.concatenate(latest), n_classes)
    return LearningCurve(step, since_start, recent, recent_len)


def _macro_f1_of(cell: NDArray[np.int64], n_classes: int) -> float:
    table = np.bincount(cell, minlength=n_classes**2).reshape(n_classes, n_classes)
    return float(macro_f1(table))


def last_showing(truth: Labels) -> NDArray[np.bool_]:
    """Windows (n,) of the last time that each class was shown, classes shown in turns.

    Unlabelled windows in between end no showing. All labelled windows where each class was shown
    once.
    """
    labelled = np.flatnonzero(truth >= 0)
    chosen = np.zeros(len(truth), dtype=np.bool_)
    if not len(labelled):
        return chosen
    shown = truth[labelled]
    starts = np.concatenate([[0], np.flatnonzero(shown[1:] != shown[:-1]) + 1])
    showing = np.zeros(len(shown), dtype=np.int64)
    showing[starts[1:]] = 1
    showing = np.cumsum(showing)
    for class_index in np.unique(shown):
        last = showing[shown == class_index][-1]
        chosen[labelled[showing == last]] = True
    return chosen
