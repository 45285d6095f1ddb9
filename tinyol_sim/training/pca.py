"""Three axes to one: the direction in which a machine shakes most."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyol_sim.errors import RecordingError

MIN_VARIANCE = 1e-12  # (1 ug)^2: below the noise of any such sensor


@dataclass(frozen=True)
class PrincipalAxis:
    """A unit vector, and the share of the variance of all three axes along it."""

    direction: tuple[float, float, float]
    explained: float


def principal_axis(windows: NDArray[np.floating[Any]]) -> PrincipalAxis:
    """First principal component of AC-coupled samples.

    Each window's mean is removed first: otherwise the component is gravity's direction as soon
    as the recordings were made in more than one position. The sign of a component is arbitrary;
    here its largest part is positive, so that equal data give equal bundles.

    Args:
        windows: (w, window_len, 3), g.

    Raises:
        RecordingError: the samples do not vary.
    """
    centred = windows - windows.mean(axis=1, keepdims=True, dtype=np.float64)
    flat = centred.reshape(-1, 3)
    covariance = flat.T @ flat / max(len(flat), 1)
    variances, vectors = np.linalg.eigh(covariance)
    if not variances[-1] > MIN_VARIANCE:
        raise RecordingError(
            "the normal windows do not vary: there is no vibration to learn from; "
            "are the samples in g?"
        )
    direction = vectors[:, -1] * np.sign(vectors[np.argmax(np.abs(vectors[:, -1])), -1])
    x, y, z = (float(part) for part in direction)
    return PrincipalAxis((x, y, z), float(variances[-1] / variances.sum()))
