"""How well a link does, in numbers."""

from __future__ import annotations

import statistics
from collections import deque
from dataclasses import dataclass, field


@dataclass
class LinkHealth:
    """Counted since the session was made."""

    requests: int = 0  # executed or refused, PINGs included
    repeats: int = 0  # messages sent again since no reply came
    reconnects: int = 0
    lost_events: int = 0  # seen as holes in the events' counter
    bad_frames: int = 0  # of the transport
    stray: int = 0  # messages that nobody waited for, doubled or not understood
    reboots: int = 0
    round_trip_ms: deque[float] = field(default_factory=lambda: deque(maxlen=100))

    def median_round_trip_ms(self) -> float | None:
        """Of the last 100 requests that were answered at once; None if there was none."""
        return statistics.median(self.round_trip_ms) if self.round_trip_ms else None
