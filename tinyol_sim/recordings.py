"""Recorded accelerometer streams: the type, and reading and writing it in every format.

The formats are specified in docs/recordings.md; the code of each is in recording_formats/.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinyol_sim import files
from tinyol_sim.errors import RecordingError
from tinyol_sim.label_runs import LabelRuns
from tinyol_sim.recording_formats import edge_impulse, labels, npz, tinyol_csv
from tinyol_sim.recording_formats.labels import Interval, class_name_problem, read_intervals
from tinyol_sim.recording_formats.timestamps import gaps_in
from tinyol_sim.text import printable

__all__ = [
    "Interval",
    "Recording",
    "concatenate",
    "read_intervals",
    "read_recording",
    "read_recordings",
    "recording_units",
    "write_recording",
]

StrPath = str | os.PathLike[str]
RATE_TOLERANCE = 1e-3  # 8.4 ms stands for 119 Hz; 104 Hz for 119 Hz is a mistake
_READERS = {".csv": tinyol_csv.read, ".json": edge_impulse.read, ".npz": npz.read}
_KINDS = ".csv, .json (Edge Impulse) or .npz"
_WRITERS = {".csv": tinyol_csv.to_bytes, ".json": edge_impulse.to_bytes, ".npz": npz.to_bytes}


@dataclass(frozen=True, eq=False)
class Recording:
    """A stream of samples from a three-axis accelerometer.

    samples: (n, 3) float32, g, finite
    rate_hz: samples a second, above 0
    labels: (n,) int16 index into label_names, -1 = no label
    label_names: class names, each once
    gaps: (g,) int64, sorted; each index i says: sample i does not follow sample i - 1. 0 < i < n
    name: what to call it in tables and plots; what a terminal would obey in it is escaped

    Raises RecordingError if the fields do not fit together. Arrays of other number types are
    converted.
    """

    samples: NDArray[np.float32]
    rate_hz: float
    labels: NDArray[np.int16]
    label_names: tuple[str, ...]
    gaps: NDArray[np.int64]
    name: str

    def __post_init__(self) -> None:
        samples = np.ascontiguousarray(self.samples, dtype=np.float32)
        if samples.ndim != 2 or samples.shape[1] != 3:
            raise RecordingError(f"samples have shape {samples.shape}; they must be (n, 3)")
        if not np.isfinite(samples).all():
            raise RecordingError("samples must be finite numbers")
        if not (math.isfinite(self.rate_hz) and self.rate_hz > 0):
            raise RecordingError(f"rate_hz is {self.rate_hz}; it must be a number above 0")
        names = tuple(self.label_names)
        for name in names:
            if problem := class_name_problem(name):
                raise RecordingError(problem)
        if len(set(names)) != len(names):
            raise RecordingError(f"label_names {names} has a name twice")
        index = _integers("labels", self.labels)
        if len(index) != len(samples):
            raise RecordingError(f"there are {len(index)} labels for {len(samples)} samples")
        if len(index) and not (index.min() >= -1 and index.max() < len(names)):
            raise RecordingError(f"labels must be -1 or an index into {len(names)} label_names")
        gaps = _integers("gaps", self.gaps)
        if np.any(np.diff(gaps, prepend=0, append=len(samples)) <= 0) and len(gaps):
            raise RecordingError(f"gaps must increase and lie between 0 and {len(samples)}")
        object.__setattr__(self, "samples", samples)
        object.__setattr__(self, "rate_hz", float(self.rate_hz))
        object.__setattr__(self, "labels", index.astype(np.int16))
        object.__setattr__(self, "label_names", names)
        object.__setattr__(self, "gaps", gaps)
        object.__setattr__(self, "name", printable(self.name))

    @property
    def n_samples(self) -> int:
        """How many samples there are."""
        return len(self.samples)

    @property
    def duration_s(self) -> float:
        """Seconds of recorded signal; what a gap left out does not count."""
        return self.n_samples / self.rate_hz

    @property
    def label_runs(self) -> LabelRuns:
        """The labels as runs of equal ones."""
        return LabelRuns.of(self.labels)

    def with_label(self, name: str | None) -> Recording:
        """The same samples, all labelled `name`, or none of them for None."""
        names = () if name is None else (name,)
        return replace(
            self,
            labels=np.full(self.n_samples, len(names) - 1, np.int16),
            label_names=names,
        )

    def with_intervals(self, intervals: Iterable[Interval]) -> Recording:
        """The same samples, labelled where an interval covers them; the others keep their label.

        Sample i is at i / rate_hz seconds. Raises RecordingError if two intervals overlap or one
        holds no sample.
        """
        new, names = labels.apply_intervals(
            self._time_s(), self.labels, self.label_names, intervals
        )
        return replace(self, labels=new, label_names=names)

    def slice(self, start: int, stop: int) -> Recording:
        """Samples start to stop - 1, with Python's rules for negative and too large indices."""
        start, stop, _ = slice(start, stop).indices(self.n_samples)
        stop = max(start, stop)
        gaps = self.gaps[(self.gaps > start) & (self.gaps < stop)] - start
        return replace(
            self, samples=self.samples[start:stop], labels=self.labels[start:stop], gaps=gaps
        )

    def _time_s(self) -> NDArray[np.float64]:
        return np.arange(self.n_samples, dtype=np.float64) / self.rate_hz


