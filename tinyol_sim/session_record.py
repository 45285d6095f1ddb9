"""A session with a device, kept so that a twin can live it again: docs/session-record.md.

    start image, samples, gaps, commands  ->  the device's own end image

What a device learns depends on the first four alone, so a twin that is given them must end in
the fifth, bit for bit.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinyol_sim.commands import Command, Gap, from_json, to_json
from tinyol_sim.errors import DeviceError, RecordingError
from tinyol_sim.files import write_whole
from tinyol_sim.npz_arrays import read_npz

FORMAT, FORMAT_VERSION = "tinyol-session", 2
SESSION, RECORDING = "session.json", "recording.npz"
START, END = "start.state", "end.state"
# What each array of the recording must be: dtype kinds, how many axes, in words.
_ARRAYS = {
    "samples": ("f", 2, "floats (n, 3)"),
    "gaps": ("iu", 1, "integers (n,)"),
    "labels": ("iu", 1, "integers (n,)"),
    "label_names": ("U", 1, "text (n,)"),
    "rate_hz": ("fiu", 0, "a number"),
}


@dataclass(frozen=True, eq=False)
class SessionRecord:
    """All that a device was given between two state images.

    model_id: 16 hex digits. board: what it ran on, as the device calls it.
    rate_hz: samples a second. start, end: state images.
    samples: (n, 3) float32 in g, as the device got them: also what it refused, NaN for one.
    gaps: (g,) int64, sorted, 0 <= i < n: sample i does not follow the one before it. One at 0,
        and all but one of those at the same index, become Gap commands.
    commands: (index, command) in order: executed before sample `index`, 0 to n, and before a
        gap of `gaps` there.
    labels: (n,) int16 index into label_names, -1 = none, for people; None = none at all. What
        the device learned from is in `commands` alone.
    lost: what is missing, in words; empty if the record is complete.
    meta: whatever else is worth keeping, as JSON-able values.

    Raises RecordingError if the fields do not fit together.
    """

    model_id: str
    board: str
    rate_hz: float
    start: bytes
    end: bytes
    samples: NDArray[np.float32]
    gaps: NDArray[np.int64]
    commands: tuple[tuple[int, Command], ...] = ()
    labels: NDArray[np.int16] | None = None
    label_names: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    meta: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        samples = np.ascontiguousarray(self.samples, dtype=np.float32)
        if samples.ndim != 2 or samples.shape[1] != 3:
            raise RecordingError(f"samples have shape {samples.shape}; they must be (n, 3)")
        n = len(samples)
        if not (math.isfinite(self.rate_hz) and self.rate_hz > 0):
            raise RecordingError(f"rate_hz is {self.rate_hz}; it must be a number above 0")
        gaps = _integers("gaps", self.gaps)
        if len(gaps) and (np.any(np.diff(gaps) < 0) or gaps[0] < 0 or gaps[-1] >= n):
            raise RecordingError(f"gaps must be in order and lie from 0 to {n - 1}")
        commands = tuple((int(index), command) for index, command in self.commands)
        indices = [index for index, _ in commands]
        if indices != sorted(indices) or (indices and not 0 <= indices[0] <= indices[-1] <= n):
            raise RecordingError(f"commands must be in order, at indices from 0 to {n}")
        # A recording has no place for these.
        told = gaps[(gaps == 0) | (np.diff(gaps, prepend=-1) == 0)]
        if len(told):
            added = [(int(index), Gap()) for index in told]
            commands = tuple(sorted([*commands, *added], key=lambda step: step[0]))  # is stable
            gaps = np.unique(gaps[gaps > 0])
        labels = np.full(n, -1) if self.labels is None else _integers("labels", self.labels)
        names = tuple(self.label_names)
        if len(labels) != n or (n and not -1 <= labels.min() <= labels.max() < len(names)):
            raise RecordingError(
                f"labels must be {n} indices into {len(names)} label_names, -1 = none"
            )
        object.__setattr__(self, "rate_hz", float(self.rate_hz))
        object.__setattr__(self, "samples", samples)
        object.__setattr__(self, "gaps", gaps)
        object.__setattr__(self, "commands", commands)
        object.__setattr__(self, "labels", labels.astype(np.int16))
        object.__setattr__(self, "label_names", names)
        object.__setattr__(self, "lost", tuple(self.lost))

    @property
    def n_samples(self) -> int:
        """How many samples there are."""
        return len(self.samples)

    def save(self, folder: str | Path) -> None:
        """Writes the folder; session.json comes last, so that a cut leaves no session.

        Raises RecordingError if there is a session already, or the disk fails.
        """
        folder = Path(folder)
        if (folder / SESSION).exists():
            raise RecordingError(f"{folder}: there is a session already; give another folder")
        members = {START: self.start, END: self.end, RECORDING: self._recording_bytes()}
        manifest = {
            "format": FORMAT,
            "version": FORMAT_VERSION,
            "model_id": self.model_id,
            "board": self.board,
            "rate_hz": self.rate_hz,
            "samples": self.n_samples,
            "lost": list(self.lost),
            "sha256": {name: _sha256(data) for name, data in members.items()},
            "meta": self.meta,
            "commands": [{"at": index, **to_json(command)} for index, command in self.commands],
        }
        text = json.dumps(manifest, indent=2, allow_nan=False) + "\n"
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RecordingError(f"{folder}: cannot be made: {error.strerror or error}") from None
        for name, data in members.items():
            write_whole(folder / name, data, RecordingError)
        write_whole(folder / SESSION, text.encode(), RecordingError)

    @classmethod
    def load(cls, folder: str | Path) -> SessionRecord:
        """Reads a folder back.

        Raises:
            RecordingError: no session, or one that is damaged, of another version, or put
                together from several; names the file and what is wrong.
        """
        folder = Path(folder)
        if is_broken_session(folder):
            raise RecordingError(
                f"{folder}: a broken session: {SESSION}, which says what the device was told, is"
                " missing, so nothing can be checked"
            )
        manifest = _read_manifest(folder / SESSION)
        members = {name: _read(folder / name) for name in (START, END, RECORDING)}
        for name, data in members.items():
            if _sha256(data) != manifest["sha256"].get(name):
                raise RecordingError(
                    f"{folder / name}: not the file that this session was saved with"
                )
        arrays = _read_arrays(members[RECORDING], folder / RECORDING)
        found = {"samples": len(arrays["samples"]), "rate_hz": float(arrays["rate_hz"])}
        for name, value in found.items():
            if manifest[name] != value:
                raise RecordingError(
                    f"{folder / SESSION}: {name} is {manifest[name]!r}, but {RECORDING} has"
                    f" {value!r}"
                )
        try:
            return cls(
                model_id=manifest["model_id"],
                board=manifest["board"],
                rate_hz=found["rate_hz"],
                start=members[START],
                end=members[END],
                samples=arrays["samples"],
                gaps=arrays["gaps"],
                commands=tuple(_read_command(entry) for entry in manifest["commands"]),
                labels=arrays["labels"],
                label_names=tuple(str(name) for name in arrays["label_names"]),
                lost=tuple(str(reason) for reason in manifest["lost"]),
                meta=manifest["meta"],
            )
        except (DeviceError, RecordingError) as error:
            raise RecordingError(f"{folder / SESSION}: {error}") from None

    def _recording_bytes(self) -> bytes:
        """As a recording (docs/recordings.md), which may here hold samples that are not finite."""
        data = io.BytesIO()
        np.savez(
            data,
            tinyol_recording=np.int64(1),
            samples=self.samples,
            rate_hz=np.float64(self.rate_hz),
            units=np.str_("g"),
            labels=np.asarray(self.labels, np.int16),
            label_names=np.array(self.label_names, dtype=np.str_),
            gaps=self.gaps,
        )
        return data.getvalue()


def is_session(path: Path) -> bool:
    """Whether this is a session's folder rather than recordings."""
    return (path / SESSION).is_file()


