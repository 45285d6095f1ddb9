"""A recording that is read piece by piece, however long it is; what is known beforehand is small.

RecordingStream.pieces()  ->  samples, from the first to the last, as often as it is called
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tinyol_sim.errors import RecordingError
from tinyol_sim.label_runs import LabelRuns
from tinyol_sim.recordings import RATE_TOLERANCE, Recording

Pieces = Callable[[], Iterator[NDArray[np.float32]]]


@dataclass(frozen=True, eq=False)
class RecordingStream:
    """A stream of samples, of which only the samples are not in memory.

    rate_hz, label_names, gaps, name: as of a Recording. n_samples: how many come.
    label_runs: the labels. pieces: gives the samples anew, in pieces (m, 3) of any length, float32
    in g, finite; raises RecordingError, also between two pieces, if the file fails.
    """

    rate_hz: float
    label_runs: LabelRuns
    label_names: tuple[str, ...]
    gaps: NDArray[np.int64]
    name: str
    pieces: Pieces

    @property
    def n_samples(self) -> int:
        """How many samples there are."""
        return self.label_runs.n_samples

    @property
    def duration_s(self) -> float:
        """Seconds of recorded signal; what a gap left out does not count."""
        return self.n_samples / self.rate_hz

    def with_label(self, name: str | None) -> RecordingStream:
        """The same samples, all labelled `name`, or none of them for None."""
        names = () if name is None else (name,)
        labels = np.array([len(names) - 1], np.int16)
        runs = LabelRuns(np.zeros(1, np.int64), labels, self.n_samples)
        return replace(self, label_runs=runs, label_names=names)


def stream_of(recording: Recording) -> RecordingStream:
    """The same as a stream, over the recording's own memory."""
    return RecordingStream(
        recording.rate_hz,
        recording.label_runs,
        recording.label_names,
        recording.gaps,
        recording.name,
        lambda: iter([recording.samples]),
    )


def join_streams(streams: Sequence[RecordingStream], name: str = "") -> RecordingStream:
    """One after the other, as `recordings.concatenate` does it: the border between two is a gap.

    Raises RecordingError if there is no stream, or their rates differ.
    """
    if not streams:
        raise RecordingError("there is no recording to join")
    first = streams[0]
    index: dict[str, int] = {}
    runs, gaps, offset = [], [np.empty(0, np.int64)], 0
    for stream in streams:
        if not math.isclose(stream.rate_hz, first.rate_hz, rel_tol=RATE_TOLERANCE):
            raise RecordingError(
                f"{first.name} has {first.rate_hz:g} Hz and {stream.name} has"
                f" {stream.rate_hz:g} Hz; recordings of different rates cannot be joined"
            )
        table = [index.setdefault(label, len(index)) for label in stream.label_names]
        labels = np.array([*table, -1], np.int16)[stream.label_runs.labels]
        runs.append(replace(stream.label_runs, labels=labels))
        gaps.extend([np.array([offset]), stream.gaps + offset])
        offset += stream.n_samples
    borders = np.unique(np.concatenate(gaps))

    def pieces() -> Iterator[NDArray[np.float32]]:
        for stream in streams:
            yield from stream.pieces()

    return RecordingStream(
        first.rate_hz,
        LabelRuns.join(runs),
        tuple(index),
        borders[(borders > 0) & (borders < offset)],
        name,
        pieces,
    )
