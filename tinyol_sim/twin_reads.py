"""What a twin tells of itself: metrics, weights, watching, unknown events.

Each function reads from the handle of a tinyol_twin; Twin takes care of the turns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._core import ffi, lib

Singles = NDArray[np.float32]
ERROR_QUANTILES = (0.5, 0.9, 0.99)


@dataclass(frozen=True, eq=False)
class Metrics:
    """Prequential metrics: each window is predicted before it is learned from."""

    classes: tuple[str, ...]
    labelled: int  # windows
    confusion: NDArray[np.int64]  # (k, k), [truth, predicted]
    accuracy: float
    macro_f1: float  # over the classes seen or predicted
    f1: tuple[float, ...]  # per class
    mean_loss: float  # cross-entropy
    mean_error: float  # reconstruction error in force
    error_quantiles: dict[float, float]  # at 0.5, 0.9 and 0.99 (P-square estimates)


@dataclass(frozen=True, eq=False)
class UnknownEvent:
    """Windows in a row that no class explained; vectors: (kept, d) features, spread over it."""

    number: int  # from 1
    first_sample: int  # last sample of its first window
    last_sample: int  # ... of its latest unknown one
    windows: int  # unknown ones
    peak_novelty: float
    named: bool  # its vectors were learned
    open: bool  # it goes on
    vectors: Singles

    @property
    def kept(self) -> int:
        """Feature vectors that naming it teaches."""
        return len(self.vectors)


@dataclass(frozen=True, eq=False)
class Watch:
    """What the device holds for normal, and what it sees of the sensor's place and of drift."""

    normal_windows: int  # that it has learned
    mean: Singles  # (2,): ln error, ln variance (g^2)
    covariance: Singles  # (3,): error-error, error-variance, variance-variance
    limit: float  # of the squared distance; 0 while it settles
    score: float  # of the last window that this twin was fed
    alarms: int  # raised since the state began
    alarm: bool  # one stands
    moved: bool  # the sensor hangs otherwise than it did
    changed: bool  # the error's level has shifted
    unknown: bool  # the last window fed was
    calibration_steps_left: int  # of fine-tuning
    calibration_windows_left: int  # 0: none is under way
    gravity_reference: Singles  # (3,) g
    gravity: Singles  # (3,) g
    tilt_deg: float
    up: float  # summed standard deviations of ln error, above drift.lambda: changed
    down: float


@dataclass(frozen=True)
class ClassStatus:
    """A class of the Gaussian head; limit: of its squared distance, 0 while it is young."""

    name: str
    lessons: int
    weight: float  # relative prior probability
    limit: float


def read_metrics(handle: Any, classes: Sequence[str]) -> Metrics:
    """How well it has done since the state began."""
    k = len(classes)
    raw = ffi.new("tinyol_metrics *")
    confusion, f1 = np.zeros((k, k), np.uint32), np.zeros(k, np.float32)
    lib.tinyol_twin_metrics(
        handle, raw, ffi.from_buffer("uint32_t *", confusion, require_writable=True), _floats(f1)
    )
    return Metrics(
        classes=tuple(classes),
        labelled=raw.labelled,
        confusion=confusion.astype(np.int64),
        accuracy=raw.accuracy,
        macro_f1=raw.macro_f1,
        f1=tuple(float(value) for value in f1),
        mean_loss=raw.mean_loss,
        mean_error=raw.mean_error,
        error_quantiles=dict(zip(ERROR_QUANTILES, raw.error_quantile, strict=True)),
    )


def read_weights(handle: Any, n_classes: int) -> dict[str, Singles]:
    """Copies of all that is learned, by name."""
    d, spread = lib.tinyol_twin_n_features(handle), lib.tinyol_twin_spread_length(handle)
    n_hidden, n_outputs = lib.tinyol_twin_n_hidden(handle), lib.tinyol_twin_n_outputs(handle)
    shapes: dict[str, tuple[int, ...]] = {  # in the order of tinyol_twin_weights
        "softmax": (n_classes, d),
        "softmax_bias": (n_classes,),
        "gaussian_mean": (n_classes, d),
        "gaussian_spread": (n_classes, spread),
        "reconstruction": (n_outputs, n_hidden),
        "bias": (n_outputs,),
    }
    arrays = {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}
    lib.tinyol_twin_weights(handle, *(_floats(array) for array in arrays.values()))
    return arrays


def read_watch(handle: Any) -> Watch:
    """What it holds for normal."""
    raw = ffi.new("tinyol_watch *")
    lib.tinyol_twin_watch(handle, raw)
    values: dict[str, Any] = {}
    for name, field in ffi.typeof(raw[0]).fields:
        value = getattr(raw, name)
        if field.type.kind == "array":
            value = np.array(list(value), np.float32)
        elif name in ("alarm", "moved", "changed", "unknown"):
            value = bool(value)
        values[name] = value
    return Watch(**values)


def read_unknowns(handle: Any) -> list[UnknownEvent]:
    """The events that are kept, the latest first."""
    most, d = lib.tinyol_most_unknown(), lib.tinyol_twin_n_features(handle)
    raw = ffi.new("tinyol_unknown_event[]", most)
    vectors = np.zeros((most, lib.tinyol_most_vectors() * d), np.float32)
    n = lib.tinyol_twin_unknown(handle, raw, _floats(vectors))
    return [
        UnknownEvent(
            number=event.number,
            first_sample=event.first_sample,
            last_sample=event.last_sample,
            windows=event.windows,
            peak_novelty=event.peak_novelty,
            named=bool(event.named),
            open=bool(event.open),
            vectors=kept[: event.kept * d].reshape(event.kept, d).copy(),
        )
        for event, kept in zip([raw[i] for i in range(n)], vectors, strict=False)
    ]


def read_class_status(handle: Any, classes: Sequence[str]) -> list[ClassStatus]:
    """One entry a class, in their order."""
    raw = ffi.new("tinyol_class_status[]", max(len(classes), 1))
    lib.tinyol_twin_class_status(handle, raw)
    return [
        ClassStatus(name, raw[i].lessons, raw[i].weight, raw[i].limit)
        for i, name in enumerate(classes)
    ]


def _floats(array: Singles) -> Any:
    return ffi.from_buffer("float *", array, require_writable=True)