def is_broken_session(path: Path) -> bool:
    """Whether this was meant to be a session: it has a state image of one, but no session.json."""
    return not is_session(path) and any((path / name).is_file() for name in (START, END))


def _sha256(data: bytes) -> str:
    # Not a CRC: a state image ends in its own, which makes that of the whole a constant.
    return hashlib.sha256(data).hexdigest()


def _integers(what: str, values: ArrayLike) -> NDArray[np.int64]:
    array = np.asarray(values)
    if array.ndim != 1 or (array.size and array.dtype.kind not in "iu"):
        raise RecordingError(f"{what} are {array.dtype} {array.shape}; they must be integers (n,)")
    return array.astype(np.int64)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise RecordingError(f"{path}: cannot be read: {error.strerror or error}") from None


def _read_manifest(path: Path) -> dict[str, Any]:
    try:
        manifest = json.loads(_read(path))
    except (ValueError, RecursionError) as error:
        raise RecordingError(f"{path}: not JSON: {error}") from None
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise RecordingError(f"{path}: not a TinyOL session: its format is another")
    if manifest.get("version") != FORMAT_VERSION:
        raise RecordingError(
            f"{path}: session version {manifest.get('version')!r}; this program reads"
            f" {FORMAT_VERSION}"
        )
    kinds: dict[str, type | tuple[type, ...]] = {
        "model_id": str,
        "board": str,
        "rate_hz": (int, float),
        "lost": list,
        "samples": int,
        "sha256": dict,
        "meta": dict,
        "commands": list,
    }
    for name, kind in kinds.items():
        if not isinstance(manifest.get(name), kind) or isinstance(manifest[name], bool):
            raise RecordingError(f"{path}: {name} is missing or malformed")
    return manifest


def _read_command(entry: Any) -> tuple[int, Command]:
    if not isinstance(entry, dict):
        raise DeviceError(f"a command is {entry!r}; it must be an object")
    at = entry.get("at")
    if not isinstance(at, int) or isinstance(at, bool):
        raise DeviceError(f"a command is at {at!r}; it must be a sample's index")
    return at, from_json({name: value for name, value in entry.items() if name != "at"})


def _read_arrays(data: bytes, path: Path) -> dict[str, NDArray[Any]]:
    try:
        arrays = read_npz(data, _ARRAYS)
    except RecordingError as error:
        raise RecordingError(f"{path}: {error}") from None
    for name, (kinds, ndim, what) in _ARRAYS.items():
        array = arrays.get(name)
        if array is None:
            raise RecordingError(f"{path}: the .npz file is damaged: {name} is missing")
        if array.dtype.kind not in kinds or array.ndim != ndim:
            raise RecordingError(
                f"{path}: {name} is {array.dtype} {array.shape}; it must be {what}"
            )
    return arrays
