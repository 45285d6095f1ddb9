"""Which windows of some recordings an autoencoder is trained on, and which it is measured on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tinyol_sim.errors import RecordingError
from tinyol_sim.recordings import Recording, concatenate
from tinyol_sim.training.windows import window_labels, window_starts

Bools = NDArray[np.bool_]

DEFAULT_NORMAL = "normal"
TRAINING_SHARE = 0.8  # of each label in each recording, in the order of time
MIN_TRAINING_WINDOWS = 100
MIN_HELD_OUT_WINDOWS = 20
MAX_SAMPLE_G = 1e4  # the device refuses what is larger


@dataclass(frozen=True, eq=False)
class TrainingSet:
    """Windows of all recordings together, (w,) each array.

    training and held_out share no sample. A window may be in neither: beside the border between
    the two, or where its label is not known.
    """

    recording: Recording  # all of them, one after the other
    starts: NDArray[np.int64]  # first sample of each window
    labels: NDArray[np.int16]  # index into recording.label_names; -1 = none, or mixed
    normal: Bools
    training: Bools
    held_out: Bools
    normal_names: tuple[str, ...]  # empty: nothing is labelled, so everything is normal

    @property
    def other_names(self) -> tuple[str, ...]:
        """The labels that are not normal."""
        return tuple(n for n in self.recording.label_names if n not in self.normal_names)

    def of(self, name: str) -> Bools:
        """The windows of one label."""
        return np.asarray(self.labels == self.recording.label_names.index(name))


def make_training_set(
    recordings: Sequence[Recording], *, normal: Sequence[str] = (), window_len: int, hop: int
) -> TrainingSet:
    """Cuts windows and splits them in the order of time.

    Of each label in each recording the first 80 % of the windows are for training, the rest is
    held out; windows that overlap the border are in neither, so no sample is in both.

    Args:
        recordings: of one rate.
        normal: the labels that are normal; none: "normal", or everything where nothing is
            labelled. Unlabelled stretches of labelled recordings are used for nothing.
        window_len, hop: samples.

    Raises:
        RecordingError: rates differ, a label is not there, or there are too few windows.
    """
    if not recordings:
        raise RecordingError("there is no recording to train on")
    joined = concatenate(recordings, name="training")
    _check_range(recordings)
    names = _normal_names(joined, normal)
    starts = window_starts(joined, window_len, hop)
    labels = window_labels(joined, starts, window_len)
    indices = [joined.label_names.index(name) for name in names]
    is_normal = np.isin(labels, indices) if names else np.ones(len(starts), bool)

    first_samples = np.cumsum([0] + [r.n_samples for r in recordings[:-1]])
    source = np.searchsorted(first_samples, starts, side="right")
    training, held_out = np.zeros(len(starts), bool), np.zeros(len(starts), bool)
    known = is_normal | (labels >= 0)
    groups = np.stack([source, labels.astype(np.int64)])[:, known]
    for group in np.unique(groups, axis=1).T:
        members = np.flatnonzero((source == group[0]) & (labels == group[1]))
        border = starts[members[int(len(members) * TRAINING_SHARE)]]
        training[members] = starts[members] + window_len <= border
        held_out[members] = starts[members] >= border

    found = TrainingSet(joined, starts, labels, is_normal, training, held_out, names)
    _check_enough(found, window_len, hop)
    return found


def _check_range(recordings: Sequence[Recording]) -> None:
    for recording in recordings:
        too_large = np.flatnonzero(np.abs(recording.samples).max(axis=1) > MAX_SAMPLE_G)
        if len(too_large):
            raise RecordingError(
                f"{recording.name}: sample {too_large[0]} is beyond {MAX_SAMPLE_G:g} g; "
                "samples must be in g"
            )


def _normal_names(joined: Recording, wanted: Sequence[str]) -> tuple[str, ...]:
    present = [name for i, name in enumerate(joined.label_names) if np.any(joined.labels == i)]
    if not present and not wanted:
        return ()
    chosen = tuple(dict.fromkeys(wanted)) or (DEFAULT_NORMAL,)
    for name in chosen:
        if name not in present:
            if not present:
                raise RecordingError(
                    f"no sample is labelled {name!r}; nothing is labelled: leave --normal out,"
                    " then everything counts as normal, or label the recordings (NAME.labels.csv,"
                    " or `tinyol data convert --label`)"
                )
            raise RecordingError(
                f"no sample is labelled {name!r}; the labels are {', '.join(present)}: "
                "say which label is normal (--normal LABEL)"
            )
    return chosen


def _check_enough(found: TrainingSet, window_len: int, hop: int) -> None:
    label = " or ".join(map(repr, found.normal_names)) or "normal (nothing is labelled)"
    for part, mask, least, share in (
        ("to train on", found.training, MIN_TRAINING_WINDOWS, TRAINING_SHARE),
        ("to hold out", found.held_out, MIN_HELD_OUT_WINDOWS, 1 - TRAINING_SHARE),
    ):
        n = int(np.sum(mask & found.normal))
        if n < least:
            seconds = (window_len + least * hop) / share / found.recording.rate_hz
            raise RecordingError(
                f"too few windows: {n} of label {label} {part}, at least {least} are needed; "
                f"record about {seconds:.0f} s or more without a gap"
            )
