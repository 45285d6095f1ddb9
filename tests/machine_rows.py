"""What the detector sees of a machine that runs as ever."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

CENTRE, SPREAD = np.array([-5.0, -6.0]), np.array([0.10, 0.08])


def normal_rows(n: int, seed: int = 0) -> NDArray[np.float64]:
    """(n, 2): ln error, ln variance of a machine that runs as ever."""
    u = np.random.default_rng(seed).normal(size=(n, 2))
    rows: NDArray[np.float64] = CENTRE + SPREAD * np.column_stack(
        [u[:, 0], 0.6 * u[:, 0] + 0.8 * u[:, 1]]
    )
    return rows
