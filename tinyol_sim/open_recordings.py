"""Recordings of any length, opened: the same as `tinyol_sim.recordings` reads, as streams.

A first pass finds rate, labels and gaps. It reads all of a CSV, and checks it; of an .npz file
only the labels. An Edge Impulse file is read whole, each time.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from tinyol_sim.errors import RecordingError
from tinyol_sim.recording_formats import csv_scan, npz_scan
from tinyol_sim.recording_formats.labels import (
    class_name_problem,
    interval_runs,
    read_intervals,
    sidecar_of,
)
from tinyol_sim.recording_stream import RecordingStream, join_streams, stream_of
from tinyol_sim.recordings import (
    RATE_TOLERANCE,
    StrPath,
    check_arguments,
    files_of,
    read_recording,
)
from tinyol_sim.text import printable


def open_recording(
    path: StrPath, *, rate_hz: float | None = None, label: str | None = None
) -> RecordingStream:
    """One recording as a stream: what `recordings.read_recording` reads, with the same arguments.

    Raises RecordingError as that does; what is wrong with the samples of an .npz file is found
    when they are read.
    """
    path = Path(path)
    check_arguments(rate_hz, label)
    if not path.is_dir():
        return _open_file(path, rate_hz, label)
    pieces = [_open_file(file, rate_hz, label) for file in files_of(path)]
    try:
        whole = join_streams(pieces, name=printable(Path(os.path.abspath(path)).name))
    except RecordingError as error:
        raise RecordingError(f"{path}: {error}") from None
    sidecar = sidecar_of(path)
    return _with_sidecar(whole, sidecar) if label is None and sidecar.is_file() else whole


def _open_file(path: Path, rate_hz: float | None, label: str | None) -> RecordingStream:
    suffix = path.suffix.lower()
    if suffix not in (".csv", ".npz") or not path.is_file():
        return _read_each_time(path, rate_hz, label)
    sidecar = sidecar_of(path)
    intervals = read_intervals(sidecar) if label is None and sidecar.is_file() else []
    if suffix == ".csv":
        borders_s = sorted({t for i in intervals for t in (i.start_s, i.stop_s)})
        found = csv_scan.scan(path, rate_hz, RATE_TOLERANCE, borders_s)
    else:
        found = npz_scan.scan(path, rate_hz, RATE_TOLERANCE)
    stream = RecordingStream(
        found.rate_hz,
        found.label_runs,
        found.label_names,
        found.gaps,
        printable(path.stem),
        found.pieces,
    )
    if label is not None:
        return stream.with_label(label)
    if sidecar.is_file():
        places = found.samples_at
        if places is None or found.end_s is None:
            return _with_sidecar(stream, sidecar)
        return _with_sidecar(stream, sidecar, places.__getitem__, found.end_s)
    if found.default_label is None:
        return stream
    if problem := class_name_problem(found.default_label):
        raise RecordingError(f"{path}: the label that its name stands for: {problem}; give a label")
    return stream.with_label(found.default_label)


def _read_each_time(path: Path, rate_hz: float | None, label: str | None) -> RecordingStream:
    """A file that must be read whole; its samples are not kept, unless it is a pipe."""

    def read() -> RecordingStream:
        return stream_of(read_recording(path, rate_hz=rate_hz, label=label))

    stream = read()
    return replace(stream, pieces=lambda: read().pieces()) if path.is_file() else stream


def _with_sidecar(
    stream: RecordingStream,
    sidecar: Path,
    sample_at: Callable[[float], int] | None = None,
    end_s: float | None = None,
) -> RecordingStream:
    """The stream with the intervals of `sidecar` in place of its own labels.

    Without times of its own, sample i is at i / rate_hz seconds.
    """
    n, rate_hz = stream.n_samples, stream.rate_hz

    def at_rate(at_s: float) -> int:
        sample = min(max(0, math.ceil(at_s * rate_hz)), n)
        while sample > 0 and (sample - 1) / rate_hz >= at_s:
            sample -= 1
        while sample < n and sample / rate_hz < at_s:
            sample += 1
        return sample

    end_s = (n - 1) / rate_hz if end_s is None else end_s
    try:
        runs, names = interval_runs(read_intervals(sidecar), sample_at or at_rate, end_s, n)
    except RecordingError as error:
        raise RecordingError(f"{sidecar}: {error}") from None
    return replace(stream, label_runs=runs, label_names=names)
