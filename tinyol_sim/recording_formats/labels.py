"""Labels of samples: the rule for class names, and intervals of time that carry a label."""

from __future__ import annotations

import csv
import io
import math
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tinyol_sim.errors import RecordingError
from tinyol_sim.label_runs import LabelRuns
from tinyol_sim.recording_formats.parsed import read_text

MAX_CLASS_NAME_BYTES = 15  # a device keeps 16 bytes a name, the last one zero
SIDECAR_SUFFIX = ".labels.csv"
_COLUMNS = ["start_s", "stop_s", "label"]


def class_name_problem(name: str) -> str | None:
    """Why a device would refuse `name` as a class name; None if it would not."""
    if not name:
        return "a class name must not be empty"
    if not name.isprintable():
        return f"class name {name!r} has a character that cannot be printed"
    if name != name.strip():
        return f"class name {name!r} begins or ends with a space"
    n_bytes = len(name.encode())
    if n_bytes > MAX_CLASS_NAME_BYTES:
        shown = name if len(name) <= 40 else name[:40] + "..."
        return (
            f"class name {shown!r} is {n_bytes} bytes long in UTF-8;"
            f" at most {MAX_CLASS_NAME_BYTES} fit"
        )
    return None


@dataclass(frozen=True)
class Interval:
    """The samples at times t with start_s <= t < stop_s carry `label`.

    start_s, stop_s: seconds, 0 <= start_s < stop_s, finite; label: a class name.
    Raises RecordingError if they are not.
    """

    start_s: float
    stop_s: float
    label: str

    def __post_init__(self) -> None:
        if not (math.isfinite(self.start_s) and math.isfinite(self.stop_s)):
            raise RecordingError(f"{_text(self)} must begin and end at a finite time")
        if not 0 <= self.start_s < self.stop_s:
            raise RecordingError(f"{_text(self)} must have 0 <= start_s < stop_s")
        if problem := class_name_problem(self.label):
            raise RecordingError(problem)


def _text(interval: Interval) -> str:
    return f"the interval from {interval.start_s:g} s to {interval.stop_s:g} s"


def apply_intervals(
    time_s: NDArray[np.float64],
    labels: NDArray[np.int16],
    label_names: Sequence[str],
    intervals: Iterable[Interval],
) -> tuple[NDArray[np.int16], tuple[str, ...]]:
    """Labels (n,) int16 and their names after `intervals` have been laid over them.

    time_s: (n,) float64, increasing. Samples in no interval keep their label.
    Raises RecordingError if two intervals overlap, or one holds no sample.
    """
    index = {name: i for i, name in enumerate(label_names)}
    result = labels.copy()
    end_s = float(time_s[-1]) if len(time_s) else 0.0

    def sample_at(at_s: float) -> int:
        return int(np.searchsorted(time_s, at_s, side="left"))

    for interval, start, stop in _places(intervals, sample_at, end_s):
        result[start:stop] = index.setdefault(interval.label, len(index))
    return result, tuple(index)


def interval_runs(
    intervals: Iterable[Interval], sample_at: Callable[[float], int], end_s: float, n_samples: int
) -> tuple[LabelRuns, tuple[str, ...]]:
    """The same as runs, where samples in no interval have no label.

    sample_at: the first sample at or after a time in seconds, n_samples if there is none.
    end_s: the last sample's time, n_samples > 0: their number.
    """
    index: dict[str, int] = {}
    starts, labels = [0], [-1]
    for interval, start, stop in _places(intervals, sample_at, end_s):
        starts += [start, stop]
        labels += [index.setdefault(interval.label, len(index)), -1]
    all_starts, all_labels = np.array(starts, np.int64), np.array(labels, np.int16)
    kept = np.append(all_starts[1:], n_samples) > all_starts  # intervals may meet: no run between
    runs = LabelRuns(all_starts[kept], all_labels[kept], n_samples)
    return LabelRuns.join([runs]), tuple(index)


def _places(
    intervals: Iterable[Interval], sample_at: Callable[[float], int], end_s: float
) -> Iterator[tuple[Interval, int, int]]:
    """Each interval with its first sample and the one behind its last, in the order of time."""
    ordered = sorted(intervals, key=lambda interval: interval.start_s)
    for earlier, later in pairwise(ordered):
        if later.start_s < earlier.stop_s:
            raise RecordingError(
                f"{_text(earlier)} ({earlier.label}) and {_text(later)} ({later.label}) overlap"
            )
    for interval in ordered:
        start, stop = sample_at(interval.start_s), sample_at(interval.stop_s)
        if start == stop:
            raise RecordingError(
                f"{_text(interval)} ({interval.label}) holds no sample;"
                f" the last one is at {end_s:g} s"
            )
        yield interval, start, stop


def find_intervals(
    time_s: NDArray[np.float64],
    labels: NDArray[np.int16],
    label_names: Sequence[str],
    period_s: float,
) -> list[Interval]:
    """The inverse of `apply_intervals`: one interval a run of equal labels, none for no label."""
    borders = np.flatnonzero(labels[1:] != labels[:-1]) + 1
    starts = [0, *borders.tolist()]
    stops = [*borders.tolist(), len(labels)]
    return [
        Interval(
            float(time_s[start]),
            float(time_s[stop]) if stop < len(labels) else float(time_s[-1]) + period_s,
            label_names[labels[start]],
        )
        for start, stop in zip(starts, stops, strict=True)
        if start < stop and labels[start] >= 0
    ]


def sidecar_of(path: Path) -> Path:
    """Where the intervals of a recording lie: NAME.labels.csv beside the file or folder NAME."""
    if path.is_dir():
        folder = Path(os.path.abspath(path))  # "." has a name, too
        return folder.with_name(folder.name + SIDECAR_SUFFIX)
    return path.with_name(path.stem + SIDECAR_SUFFIX)


def read_intervals(path: str | Path) -> list[Interval]:
    """The intervals of a CSV file with the columns start_s,stop_s,label, in the file's order.

    Blank lines and lines that begin with # are left out. A file with a header alone is an empty
    list. Raises RecordingError naming file and line.
    """
    path = Path(path)
    intervals = []
    header_seen = False
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        try:
            fields = [field.strip() for field in next(csv.reader([line], strict=True))]
        except csv.Error as error:
            raise RecordingError(f"{path}:{number}: {error}") from None
        if not header_seen:
            if fields != _COLUMNS:
                raise RecordingError(
                    f"{path}:{number}: {line.strip()[:60]!r} is not the header start_s,stop_s,label"
                )
            header_seen = True
            continue
        if len(fields) != len(_COLUMNS):
            raise RecordingError(
                f"{path}:{number}: {len(fields)} columns; start_s,stop_s,label are 3"
            )
        try:
            start_s, stop_s = float(fields[0]), float(fields[1])
        except ValueError:
            raise RecordingError(
                f"{path}:{number}: start_s {fields[0]!r} and stop_s {fields[1]!r} must be numbers"
            ) from None
        try:
            intervals.append(Interval(start_s, stop_s, fields[2]))
        except RecordingError as error:
            raise RecordingError(f"{path}:{number}: {error}") from None
    if not header_seen:
        raise RecordingError(f"{path}: there is no header; it must be start_s,stop_s,label")
    return intervals


def intervals_to_bytes(intervals: Iterable[Interval]) -> bytes:
    """A file that `read_intervals` reads back exactly."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    writer.writerows((i.start_s, i.stop_s, i.label) for i in intervals)
    return text.getvalue().encode()
