"""What became of each window: the columns that Twin.feed() returns."""

from __future__ import annotations

from dataclasses import dataclass, fields
from itertools import count
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._core import ffi, lib


def _read_notices() -> dict[str, int]:
    names: dict[str, int] = {}
    for index in count():
        name = lib.tinyol_notice_name(index)
        if name == ffi.NULL:
            return names
        names[ffi.string(name).decode()] = 1 << index
    raise AssertionError("the core's notices do not end")


# What began or ended with a window, by the bit of Windows.notices.
NOTICES = _read_notices()


@dataclass(frozen=True, eq=False)
class Windows:
    """What became of each window, one entry a window, in order."""

    sample_index: NDArray[np.int64]  # of the window's last sample, since the state began
    window_index: NDArray[np.int64]
    error: NDArray[np.float32]  # the frozen net's mean squared reconstruction error
    tuned_error: NDArray[np.float32]  # the fine-tuned layer's, before this window's step
    log_variance: NDArray[np.float32]  # ln g^2
    confidence: NDArray[np.float32]  # probability of `predicted`
    loss: NDArray[np.float32]  # cross-entropy before the step; 0 without a label
    score: NDArray[np.float32]  # of the anomaly detector; above 1: an anomaly; 0 while it settles
    novelty: NDArray[np.float32]  # above 1: no class explains the window; 0 where not known
    predicted: NDArray[np.int16]  # class index, -1 = no class known
    label: NDArray[np.int16]  # class index, -1 = unlabelled
    notices: NDArray[np.uint16]  # bits of NOTICES
    anomaly: NDArray[np.bool_]
    learned: NDArray[np.bool_]  # the classifier took a step
    fine_tuned: NDArray[np.bool_]  # the reconstruction layer took a step
    alarm: NDArray[np.bool_]  # an alarm stands
    unknown: NDArray[np.bool_]  # novelty above 1, and no label
    features: NDArray[np.float32]  # (n, n_features), unscaled
    probabilities: NDArray[np.float32]  # (n, n_classes)

    def __len__(self) -> int:
        return len(self.window_index)

    def __repr__(self) -> str:
        seen = np.unique(self.label[self.label >= 0]).tolist()
        predicted = np.unique(self.predicted[self.predicted >= 0]).tolist()
        return (
            f"<Windows: {len(self)}, {int(self.anomaly.sum())} anomalies,"
            f" {int(self.unknown.sum())} unknown, labels {seen}, predicted {predicted}>"
        )

    def noticed(self, name: str) -> NDArray[np.bool_]:
        """Where one of NOTICES was given, (n,)."""
        return np.asarray((self.notices & NOTICES[name]) != 0)

    @classmethod
    def join(cls, parts: list[Windows]) -> Windows:
        """One stretch after the other; classes added in between count 0 before they existed."""
        n_classes = max(part.probabilities.shape[1] for part in parts)
        arrays: dict[str, Any] = {}
        for field in fields(cls):
            pieces = [getattr(part, field.name) for part in parts]
            if field.name == "probabilities":
                pieces = [np.pad(p, ((0, 0), (0, n_classes - p.shape[1]))) for p in pieces]
            arrays[field.name] = np.concatenate(pieces)
        return cls(**arrays)


# The columns of tinyol_windows (csrc/twin_api.h); a row of the last two has as many numbers as the
# device has features and classes.
_COLUMNS: dict[str, Any] = {
    "sample_index": np.int64,
    "window_index": np.int64,
    "error": np.float32,
    "tuned_error": np.float32,
    "log_variance": np.float32,
    "confidence": np.float32,
    "loss": np.float32,
    "score": np.float32,
    "novelty": np.float32,
    "predicted": np.int16,
    "label": np.int16,
    "notices": np.uint16,
    "anomaly": np.bool_,
    "learned": np.bool_,
    "fine_tuned": np.bool_,
    "alarm": np.bool_,
    "unknown": np.bool_,
    "features": np.float32,
    "probabilities": np.float32,
}


class WindowColumns:
    """Memory for at most `capacity` windows, which C fills column by column."""

    def __init__(self, capacity: int, n_features: int, n_classes: int) -> None:
        widths = {"features": (n_features,), "probabilities": (n_classes,)}
        self._arrays = {
            name: np.empty((capacity, *widths.get(name, ())), kind)
            for name, kind in _COLUMNS.items()
        }

    def pointers(self) -> Any:
        """A tinyol_windows *; valid as long as this object, and until cut()."""
        pointers = ffi.new("tinyol_windows *")
        for name, array in self._arrays.items():
            setattr(pointers, name, ffi.cast("void *", array.ctypes.data))
        return pointers

    def cut(self, n: int) -> Windows:
        """The first n windows; the memory of the others is given back, and nothing copied."""
        for array in self._arrays.values():
            array.resize((n, *array.shape[1:]), refcheck=False)
        return Windows(**self._arrays)
