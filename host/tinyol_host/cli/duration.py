"""How long something takes, for people."""

from __future__ import annotations

import math


def duration(seconds: float) -> str:
    """As "42 s", "3:05", "1:00:00"; rounded up."""
    whole = math.ceil(seconds)
    if whole < 60:
        return f"{whole} s"
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours}:{minutes:02d}:{whole % 60:02d}" if hours else f"{minutes}:{whole % 60:02d}"
