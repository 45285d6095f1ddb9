"""Where in a stream fine-tuning begins: what a person says, turned into a sample index."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from tinyol_sim.errors import RecordingError
from tinyol_sim.recording_stream import RecordingStream
from tinyol_sim.recordings import Recording
from tinyol_sim.text import one_line

# An unlabelled stretch shorter than this is somebody walking between two labels.
MIN_UNLABELLED_S = 10.0

Stream = Recording | RecordingStream


@dataclass(frozen=True)
class FineTuneStart:
    """sample: index in the stream of the first sample that fine-tuning may see; why: in words."""

    sample: int
    why: str


def find_fine_tune_start(where: str, stream: Stream, lengths: Sequence[int] = ()) -> FineTuneStart:
    """The sample that `where` means.

    Args:
        where: one of
            "auto"         the first unlabelled stretch of 10 s or more if there is one, else the
                           start: what is to be learned as a class gets a label, what is only to
                           be got used to gets none;
            "start"        the first sample;
            "gap"          the first gap (the sensor was taken off and put on again);
            "recording:N"  the first sample of the N-th recording, from 1;
            a number       seconds from the start;
            a label        the first sample that carries it ("label:NAME" where the name reads
                           like one of the above).
        stream: the joined recordings.
        lengths: samples of each recording in it.

    Raises:
        RecordingError: there is no such place; says what there is.
    """
    if where == "auto":
        return _first_unlabelled(stream)
    if where == "start":
        return FineTuneStart(0, "the start")
    if where == "gap":
        if not len(stream.gaps):
            raise RecordingError("fine-tuning is to begin at the first gap, but there is none")
        return FineTuneStart(int(stream.gaps[0]), "the first gap")
    if where.startswith("recording:"):
        return _recording(where, lengths or [stream.n_samples])
    seconds = _seconds(where)
    if seconds is not None:
        sample = math.ceil(seconds * stream.rate_hz - 1e-9)
        if not 0 <= sample < stream.n_samples:
            raise RecordingError(
                f"fine-tuning is to begin at {seconds:g} s, but there are"
                f" {stream.duration_s:g} s of recordings"
            )
        return FineTuneStart(sample, "as asked")
    return _label(where.removeprefix("label:"), stream)


def _first_unlabelled(stream: Stream) -> FineTuneStart:
    runs = stream.label_runs
    lengths = runs.stops - runs.starts
    found = runs.starts[(runs.labels < 0) & (lengths >= MIN_UNLABELLED_S * stream.rate_hz)]
    if not len(found):
        return FineTuneStart(0, "the start")
    return FineTuneStart(int(found[0]), "the first unlabelled stretch")


def _recording(where: str, lengths: Sequence[int]) -> FineTuneStart:
    number = where.removeprefix("recording:")
    short = number.isdecimal() and len(number) <= 10  # int() refuses thousands of digits
    if not (short and 1 <= int(number) <= len(lengths)):
        raise RecordingError(
            f"fine-tuning is to begin at {one_line(where)!r}; N in recording:N must be 1 to"
            f" {len(lengths)}"
        )
    return FineTuneStart(sum(lengths[: int(number) - 1]), f"recording {int(number)}")


def _seconds(where: str) -> float | None:
    try:
        seconds = float(where.removesuffix("s"))
    except ValueError:
        return None
    return seconds if math.isfinite(seconds) else None


def _label(name: str, stream: Stream) -> FineTuneStart:
    first = stream.label_runs.first_samples()
    present = [label for i, label in enumerate(stream.label_names) if i in first]
    if name not in present:
        known = ", ".join(present) if present else "none"
        raise RecordingError(
            f"fine-tuning is to begin at {name!r}: that is neither auto, start, gap, recording:N,"
            f" a number of seconds, nor a label of these recordings ({known})"
        )
    return FineTuneStart(first[stream.label_names.index(name)], f"the first {name}")