def concatenate(recordings: Sequence[Recording], name: str = "") -> Recording:
    """One recording after the other; the border between two is a gap.

    Labels keep their names. Raises RecordingError if there is no recording, or their rates differ.
    """
    if not recordings:
        raise RecordingError("there is no recording to join")
    first = recordings[0]
    index: dict[str, int] = {}
    new_labels = []
    gaps = []
    offset = 0
    for recording in recordings:
        if not math.isclose(recording.rate_hz, first.rate_hz, rel_tol=RATE_TOLERANCE):
            raise RecordingError(
                f"{first.name} has {first.rate_hz:g} Hz and {recording.name} has"
                f" {recording.rate_hz:g} Hz; recordings of different rates cannot be joined"
            )
        table = [index.setdefault(label, len(index)) for label in recording.label_names]
        new_labels.append(np.array([*table, -1], np.int16)[recording.labels])
        gaps.extend([np.array([offset]), recording.gaps + offset])
        offset += recording.n_samples
    borders = np.unique(np.concatenate(gaps))
    return Recording(
        samples=np.concatenate([recording.samples for recording in recordings]),
        rate_hz=first.rate_hz,
        labels=np.concatenate(new_labels),
        label_names=tuple(index),
        gaps=borders[(borders > 0) & (borders < offset)],
        name=name,
    )


def read_recording(
    path: StrPath, *, rate_hz: float | None = None, label: str | None = None
) -> Recording:
    """Read one recording: a .csv, .json (Edge Impulse) or .npz file, or a folder of them.

    A folder's files are joined in the order of their names (numbers by value), a gap at each
    border. `rate_hz` is needed where a file does not state its rate and must agree with it, within
    0.1 %, where it does. `label` is given to every sample and goes before the intervals in
    NAME.labels.csv, which go before the labels in the file.

    Raises RecordingError naming file and line (or field) and what would be right.
    """
    path = Path(path)
    check_arguments(rate_hz, label)
    if not path.is_dir():
        return _read_file(path, rate_hz, label)
    pieces = [_read_file(file, rate_hz, label) for file in files_of(path)]
    try:
        whole = concatenate(pieces, name=Path(os.path.abspath(path)).name)
    except RecordingError as error:
        raise RecordingError(f"{path}: {error}") from None
    sidecar = labels.sidecar_of(path)
    return _with_sidecar(whole, sidecar) if label is None and sidecar.is_file() else whole


def check_arguments(rate_hz: float | None, label: str | None) -> None:
    """Raises RecordingError for what cannot be a rate, or a label."""
    if label is not None and (problem := class_name_problem(label)):
        raise RecordingError(f"label: {problem}")
    if rate_hz is not None and not (math.isfinite(rate_hz) and rate_hz > 0):
        raise RecordingError(f"rate_hz is {rate_hz}; it must be a number above 0")


def files_of(folder: Path) -> list[Path]:
    """The files that a folder's recording is joined of. Raises RecordingError without any."""
    found = _recordings_in(folder)
    if not found:
        raise RecordingError(f"{folder}: there is no {_KINDS} file in this folder")
    return found


def read_recordings(paths: Sequence[StrPath], *, rate_hz: float | None = None) -> list[Recording]:
    """Read files and folders, each to one recording or more.

    A folder of CSV files without a header is one recording in slices (see `read_recording`). Any
    other folder gives one recording a file, in the order of the names (numbers by value), then
    those of the folders in it. Raises RecordingError as `read_recording` does.
    """
    return [read_recording(unit, rate_hz=rate_hz) for unit in recording_units(paths)]


def recording_units(paths: Sequence[StrPath]) -> list[Path]:
    """The files and folders that are one recording each, as `read_recordings` takes them.

    Of a CSV only the header is read, so that one that is damaged below it is found later. Raises
    RecordingError for a folder without any.
    """
    found: list[Path] = []
    for path in [paths] if isinstance(paths, str) else paths:
        units = _units_at(Path(path))
        if not units:
            raise RecordingError(f"{path}: there is no {_KINDS} file in this folder")
        found.extend(units)
    return found


