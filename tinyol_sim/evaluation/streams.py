"""Windows through a twin, one lesson or one judgement each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tinyol_sim.errors import DeviceError
from tinyol_sim.evaluation.states import Singles
from tinyol_sim.twin import Twin, Windows

# (class, window of it), in the order of teaching: (n, 2)
Lessons = NDArray[np.int64]
ORDERS = ("forward", "backward", "shuffled classes", "three rounds", "interleaved")


def feed_windows(twin: Twin, windows: Singles, labels: NDArray[np.int16] | None = None) -> Windows:
    """Feeds (w, window_len, 3) windows, a gap before each: the device sees just these.

    labels: (w,) class indices, -1 = none.
    """
    n, length, _ = windows.shape
    seen = twin.feed(
        windows.reshape(-1, 3),
        labels=None if labels is None else np.repeat(labels, length),
        gaps=np.arange(n) * length,
    )
    if len(seen) != n:
        raise DeviceError(f"the device refused {n - len(seen)} of {n} windows: out of its range")
    return seen


def lesson_order(order: str, n_classes: int, lessons: int, seed: int) -> Lessons:
    """Who is taught when: (n_classes * lessons, 2) class and number of its lesson, from 0.

    order: one of ORDERS. `seed` shuffles where the order is a shuffled one.
    """
    classes = np.arange(n_classes)
    if order == "backward":
        classes = classes[::-1]
    elif order == "shuffled classes":
        classes = np.random.default_rng(seed).permutation(n_classes)
    if order == "interleaved":
        return np.stack([np.tile(classes, lessons), np.repeat(np.arange(lessons), n_classes)], 1)
    rounds = np.array_split(np.arange(lessons), 3 if order == "three rounds" else 1)
    blocks = [np.stack([np.full(len(part), k), part], 1) for part in rounds for k in classes]
    return np.asarray(np.concatenate(blocks), np.int64)


def draw_stretches(windows: Sequence[Singles], lessons: int, seed: int) -> list[Singles]:
    """A stretch of `lessons` windows in a row of each class, from a place drawn at random."""
    rng = np.random.default_rng(seed)
    first = [int(rng.integers(0, len(one) - lessons + 1)) for one in windows]
    return [one[at : at + lessons] for one, at in zip(windows, first, strict=True)]


def teach(twin: Twin, names: Sequence[str], stretches: Sequence[Singles], order: Lessons) -> None:
    """Adds the classes, then teaches their windows in that order."""
    for name in names:
        twin.add_class(name)
    windows = np.stack([stretches[k][i] for k, i in order])
    feed_windows(twin, windows, order[:, 0].astype(np.int16))


def judge(twin: Twin, windows: Sequence[Singles]) -> list[Windows]:
    """What the twin says of each class's windows, teaching it nothing."""
    twin.set("statistics.learn", 0)
    twin.set("anomaly.learn", 0)
    unlabelled = [np.full(len(one), -1, np.int16) for one in windows]
    return [feed_windows(twin, one, none) for one, none in zip(windows, unlabelled, strict=True)]
