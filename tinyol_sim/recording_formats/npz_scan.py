"""A first pass over an .npz recording of any length: its labels are read, its samples later."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from tinyol_sim.errors import RecordingError
from tinyol_sim.label_runs import LabelRuns
from tinyol_sim.npz_arrays import damaged
from tinyol_sim.recording_formats import npz
from tinyol_sim.recording_formats.parsed import Parsed, to_float32_g
from tinyol_sim.recording_formats.scanned import Scanned

PIECE_ROWS = 1 << 16
_LONG = ("samples", "labels")


@dataclass(frozen=True)
class _Member:
    """An array of the archive that is read row by row. begin: its first byte in the member."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    by_columns: bool
    begin: int

    def rows(self, path: Path) -> Iterator[NDArray[Any]]:
        """All rows in order, PIECE_ROWS at a time. Raises RecordingError if the file is damaged."""
        with _archive(path) as archive:
            n_rows = self.shape[0]
            n_columns = int(np.prod(self.shape[1:], dtype=np.int64))
            columns = n_columns if self.by_columns else 1
            files = [archive.open(f"{self.name}.npy") for _ in range(columns)]
            for i, file in enumerate(files):
                file.seek(self.begin + i * n_rows * self.dtype.itemsize)
            for first in range(0, n_rows, PIECE_ROWS):
                n = min(PIECE_ROWS, n_rows - first)
                width = n * n_columns // columns * self.dtype.itemsize
                parts = [np.frombuffer(_read(file, width), self.dtype) for file in files]
                if self.by_columns:
                    yield np.stack(parts, axis=1).reshape(n, *self.shape[1:])
                else:
                    yield parts[0].reshape(n, *self.shape[1:])


def scan(path: Path, asked_hz: float | None, tolerance: float) -> Scanned:
    """What the file says, its labels checked; samples are checked as they are read.

    Raises RecordingError as `npz.read` does.
    """
    with npz.opened(path) as file:
        arrays = npz.load(path, file, (key for key in npz.KEYS if key not in _LONG))
    members = _members(path)
    samples, labels = members.get("samples"), members.get("labels")
    npz.check_samples(path, samples)
    assert samples is not None
    n_samples = samples.shape[0]
    facts = npz.facts_of(path, arrays)
    if labels is not None:
        npz.check_vector(path, "labels", labels, "iu")
        npz.check_n_labels(path, labels.shape[0], n_samples)
    known = Parsed(
        samples=np.empty((0, 3), np.float32),
        where=str,
        labels=np.empty(0, np.int16),
        rate_hz=facts.rate_hz,
        rate_where=str(path),
    )
    rate_hz = known.resolve_rate(path, asked_hz, tolerance)
    gaps = facts.gaps
    if len(gaps) and np.any(np.diff(gaps, prepend=0, append=n_samples) <= 0):
        raise RecordingError(f"{path}: gaps must increase and lie between 0 and {n_samples}")
    if len(set(facts.label_names)) != len(facts.label_names):
        raise RecordingError(f"{path}: label_names {facts.label_names} has a name twice")

    def pieces() -> Iterator[NDArray[np.float32]]:
        first = 0
        for piece in samples.rows(path):

            def where(row: int, first: int = first) -> str:
                return f"{path}: samples[{first + row}]"

            yield to_float32_g(piece, facts.units, where)
            first += len(piece)

    return Scanned(
        rate_hz=rate_hz,
        label_runs=_runs(path, labels, n_samples, facts.label_names),
        label_names=facts.label_names,
        gaps=gaps,
        pieces=pieces,
    )


def _runs(path: Path, labels: _Member | None, n_samples: int, names: tuple[str, ...]) -> LabelRuns:
    if labels is None:
        return LabelRuns(np.zeros(1, np.int64), np.full(1, -1, np.int16), n_samples)
    parts, first = [], 0
    for piece in labels.rows(path):
        parts.append(LabelRuns.of(npz.checked_labels(path, piece, first, names)))
        first += len(piece)
    return LabelRuns.join(parts)


def _members(path: Path) -> dict[str, _Member]:
    """The long arrays that are there, none read."""
    found = {}
    with _archive(path) as archive:
        for name in _LONG:
            if f"{name}.npy" not in archive.namelist():
                continue
            with archive.open(f"{name}.npy") as file:
                version = npy.read_magic(file)  # type: ignore[no-untyped-call]
                read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
                shape, by_columns, dtype = read(file)  # type: ignore[no-untyped-call]
                if dtype.hasobject:
                    raise ValueError(f"{name} holds Python objects")
                if min(shape, default=0) < 0:
                    raise ValueError("negative dimensions are not allowed")
                by_columns = by_columns and len(shape) > 1
                found[name] = _Member(name, shape, dtype, by_columns, file.tell())
    return found


@contextmanager
def _archive(path: Path) -> Iterator[zipfile.ZipFile]:
    """The archive; what a damaged one makes zipfile, zlib or numpy raise is a RecordingError."""
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except (RecordingError, GeneratorExit):
        raise
    except Exception as error:
        raise RecordingError(f"{path}: {damaged(error)}") from None


def _read(file: IO[bytes], n_bytes: int) -> bytes:
    data = file.read(n_bytes)
    if len(data) != n_bytes:
        raise EOFError("an array ends early")
    return data
