"""What a move does to recorded samples: a turned sensor, anomalies carried to another place."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from tinyol_sim.evaluation.states import Singles

Floats = NDArray[np.float64]
TURN_DEG = 2.0
MIN_VARIANCE = 1e-12  # g^2


def turns(degrees: float = TURN_DEG) -> Iterator[tuple[str, Floats]]:
    """Rotations (3, 3) about x, y and z, both ways, with their names."""
    for axis, name in enumerate("xyz"):
        for angle in (degrees, -degrees):
            c, s = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))
            i, j = (k for k in range(3) if k != axis)
            turn = np.eye(3)
            turn[[i, i, j, j], [i, j, i, j]] = c, -s, s, c
            yield f"{angle:+g} degrees about {name}", turn


def turned(windows: Singles, turn: Floats) -> Singles:
    """(w, n, 3) windows as a sensor turned by `turn` would have them."""
    return np.asarray(windows @ turn.T, np.float32)


def centred_covariance(windows: Singles) -> Floats:
    """(3, 3), g^2, of (w, n, 3) windows about each window's own mean."""
    flat = (windows - windows.mean(axis=1, keepdims=True)).reshape(-1, 3).astype(np.float64)
    return np.asarray(flat.T @ flat / len(flat))


def carry_map(here: Singles, there: Singles) -> Floats:
    """A (3, 3), with which normal's covariance here becomes normal's covariance there.

    A = S_there^(1/2) S_here^(-1/2), S of the windows' centred samples: the most that can be known
    of the way from one place to the other without recordings of the anomalies there.
    """
    return _power(centred_covariance(there), 0.5) @ _power(centred_covariance(here), -0.5)


def carried(windows: Singles, way: Floats, mean: Floats) -> Singles:
    """Each (w, n, 3) window's centred samples mapped by `way`, about `mean` (3,), g."""
    centred = windows - windows.mean(axis=1, keepdims=True)
    return np.asarray(centred @ way.T + mean, np.float32)


def _power(covariance: Floats, exponent: float) -> Floats:
    variances, directions = np.linalg.eigh(covariance)
    known = variances > MIN_VARIANCE  # along the others nothing shakes: nothing to carry
    powers = np.where(known, np.where(known, variances, 1.0) ** exponent, 0.0)
    return np.asarray(directions * powers @ directions.T)