def write_recording(recording: Recording, path: StrPath) -> None:
    """Write a recording in the format of the suffix: .csv, .npz, or .json (Edge Impulse).

    The file is whole or not there. .csv and .npz read back as the same recording. An Edge Impulse
    file has no labels of its own: where its name does not say them, NAME.labels.csv is written
    beside it. Raises RecordingError for another suffix, a recording without samples, gaps in an
    Edge Impulse file, a NAME.labels.csv that is there and says something else, or a failing disk.
    """
    path = Path(path)
    to_bytes = _WRITERS.get(path.suffix.lower())
    if to_bytes is None:
        raise RecordingError(f"{path}: the suffix must be {_KINDS}")
    if not recording.n_samples:
        raise RecordingError(f"{path}: a recording without samples cannot be written")
    if to_bytes is edge_impulse.to_bytes:
        recording = replace(recording, rate_hz=edge_impulse.stated_rate_hz(recording.rate_hz))
    sidecar = labels.sidecar_of(path)
    if sidecar.exists():
        _check_same_labels(recording, sidecar)
    try:
        data = to_bytes(recording)
    except RecordingError as error:
        raise RecordingError(f"{path}: {error}") from None
    if to_bytes is edge_impulse.to_bytes and not sidecar.exists():
        _write_sidecar(recording, sidecar, edge_impulse.file_label(path))
    files.write_whole(path, data, RecordingError)


def _integers(what: str, values: ArrayLike) -> NDArray[np.int64]:
    array = np.asarray(values)
    if array.ndim != 1 or (array.size and array.dtype.kind not in "iu"):
        raise RecordingError(f"{what} are {array.dtype} {array.shape}; they must be integers (n,)")
    return array.astype(np.int64)


def _recordings_in(folder: Path) -> list[Path]:
    found = files.files_in(folder, _READERS)
    return [
        path
        for path in found
        if not path.name.endswith(labels.SIDECAR_SUFFIX) and not files.is_table(path)
    ]


def _units_at(path: Path) -> list[Path]:
    """The files and folders at or below `path` that are one recording each."""
    if not path.is_dir():
        return [path]
    units = _recordings_in(path)
    if units and units[0].suffix.lower() == ".csv" and not tinyol_csv.has_column_names(units[0]):
        units = [path]
    for folder in files.folders_in(path):
        units.extend(_units_at(folder))
    return units


def _read_file(path: Path, rate_hz: float | None, label: str | None) -> Recording:
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        reason = f"not a {_KINDS} file" if path.exists() else "there is no such file or folder"
        raise RecordingError(f"{path}: {reason}")
    parsed = reader(path)
    rate_hz = parsed.resolve_rate(path, rate_hz, RATE_TOLERANCE)
    gaps = parsed.gaps
    time_s = parsed.time_s
    if time_s is not None:
        gaps = np.union1d(gaps, gaps_in(time_s, rate_hz, parsed.where))
    try:
        recording = Recording(
            parsed.samples, rate_hz, parsed.labels, parsed.label_names, gaps, path.stem
        )
    except RecordingError as error:
        raise RecordingError(f"{path}: {error}") from None
    if label is not None:
        return recording.with_label(label)
    sidecar = labels.sidecar_of(path)
    if sidecar.is_file():
        return _with_sidecar(recording, sidecar, time_s)
    if parsed.default_label is None:
        return recording
    if problem := class_name_problem(parsed.default_label):
        raise RecordingError(f"{path}: the label that its name stands for: {problem}; give a label")
    return recording.with_label(parsed.default_label)


def _with_sidecar(
    recording: Recording, sidecar: Path, time_s: NDArray[np.float64] | None = None
) -> Recording:
    """The recording with the intervals of `sidecar` in place of its own labels."""
    intervals = read_intervals(sidecar)
    bare = recording.with_label(None)
    try:
        if time_s is None:
            return bare.with_intervals(intervals)
        new, names = labels.apply_intervals(time_s, bare.labels, (), intervals)
    except RecordingError as error:
        raise RecordingError(f"{sidecar}: {error}") from None
    return replace(bare, labels=new, label_names=names)


def _write_sidecar(recording: Recording, sidecar: Path, file_label: str) -> None:
    """Keep the labels in `sidecar`, unless the file's name alone says the same."""
    if set(_label_texts(recording)) == {file_label}:
        return
    intervals = labels.find_intervals(
        recording._time_s(), recording.labels, recording.label_names, 1 / recording.rate_hz
    )
    files.write_whole(sidecar, labels.intervals_to_bytes(intervals), RecordingError)


def _label_texts(recording: Recording) -> list[str]:
    names = [*recording.label_names, ""]
    return [names[i] for i in recording.labels.tolist()]


def _check_same_labels(recording: Recording, sidecar: Path) -> None:
    try:
        same = _label_texts(_with_sidecar(recording, sidecar)) == _label_texts(recording)
    except RecordingError:
        same = False
    if not same:
        raise RecordingError(
            f"{sidecar} is there and would give other labels to what is to be written; move it away"
        )
