"""Where in a stream fine-tuning ends at the latest: what it is not to get used to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinyol_sim.fine_tune_start import Stream

NORMAL = "normal"  # the label that training, too, takes for normal unless told otherwise


@dataclass(frozen=True)
class FineTuneEnd:
    """sample: index in the stream of the first sample too many; label: the class that it shows."""

    sample: int
    label: str


def find_fine_tune_end(stream: Stream, start: int) -> FineTuneEnd | None:
    """The first sample at or after `start` that carries another class; None if there is none.

    Another than the class of sample `start`; if that one has no label, than "normal", which may
    follow a stretch that nobody labelled, whereas a fault must not be got used to. Gaps, borders
    between recordings and unlabelled stretches end nothing.
    """
    names, runs = stream.label_names, stream.label_runs
    first = int(runs.at(np.array([start]))[0])
    label = int(runs.labels[first])
    if label < 0 and NORMAL in names:
        label = names.index(NORMAL)
    after = runs.labels[first:]
    other = np.flatnonzero((after >= 0) & (after != label))
    if not len(other):
        return None
    run = first + int(other[0])
    return FineTuneEnd(int(runs.starts[run]), names[runs.labels[run]])
