"""Which gaps of a session its end image has counted: those at the very end are told late."""

from __future__ import annotations

from collections.abc import Sequence

from tinyol_sim.state_image import StateImage

Gaps = list[tuple[int, int]]  # (index of the sample behind them, how many)


def counter_in(image: bytes, name: str) -> int:
    """A counter of a state image; StateImageError if it is none."""
    return int(StateImage.from_bytes(image).fields[f"counters.{name}"])


def gaps_until(
    stop: int,
    n_samples: int,
    gaps: Gaps,
    resets: Sequence[int],
    refused: Sequence[int],
    start: bytes,
    end: bytes,
) -> Gaps:
    """The gaps up to the end image.

    Those just before sample `stop` may have come after it, or may not have been told yet: there
    are as many as the image counts more than the rest.

    Args:
        stop: index of the first sample that the image does not know.
        n_samples: that have come; those from `stop` on told what gaps they have before them.
        gaps: as they were told, in order.
        resets: indices of the samples before which all counters began anew.
        refused: indices of samples that the device refused, each a gap that is not told.
        start, end: state images.
    """
    reset = max((index for index in resets if index <= stop), default=None)
    since = reset or 0
    told = [(index, count) for index, count in gaps if index < stop]
    counted = sum(count for index, count in told if index >= since)
    counted += sum(since <= index < stop for index in refused)
    if reset is None:
        counted += counter_in(start, "gaps")
    missing = counter_in(end, "gaps") - counted
    if stop < n_samples:
        missing = min(missing, sum(count for index, count in gaps if index == stop))
    return [*told, (stop, max(0, missing))]
