"""Small machines to evaluate: states of noise that differ in their level along each axis."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from random_nets import autoencoder

from tinyol_sim.bundle import Bundle
from tinyol_sim.evaluation.states import State
from tinyol_sim.model_image import Pipeline

RATE_HZ = 100.0
WINDOW = 16
LEVELS = {"calm": (0.02, 0.02, 0.02), "x": (0.2, 0.02, 0.02), "y": (0.02, 0.2, 0.02)}


def noise_state(name: str, level: tuple[float, ...], pieces: int = 30, n: int = 100) -> State:
    rng = np.random.default_rng(sum(name.encode()))
    gravity = np.array([0.0, 0.0, 1.0])
    samples = (rng.normal(0, level, (pieces, n, 3)) + gravity).astype(np.float32)
    return State(name, RATE_HZ, tuple(samples), f"{name}.csv")


def noise_states(levels: Mapping[str, tuple[float, ...]] = LEVELS) -> dict[str, State]:
    return {name: noise_state(name, level) for name, level in levels.items()}


def random_bundle(hop: int = WINDOW, error_source: str = "tuned") -> Bundle:
    pipeline = Pipeline(
        rate_hz=RATE_HZ,
        window_len=WINDOW,
        hop=hop,
        projection=(0.6, 0.48, 0.64),
        scale=(5.0, 5.0, 5.0),
        error_source=error_source,
    )
    return Bundle.create(autoencoder((WINDOW, 7, 3, 7, WINDOW), seed=3), pipeline)


def write_pieces(folder: Path, pieces: list[NDArray[np.float32]], rate_hz: float) -> None:
    folder.mkdir(parents=True)
    for i, piece in enumerate(pieces):
        rows = "\n".join(",".join(f"{v:.5f}" for v in row) for row in piece)
        head = f"# tinyol recording 1\n# rate_hz={rate_hz:g}\n# units=g\nx,y,z\n"
        (folder / f"{i:04}.csv").write_text(head + rows + "\n")
