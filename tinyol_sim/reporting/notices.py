"""What the device noticed by itself during a replay, and what tables call it."""

from __future__ import annotations

from tinyol_sim.replay import ReplayResult
from tinyol_sim.tally.notice_tally import (
    ALARM,
    CALIBRATED,
    CHANGED,
    KINDS,
    MOVED,
    UNKNOWN,
    Notice,
)

__all__ = [
    "ALARM",
    "CALIBRATED",
    "CHANGED",
    "KINDS",
    "MOVED",
    "TITLES",
    "UNKNOWN",
    "Notice",
    "notices",
]

TITLES = {
    ALARM: "alarm",
    UNKNOWN: "unknown to all classes",
    MOVED: "sensor moved",
    CHANGED: "machine changed",
    CALIBRATED: "calibrated",
}


def notices(result: ReplayResult) -> list[Notice]:
    """All of them, or the first `notice_tally.MAX_NOTICES`."""
    return result.tally.notices.notices()
