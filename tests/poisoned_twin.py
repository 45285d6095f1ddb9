"""A twin that has learned a little of everything, and the life after a poisoned image."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray
from small_models import int8_bundle, vibration

from tinyol_sim.bundle import Bundle
from tinyol_sim.twin import Twin
from tinyol_sim.window_results import Windows

N_WINDOWS = 1000
_HOP = 4


def bundle() -> Bundle:
    """Every part of a state is used: least squares, both rehearsals, unknown events, drift."""
    settings = {
        "reconstruction.rule": 2.0,
        "reconstruction.rehearsal": 1.0,
        "unknown.windows": 3.0,
        "drift.windows": 10.0,
    }
    return int8_bundle(settings, max_classes=4)


def strange(n: int, seed: int) -> NDArray[np.float32]:
    """Samples (n, 3) in g like nothing that was learned."""
    rng = np.random.default_rng(seed)
    return (rng.normal(0, 1.5, (n, 3)) + np.array([0, 0, 1])).astype(np.float32)


@cache
def taught_state() -> bytes:
    """Two classes, two unknown events of which the second goes on, alarms, a moved sensor."""
    twin = Twin(bundle())
    for name in ("low", "high"):
        twin.add_class(name)
    kind = np.arange(4000) // 200 % 3
    twin.fine_tune(200)
    twin.feed(vibration(4000), labels=np.where(kind < 2, kind, -1), gaps=[100, 1500])
    twin.label(None)
    for stretch in (vibration(190), strange(80, 3), vibration(190), 0.7 * strange(80, 4)):
        twin.feed(stretch)
    older, latest = twin.unknowns()[::-1]
    assert not older.open
    assert latest.open
    assert twin.watch().alarm
    return twin.state


@cache
def _life() -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    n = N_WINDOWS * _HOP
    parts = (vibration(n // 2, seed=5), strange(n // 4, 9), vibration(n // 4, seed=8))
    labels = np.where(np.arange(n) < n // 4, np.arange(n) // 100 % 3 - 1, -1)
    return np.concatenate(parts), labels


def live_on(twin: Twin) -> Windows:
    """1,000 windows: lessons of both classes, fine-tuning, strange times, a calibration."""
    samples, labels = _life()
    if len(twin.classes) < 2:
        labels = np.full_like(labels, -1)
    twin.fine_tune(300)
    half = len(samples) // 2
    first = twin.feed(samples[:half], labels=labels[:half])
    twin.calibrate(50, fine_tune_steps=5)
    second = twin.feed(samples[half:], labels=labels[half:])
    return Windows.join([first, second])
