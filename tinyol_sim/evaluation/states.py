"""The states of a machine, from a folder of recordings: pieces without a gap, in order."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tinyol_sim import files
from tinyol_sim.counted import counted
from tinyol_sim.errors import RecordingError
from tinyol_sim.recording_formats.labels import SIDECAR_SUFFIX, class_name_problem
from tinyol_sim.recordings import Recording, read_recordings
from tinyol_sim.training.training_set import MAX_SAMPLE_G

Singles = NDArray[np.float32]
_SUFFIXES = (".csv", ".json", ".npz")
RATE_TOLERANCE = 1e-3


@dataclass(frozen=True, eq=False)
class State:
    """One state of the machine.

    name: its label, 1 to 15 bytes of UTF-8
    rate_hz: samples a second
    pieces: (n, 3) float32 each, g, without a gap, in the order of recording; usually one a file
    source: the recording that they are from, or how many these are
    span: which of that state's pieces they are, in words
    """

    name: str
    rate_hz: float
    pieces: tuple[Singles, ...]
    source: str
    span: str = "all"

    @property
    def duration_s(self) -> float:
        """Seconds of signal."""
        return sum(map(len, self.pieces)) / self.rate_hz

    def windows(self, window_len: int, hop: int) -> Singles:
        """All windows, (w, window_len, 3), none across a gap."""
        found = [
            np.lib.stride_tricks.sliding_window_view(piece, window_len, axis=0)[::hop]
            for piece in self.pieces
            if len(piece) >= window_len
        ]
        if not found:
            return np.empty((0, window_len, 3), np.float32)
        return np.ascontiguousarray(np.concatenate(found).transpose(0, 2, 1))

    def recording(self) -> Recording:
        """The same as one labelled recording, a gap between two pieces."""
        samples = np.concatenate(self.pieces)
        gaps = np.cumsum([len(piece) for piece in self.pieces])[:-1]
        labels = np.zeros(len(samples), np.int16)
        return Recording(samples, self.rate_hz, labels, (self.name,), gaps, self.name)


def read_states(folder: Path, *, rate_hz: float | None = None) -> dict[str, State]:
    """The states in a folder: one a label, or one a sub-folder where nothing is labelled.

    Args:
        folder: of recordings (.csv, .npz, Edge Impulse .json) and of sub-folders of them.
        rate_hz: needed where the files do not state it.

    Raises:
        RecordingError: no folder, no recording, unreadable ones, different rates, samples that a
            device refuses, or a sub-folder without labels whose name cannot be a class.
    """
    if not folder.is_dir():
        reason = "is no folder" if folder.exists() else "there is no such folder"
        raise RecordingError(f"{folder}: {reason}; give one with a sub-folder for each state")
    recordings = [
        r for path in _top_files(folder) for r in read_recordings([path], rate_hz=rate_hz)
    ]
    places = [""] * len(recordings)
    for sub in files.folders_in(folder):
        found = [_named(r, sub.name) for r in read_recordings([sub], rate_hz=rate_hz)]
        recordings += found
        places += [f"{sub.name}/"] * len(found)
    if not recordings:
        raise RecordingError(f"{folder}: there is no recording in this folder")
    first = recordings[0]
    for place, other in zip(places, recordings, strict=True):
        if not math.isclose(other.rate_hz, first.rate_hz, rel_tol=RATE_TOLERANCE):
            raise RecordingError(
                f"{folder}: {places[0]}{first.name} has {first.rate_hz:g} Hz, {place}{other.name}"
                f" {other.rate_hz:g} Hz; all states must have one rate"
            )
        beyond = np.flatnonzero(np.abs(other.samples).max(axis=1) > MAX_SAMPLE_G)
        if len(beyond):  # the device would refuse it, minutes later
            raise RecordingError(
                f"{folder}: {place}{other.name}: sample {beyond[0]} is beyond {MAX_SAMPLE_G:g} g;"
                " samples must be in g"
            )
    pieces: dict[str, list[Singles]] = {}
    sources: dict[str, set[str]] = {}
    for recording in recordings:
        for name, piece in _labelled_pieces(recording):
            pieces.setdefault(name, []).append(piece)
            sources.setdefault(name, set()).add(recording.name)
    if not pieces:
        raise RecordingError(f"{folder}: no sample is labelled and there is no sub-folder")
    return {
        name: State(name, first.rate_hz, tuple(parts), source_text(sources[name]))
        for name, parts in pieces.items()
    }


def source_text(names: Collection[str]) -> str:
    """The recording that a state is from, or how many they are."""
    return next(iter(names)) if len(names) == 1 else counted(len(names), "recording")


def _top_files(folder: Path) -> list[Path]:
    found = files.files_in(folder, _SUFFIXES)
    return [path for path in found if not path.name.endswith(SIDECAR_SUFFIX)]


def _named(recording: Recording, name: str) -> Recording:
    if np.any(recording.labels >= 0):
        return recording
    if problem := class_name_problem(name):
        raise RecordingError(f"folder {name}: it stands for a state, but {problem}")
    return recording.with_label(name)


def _labelled_pieces(recording: Recording) -> list[tuple[str, Singles]]:
    turns = np.flatnonzero(np.diff(recording.labels)) + 1
    borders = np.unique([0, *turns.tolist(), *recording.gaps.tolist(), recording.n_samples])
    return [
        (recording.label_names[recording.labels[a]], recording.samples[a:b])
        for a, b in pairwise(borders.tolist())
        if recording.labels[a] >= 0
    ]
