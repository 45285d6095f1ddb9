"""What a first pass over a file of any length hands on: all that is known of it but the samples."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tinyol_sim.label_runs import LabelRuns


@dataclass(frozen=True, eq=False)
class Scanned:
    """One file. rate_hz: that holds. gaps: all of them, (g,) int64, rising.

    label_runs, label_names, default_label: as of a Parsed. pieces: reads the samples, see
    RecordingStream. end_s: the last sample's time, and samples_at: the first sample at or after
    each time that was asked for; both None where the file has no times of its own.
    """

    rate_hz: float
    label_runs: LabelRuns
    label_names: tuple[str, ...]
    gaps: NDArray[np.int64]
    pieces: Callable[[], Iterator[NDArray[np.float32]]]
    default_label: str | None = None
    end_s: float | None = None
    samples_at: dict[float, int] | None = None
