"""Recordings as .npz: numpy arrays, exact and quick to load."""

from __future__ import annotations

import io
import math
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tinyol_sim.errors import RecordingError
from tinyol_sim.npz_arrays import read_npz
from tinyol_sim.recording_formats.labels import class_name_problem
from tinyol_sim.recording_formats.parsed import G_PER_UNIT, Parsed, to_float32_g

if TYPE_CHECKING:
    from tinyol_sim.recordings import Recording

FORMAT_VERSION = 1
_KEYS = ("tinyol_recording", "samples", "rate_hz", "units", "labels", "label_names", "gaps")


def read(path: Path) -> Parsed:
    """Read an .npz recording; of its arrays only `samples` must be there. Raises RecordingError."""
    arrays = _load(path)
    version = _scalar(path, arrays, "tinyol_recording", FORMAT_VERSION)
    if version != FORMAT_VERSION:
        raise RecordingError(
            f"{path}: tinyol_recording is {version!r}; this program reads {FORMAT_VERSION}"
        )
    samples = arrays.get("samples")
    if samples is None:
        raise RecordingError(f"{path}: the array 'samples' (n, 3) is missing")
    if samples.ndim != 2 or samples.shape[1] != 3 or samples.dtype.kind not in "fiu":
        raise RecordingError(
            f"{path}: samples are {samples.dtype} {samples.shape}; they must be numbers (n, 3)"
        )
    if not len(samples):
        raise RecordingError(f"{path}: no samples")
    units = str(_scalar(path, arrays, "units", "g"))
    if units not in G_PER_UNIT:
        raise RecordingError(f"{path}: units are {units!r}; they must be g or m/s2")
    rate_hz = _scalar(path, arrays, "rate_hz", None)
    if rate_hz is not None:
        is_number = isinstance(rate_hz, int | float) and not isinstance(rate_hz, bool)
        if not (is_number and math.isfinite(rate_hz) and rate_hz > 0):
            raise RecordingError(f"{path}: rate_hz is {rate_hz!r}; it must be a number above 0")
    labels, label_names = _labels(path, arrays, len(samples))

    def where(row: int) -> str:
        return f"{path}: samples[{row}]"

    return Parsed(
        samples=to_float32_g(samples, units, where),
        where=where,
        labels=labels,
        label_names=label_names,
        rate_hz=None if rate_hz is None else float(rate_hz),
        rate_where=str(path),
        gaps=_vector(path, arrays, "gaps", "iu", np.empty(0, np.int64)).astype(np.int64),
    )


def to_bytes(recording: Recording) -> bytes:
    """The recording as an uncompressed .npz; the same recording gives the same bytes."""
    names = np.array(recording.label_names, dtype=np.str_)
    data = io.BytesIO()
    np.savez(
        data,
        tinyol_recording=np.int64(FORMAT_VERSION),
        samples=recording.samples,
        rate_hz=np.float64(recording.rate_hz),
        units=np.str_("g"),
        labels=recording.labels,
        label_names=names,
        gaps=recording.gaps,
    )
    return data.getvalue()


def _load(path: Path) -> dict[str, NDArray[Any]]:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise RecordingError(f"{path}: {error.strerror or error}") from None
    if not zipfile.is_zipfile(io.BytesIO(data)):
        raise RecordingError(f"{path}: no .npz file, or one that was cut short")
    try:
        return read_npz(data, _KEYS)
    except RecordingError as error:
        raise RecordingError(f"{path}: {error}") from None


def _scalar(path: Path, arrays: dict[str, NDArray[Any]], key: str, default: Any) -> Any:
    if key not in arrays:
        return default
    if arrays[key].size != 1:
        raise RecordingError(f"{path}: {key} has shape {arrays[key].shape}; it must be one value")
    return arrays[key].reshape(-1)[0].item()


def _vector(
    path: Path, arrays: dict[str, NDArray[Any]], key: str, kinds: str, default: NDArray[Any]
) -> NDArray[Any]:
    array = arrays.get(key, default)
    # An empty one may be of numpy's default type, float64.
    if array.ndim != 1 or array.dtype.kind not in (kinds if array.size else kinds + "f"):
        what = "text" if kinds == "U" else "integers"
        raise RecordingError(
            f"{path}: {key} is {array.dtype} {array.shape}; it must be {what} (n,)"
        )
    return array


def _labels(
    path: Path, arrays: dict[str, NDArray[Any]], n_samples: int
) -> tuple[NDArray[np.int16], tuple[str, ...]]:
    names = tuple(map(str, _vector(path, arrays, "label_names", "U", np.empty(0, np.str_))))
    for name in names:
        if problem := class_name_problem(name):
            raise RecordingError(f"{path}: label_names: {problem}")
    labels = _vector(path, arrays, "labels", "iu", np.full(n_samples, -1, np.int16))
    if len(labels) != n_samples:
        raise RecordingError(f"{path}: there are {len(labels)} labels for {n_samples} samples")
    outside = np.flatnonzero((labels < -1) | (labels >= len(names)))
    if len(outside):
        row = int(outside[0])
        raise RecordingError(
            f"{path}: labels[{row}] is {labels[row]}; it must be -1 (none) or an index into the"
            f" {len(names)} label_names"
        )
    return labels.astype(np.int16), names
