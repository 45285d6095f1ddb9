"""The threshold of the reconstruction error, where that is what decides."""

from __future__ import annotations

from collections.abc import Mapping

from tinyol_sim.settings import SETTINGS

THRESHOLD, DETECTOR = "anomaly.threshold", "anomaly.detector"


def threshold_in(settings: Mapping[str, float]) -> float | None:
    """The error above which a window is an anomaly; None where that is not what decides."""
    value = settings[THRESHOLD]
    if settings[DETECTOR]:
        return None
    return None if value >= SETTINGS[THRESHOLD].maximum else value
