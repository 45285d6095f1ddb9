"""A twin that is taught classes lesson by lesson, and examined on the way.

Exams do not touch what is learned: a copy of the device sits them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tinyol_sim.bundle import Bundle
from tinyol_sim.evaluation.streams import draw_stretches, feed_windows, judge, lesson_order
from tinyol_sim.recordings import Recording
from tinyol_sim.reporting.scores import confusion, macro_f1
from tinyol_sim.training.windows import window_starts
from tinyol_sim.twin import Twin, Windows

Singles = NDArray[np.float32]
Parts = Mapping[str, tuple[Recording, Recording]]


@dataclass(frozen=True, eq=False)
class School:
    """Whole windows without overlap, (w, window_len, 3) in g by label: to teach, and held out."""

    bundle: Bundle
    taught: dict[str, Singles]
    held_out: dict[str, Singles]

    def examine(self, twin: Twin, labels: Sequence[str]) -> list[Windows]:
        """What a copy of `twin` makes of the held-out windows of each label."""
        pupil = Twin(self.bundle)
        pupil.state = twin.state
        return judge(pupil, [self.held_out[label] for label in labels])

    def features(self, labels: Sequence[str], *, taught: bool) -> tuple[Singles, NDArray[np.int64]]:
        """The device's unscaled features of all windows of `labels`, (n, d), and whose they are."""
        source = self.taught if taught else self.held_out
        parts = [feed_windows(Twin(self.bundle), source[label]).features for label in labels]
        truth = np.repeat(np.arange(len(labels)), [len(part) for part in parts])
        return np.concatenate(parts), truth


@dataclass(frozen=True, eq=False)
class Course:
    """How a twin did while it was taught; e exams, k classes.

    twin: as it is at the end.
    lessons: (e,) given before each exam.
    macro_f1: (e,) on held-out windows of all k classes, those not taught yet among them.
    recall: (e, k).
    """

    twin: Twin
    lessons: NDArray[np.int64]
    macro_f1: NDArray[np.float64]
    recall: NDArray[np.float64]


def open_school(bundle: Bundle, parts: Parts) -> School:
    """From each label's two recordings: to teach, and held out."""
    length = bundle.pipeline.window_len
    taught, held_out = (
        {label: _windows(pair[part], length) for label, pair in parts.items()} for part in (0, 1)
    )
    return School(bundle, taught, held_out)


def teach(
    school: School,
    labels: Sequence[str],
    *,
    each: int,
    order: str = "forward",
    seed: int = 0,
    exams: int = 1,
    settings: Mapping[str, float] | None = None,
) -> Course:
    """Teaches a new twin the classes `labels`, `each` lessons of each.

    Args:
        each: windows of a class, following each other from a random one on.
        order: one of evaluation.streams.ORDERS.
        seed: of the first window, and of a shuffled order.
        exams: how many, evenly spaced, the last one at the end; and one where a class is through,
            if that comes forward.
        settings: of the device, where they are not the bundle's.
    """
    twin = Twin(school.bundle)
    for name, value in (settings or {}).items():
        twin.set(name, value)
    for label in labels:
        twin.add_class(label)
    stretches = draw_stretches([school.taught[label] for label in labels], each, seed)
    plan = lesson_order(order, len(labels), each, seed)
    windows = np.stack([stretches[k][i] for k, i in plan])
    stops = set(np.linspace(0, len(plan), exams + 1).round().astype(int)[1:].tolist())
    if order == "forward":
        stops |= {each * (k + 1) for k in range(len(labels))}
    at, scores, recalls = 0, [], []
    for stop in sorted(stops):
        feed_windows(twin, windows[at:stop], plan[at:stop, 0].astype(np.int16))
        at = stop
        table = _exam(school, twin, labels)
        scores.append(float(macro_f1(table)))
        recalls.append(np.diag(table) / table.sum(axis=1))
    twin.label(None)
    return Course(twin, np.array(sorted(stops)), np.array(scores), np.array(recalls))


def macro_f1_of(truth: NDArray[np.int64], predicted: NDArray[np.int64], n_classes: int) -> float:
    """Macro-F1 of predictions, (n,) class indices each."""
    table = confusion(truth.astype(np.int16), predicted.astype(np.int16), n_classes)
    return float(macro_f1(table))


def _exam(school: School, twin: Twin, labels: Sequence[str]) -> NDArray[np.int64]:
    """Confusion matrix over the held-out windows of all labels."""
    seen = school.examine(twin, labels)
    truth = np.repeat(np.arange(len(labels)), [len(one) for one in seen]).astype(np.int16)
    return confusion(truth, np.concatenate([one.predicted for one in seen]), len(labels))


def _windows(recording: Recording, window_len: int) -> Singles:
    starts = window_starts(recording, window_len, window_len)
    windows: Singles = recording.samples[starts[:, None] + np.arange(window_len)]
    return windows
