"""Quantiles of many positive numbers: exact as long as they are few, then by a fine histogram."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

EXACT = 1 << 16  # so many values are kept
_DROPPED_BITS = 16  # of a float32's 23-bit fraction: 128 bins an octave are left
_N_BINS = 1 << (31 - _DROPPED_BITS)


class Histogram:
    """Counts of float32 numbers >= 0 in bins 1/128 of an octave wide, 0.25 MB whatever comes."""

    def __init__(self) -> None:
        self.counts = np.zeros(_N_BINS, np.int64)

    def add(self, values: NDArray[np.float32]) -> None:
        """(n,) values; what is not above 0 counts as 0."""
        bits = np.where(values > 0, values, np.float32(0)).view(np.int32) >> _DROPPED_BITS
        self.counts += np.bincount(bits, minlength=_N_BINS)

    def filled(self) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """The middle of each bin that holds something, rising, and how many it holds."""
        bins = np.flatnonzero(self.counts)
        return _edges(bins + 0.5), self.counts[bins]

    def quantile(self, share: float) -> float:
        """The value that this share (0 to 1) lies below, within 0.8 %; some value must be there."""
        upto = np.cumsum(self.counts)
        rank = share * (upto[-1] - 1)
        found = int(np.searchsorted(upto, rank, side="right"))
        inside = (rank - (upto[found] - self.counts[found]) + 0.5) / self.counts[found]
        return float(_edges(np.array([found + inside]))[0])


class Quantiles:
    """What `np.quantile` says of up to EXACT float32 numbers >= 0; beyond, within 0.8 %."""

    def __init__(self) -> None:
        self._values: list[NDArray[np.float32]] | None = []
        self._histogram = Histogram()
        self._n = 0

    def add(self, values: NDArray[np.float32]) -> None:
        """(n,) more."""
        self._histogram.add(values)
        self._n += len(values)
        if self._n > EXACT:
            self._values = None
        elif self._values is not None:
            self._values.append(values.copy())

    def quantile(self, share: float) -> float:
        """The value that this share (0 to 1) lies below; some value must be there."""
        if self._values is None:
            return self._histogram.quantile(share)
        return float(np.quantile(np.concatenate(self._values), share))


def _edges(bins: NDArray[np.generic]) -> NDArray[np.float32]:
    """Where bins begin, also between two."""
    bits = np.floor(np.asarray(bins, np.float64) * (1 << _DROPPED_BITS))
    return np.asarray(bits.astype(np.int32).view(np.float32), dtype=np.float32)
