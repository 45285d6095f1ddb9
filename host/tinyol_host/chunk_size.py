"""How much of a long thing goes into one message: little on a line that spoils bytes, else all."""

from __future__ import annotations

from tinyol_host.session import Session

_FIRST_BYTES, _LEAST_BYTES = 64, 24
_CLEAN_BEFORE_MORE = 2  # messages in a row that needed no repeat


class ChunkSize:
    """Grows while messages pass at once, shrinks when one had to be repeated.

    A line that loses 1 % of its bytes lets a message of 50 bytes through more often than not, one
    of 500 bytes hardly ever. A link that loses no message begins with all that fits.
    """

    def __init__(self, session: Session) -> None:
        self._health = session.health
        self._bytes = 1 << 16 if session.is_reliable else _FIRST_BYTES
        self._repeats = session.health.repeats
        self._clean = 0

    def next(self, most: int) -> int:
        """Bytes for the next message, of which at most `most` fit: its own content, no headers."""
        if self._health.repeats > self._repeats:
            self._bytes = max(_LEAST_BYTES, min(self._bytes, most) // 2)
            self._clean = 0
        elif self._clean == _CLEAN_BEFORE_MORE:
            self._bytes = min(2 * self._bytes, max(most, _LEAST_BYTES))
            self._clean = 0
        self._repeats = self._health.repeats
        self._clean += 1
        return min(self._bytes, most)
