"""Recordings as .npz: numpy arrays, exact and quick to load."""

from __future__ import annotations

import io
import math
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

import numpy as np
from numpy.typing import NDArray

from tinyol_sim.errors import RecordingError
from tinyol_sim.npz_arrays import read_npz
from tinyol_sim.recording_formats.labels import class_name_problem
from tinyol_sim.recording_formats.parsed import G_PER_UNIT, Parsed, to_float32_g

if TYPE_CHECKING:
    from tinyol_sim.recordings import Recording

FORMAT_VERSION = 1
KEYS = ("tinyol_recording", "samples", "rate_hz", "units", "labels", "label_names", "gaps")


def read(path: Path) -> Parsed:
    """Read an .npz recording; of its arrays only `samples` must be there. Raises RecordingError."""
    with opened(path) as file:
        arrays = load(path, file, KEYS)
    samples = arrays.get("samples")
    check_samples(path, samples)
    assert samples is not None
    facts = facts_of(path, arrays)
    labels = vector(path, arrays, "labels", "iu", np.full(len(samples), -1, np.int16))
    check_n_labels(path, len(labels), len(samples))

    def where(row: int) -> str:
        return f"{path}: samples[{row}]"

    return Parsed(
        samples=to_float32_g(samples, facts.units, where),
        where=where,
        labels=checked_labels(path, labels, 0, facts.label_names),
        label_names=facts.label_names,
        rate_hz=facts.rate_hz,
        rate_where=str(path),
        gaps=facts.gaps,
    )


@dataclass(frozen=True, eq=False)
class Facts:
    """What an .npz recording says beside its samples and labels; as of a Parsed."""

    units: str
    rate_hz: float | None
    label_names: tuple[str, ...]
    gaps: NDArray[np.int64]


def facts_of(path: Path, arrays: dict[str, NDArray[Any]]) -> Facts:
    """Of the arrays that are not as long as the recording. Raises RecordingError."""
    version = _scalar(path, arrays, "tinyol_recording", FORMAT_VERSION)
    if version != FORMAT_VERSION:
        raise RecordingError(
            f"{path}: tinyol_recording is {version!r}; this program reads {FORMAT_VERSION}"
        )
    units = str(_scalar(path, arrays, "units", "g"))
    if units not in G_PER_UNIT:
        raise RecordingError(f"{path}: units are {units!r}; they must be g or m/s2")
    rate_hz = _scalar(path, arrays, "rate_hz", None)
    if rate_hz is not None:
        is_number = isinstance(rate_hz, int | float) and not isinstance(rate_hz, bool)
        if not (is_number and math.isfinite(rate_hz) and rate_hz > 0):
            raise RecordingError(f"{path}: rate_hz is {rate_hz!r}; it must be a number above 0")
    names = tuple(map(str, vector(path, arrays, "label_names", "U", np.empty(0, np.str_))))
    for name in names:
        if problem := class_name_problem(name):
            raise RecordingError(f"{path}: label_names: {problem}")
    gaps = vector(path, arrays, "gaps", "iu", np.empty(0, np.int64)).astype(np.int64)
    return Facts(units, None if rate_hz is None else float(rate_hz), names, gaps)


class ArrayHead(Protocol):
    """An array, or what is known of one before it is read."""

    @property
    def shape(self) -> tuple[int, ...]:
        """As of an array."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """As of an array."""


def check_samples(path: Path, samples: ArrayHead | None) -> None:
    """Raises RecordingError if samples are missing or of another shape or type."""
    if samples is None:
        raise RecordingError(f"{path}: the array 'samples' (n, 3) is missing")
    shape = samples.shape
    if len(shape) != 2 or shape[1] != 3 or samples.dtype.kind not in "fiu":
        raise RecordingError(
            f"{path}: samples are {samples.dtype} {shape}; they must be numbers (n, 3)"
        )
    if not shape[0]:
        raise RecordingError(f"{path}: no samples")


def check_n_labels(path: Path, n_labels: int, n_samples: int) -> None:
    """Raises RecordingError if not every sample has a label, even if that is -1."""
    if n_labels != n_samples:
        raise RecordingError(f"{path}: there are {n_labels} labels for {n_samples} samples")


def checked_labels(
    path: Path, labels: NDArray[Any], first: int, names: Sequence[str]
) -> NDArray[np.int16]:
    """Labels (m,) from sample `first` on. Raises RecordingError for one that is no index."""
    outside = np.flatnonzero((labels < -1) | (labels >= len(names)))
    if len(outside):
        row = int(outside[0])
        raise RecordingError(
            f"{path}: labels[{first + row}] is {labels[row]}; it must be -1 (none) or an index"
            f" into the {len(names)} label_names"
        )
    return labels.astype(np.int16)


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


def opened(path: Path) -> BinaryIO:
    """The file, found to be an archive. Raises RecordingError."""
    try:
        file: BinaryIO = open(path, "rb")  # noqa: SIM115 (the caller's `with`)
    except OSError as error:
        raise RecordingError(f"{path}: {error.strerror or error}") from None
    if not file.seekable():  # a pipe
        with file:
            file = io.BytesIO(file.read())
    if not zipfile.is_zipfile(file):
        file.close()
        raise RecordingError(f"{path}: no .npz file, or one that was cut short")
    file.seek(0)
    return file


def load(path: Path, file: BinaryIO, keys: Iterable[str]) -> dict[str, NDArray[Any]]:
    """Those of the arrays that are there. Raises RecordingError."""
    try:
        return read_npz(file, keys)
    except RecordingError as error:
        raise RecordingError(f"{path}: {error}") from None


def _scalar(path: Path, arrays: dict[str, NDArray[Any]], key: str, default: Any) -> Any:
    if key not in arrays:
        return default
    if arrays[key].size != 1:
        raise RecordingError(f"{path}: {key} has shape {arrays[key].shape}; it must be one value")
    return arrays[key].reshape(-1)[0].item()


def vector(
    path: Path, arrays: dict[str, NDArray[Any]], key: str, kinds: str, default: NDArray[Any]
) -> NDArray[Any]:
    """The array `key`, (n,), of one of these kinds. Raises RecordingError."""
    array = arrays.get(key, default)
    check_vector(path, key, array, kinds)
    return array


def check_vector(path: Path, key: str, array: ArrayHead, kinds: str) -> None:
    """Raises RecordingError if an array is not (n,), or of none of these kinds."""
    # An empty one may be of numpy's default type, float64.
    if len(array.shape) != 1 or array.dtype.kind not in (kinds if array.shape[0] else kinds + "f"):
        what = "text" if kinds == "U" else "integers"
        raise RecordingError(
            f"{path}: {key} is {array.dtype} {array.shape}; it must be {what} (n,)"
        )
