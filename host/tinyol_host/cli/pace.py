"""How quickly something is being counted, over the last seconds."""

from __future__ import annotations

from collections import deque
from time import monotonic

_OVER_S = 5.0


class Pace:
    """Tell it a count now and then, as time passes."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()
        self._grown_at = monotonic()

    def saw(self, count: int, now: float | None = None) -> None:
        """The count at this moment; now: seconds of a monotonic clock."""
        now = monotonic() if now is None else now
        if not self._seen or count != self._seen[-1][1]:
            self._grown_at = now
        self._seen.append((now, count))
        while len(self._seen) > 2 and self._seen[1][0] <= now - _OVER_S:
            self._seen.popleft()

    @property
    def per_s(self) -> float:
        """Counts a second; 0 until there is something to go by."""
        if len(self._seen) < 2:
            return 0.0
        (began, first), (ended, last) = self._seen[0], self._seen[-1]
        return (last - first) / max(ended - began, 1e-9)

    @property
    def silent_s(self) -> float:
        """Seconds since the count last changed, at the last `saw`."""
        return self._seen[-1][0] - self._grown_at if self._seen else 0.0
