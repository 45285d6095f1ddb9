"""A small bundle and recordings that a replay of a fraction of a second needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from random_nets import autoencoder

from tinyol_sim.bundle import Bundle
from tinyol_sim.model_image import Pipeline
from tinyol_sim.recordings import Recording

RATE_HZ = 50.0
WINDOW_LEN, HOP = 12, 5
LOUDNESS_G = {"quiet": 0.02, "normal": 0.2, "loud": 1.0}


def small_bundle(rate_hz: float = RATE_HZ, seed: int = 0, max_classes: int = 4) -> Bundle:
    """An untrained autoencoder 12-7-3-7-12 with a threshold that about half its windows pass."""
    pipeline = Pipeline(
        rate_hz=rate_hz,
        window_len=WINDOW_LEN,
        hop=HOP,
        scale=(2.0, 2.0, 2.0),
        max_classes=max_classes,
    )
    return Bundle.create(
        autoencoder(seed=seed),
        pipeline,
        settings={"anomaly.threshold": 5.0, "reconstruction.learning_rate": 0.001},
        provenance={"made_by": "<b>tests</b>", "states": [{"auc": 0.5}, {"auc": 1.0}]},
    )


def in_gravity(of: Recording) -> Recording:
    """The same, with 1 g along z: without it a device says that its sensor was moved."""
    return replace(of, samples=of.samples + np.array([0, 0, 1], np.float32))


def recording(
    stretches: Sequence[tuple[str | None, int]],
    *,
    gaps: Sequence[int] = (),
    rate_hz: float = RATE_HZ,
    seed: int = 0,
    name: str = "small",
) -> Recording:
    """Noise, stretch after stretch of (label, samples), each label with a loudness of its own."""
    rng = np.random.default_rng(seed)
    names = tuple(dict.fromkeys(label for label, _ in stretches if label is not None))
    parts = [
        LOUDNESS_G.get(label or "normal", 0.5) * rng.standard_normal((n, 3))
        for label, n in stretches
    ]
    labels = [np.full(n, -1 if label is None else names.index(label)) for label, n in stretches]
    return Recording(
        samples=np.concatenate(parts).astype(np.float32),
        rate_hz=rate_hz,
        labels=np.concatenate(labels),
        label_names=names,
        gaps=np.array(gaps, dtype=np.int64),
        name=name,
    )
