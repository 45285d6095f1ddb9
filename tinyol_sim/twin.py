"""The twin: the device's own C++ in this process, fed from arrays.

``Twin`` is the one wrapper around the C face in csrc/twin_api.h. Whatever a board would do with
the same samples, labels and commands in the same order, the twin does, bit for bit.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._core import ffi, lib
from .errors import BundleError, DeviceError, StateImageError
from .files import write_whole
from .refusals import (
    BAD_NAME,
    BAD_VALUE,
    EXISTS,
    NO_ROOM,
    TOO_SMALL,
    WRONG_MODEL,
    describe,
    ensure,
    new_refusal,
)
from .settings import SETTINGS

if TYPE_CHECKING:
    from .bundle import Bundle

UNTIL_STOPPED = 0xFFFFFFFF
ERROR_QUANTILES = (0.5, 0.9, 0.99)

_WINDOW = np.dtype(
    [
        ("sample_index", "<u8"),
        ("window_index", "<u8"),
        ("error", "<f4"),
        ("tuned_error", "<f4"),
        ("log_variance", "<f4"),
        ("confidence", "<f4"),
        ("loss", "<f4"),
        ("predicted", "<i2"),
        ("label", "<i2"),
        ("anomaly", "?"),
        ("learned", "?"),
        ("fine_tuned", "?"),
        ("reserved", "u1", (5,)),
    ]
)

_WINDOW_COLUMNS = tuple(name for name in _WINDOW.names or () if name != "reserved")


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
    predicted: NDArray[np.int16]  # class index, -1 = no class known
    label: NDArray[np.int16]  # class index, -1 = unlabelled
    anomaly: NDArray[np.bool_]
    learned: NDArray[np.bool_]  # the classifier took a step
    fine_tuned: NDArray[np.bool_]  # the reconstruction layer took a step
    features: NDArray[np.float32]  # (n, n_features), unscaled
    probabilities: NDArray[np.float32]  # (n, n_classes)

    def __len__(self) -> int:
        return len(self.window_index)

    def __repr__(self) -> str:
        seen = np.unique(self.label[self.label >= 0]).tolist()
        predicted = np.unique(self.predicted[self.predicted >= 0]).tolist()
        return (
            f"<Windows: {len(self)}, {int(self.anomaly.sum())} above the threshold,"
            f" labels {seen}, predicted {predicted}>"
        )

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


class Twin:
    """A device in this process.

    A twin may be used from several threads: its calls take turns. Different twins run side by
    side (the GIL is released while C++ runs).

    Raises:
        BundleError: the model is refused; the message names what and by how much.
        DeviceError: it is made of neither a bundle nor bytes.
    """

    def __init__(self, bundle: Bundle | bytes) -> None:
        """From a bundle, or from a model image's bytes."""
        image = bundle if isinstance(bundle, bytes) else getattr(bundle, "model_image", None)
        if not isinstance(image, bytes):
            raise DeviceError(
                "a twin is made of a Bundle, or of a model image's bytes, not of"
                f" {type(bundle).__name__}; Bundle.load(path) reads a bundle file"
            )
        refusal = new_refusal()
        handle = lib.tinyol_twin_new(image, len(image), refusal)
        if handle == ffi.NULL:
            hint = ""
            if refusal.status == TOO_SMALL:
                hint = f"; build with at least {describe(refusal).split(':')[0]}={refusal.need}"
            raise BundleError(f"the device refuses the model: {describe(refusal)}{hint}")
        self._handle = ffi.gc(handle, lib.tinyol_twin_free)
        self._lock = threading.RLock()
        self.n_features = int(lib.tinyol_twin_n_features(handle))
        self.n_hidden = int(lib.tinyol_twin_n_hidden(handle))
        self.n_outputs = int(lib.tinyol_twin_n_outputs(handle))

    # --- samples -------------------------------------------------------------------------

    def feed(
        self,
        samples: ArrayLike,
        labels: ArrayLike | None = None,
        gaps: ArrayLike | None = None,
    ) -> Windows:
        """Runs a stretch of samples through the device in one C call.

        Args:
            samples: (n, 3) in g; a contiguous float32 array is not copied. A sample that is
                not finite is refused, counted, and makes a gap.
            labels: (n,) class indices, -1 = none; None leaves the label as it is. A window is
                a lesson only if its label held for all its samples.
            gaps: sorted indices of samples that do not follow the one before.
        """
        with np.errstate(over="ignore"):  # a double too large becomes infinite, and is refused
            xyz = np.ascontiguousarray(samples, dtype=np.float32)
        if xyz.ndim != 2 or xyz.shape[1] != 3:
            raise DeviceError(f"samples must have the shape (n, 3), not {xyz.shape}")
        n = len(xyz)
        with self._lock:
            label_array = self._checked_labels(labels, n)
            gap_array = _whole_numbers(() if gaps is None else gaps, "gaps").astype(np.int64)
            if len(gap_array) and (
                np.any(np.diff(gap_array) <= 0) or gap_array[0] < 0 or gap_array[-1] >= n
            ):
                raise DeviceError(f"gaps must be rising indices of samples, 0 to {n - 1}")
            capacity = int(lib.tinyol_twin_max_windows(self._handle, n))
            records = np.zeros(capacity, _WINDOW)
            features = np.zeros((capacity, self.n_features), np.float32)
            probabilities = np.zeros((capacity, self.n_classes), np.float32)
            written = lib.tinyol_twin_feed(
                self._handle,
                ffi.from_buffer("float *", xyz),
                n,
                ffi.NULL if label_array is None else ffi.from_buffer("int16_t *", label_array),
                ffi.from_buffer("int64_t *", gap_array),
                len(gap_array),
                ffi.from_buffer("tinyol_window *", records, require_writable=True),
                ffi.from_buffer("float *", features, require_writable=True),
                ffi.from_buffer("float *", probabilities, require_writable=True),
                capacity,
            )
        columns: dict[str, Any] = {name: records[name][:written].copy() for name in _WINDOW_COLUMNS}
        for name in ("sample_index", "window_index"):
            columns[name] = columns[name].astype(np.int64)
        # Copied to size: a slice would keep the whole, mostly empty buffer alive.
        return Windows(
            **columns,
            features=features[:written].copy(),
            probabilities=probabilities[:written].copy(),
        )

    def _checked_labels(self, labels: ArrayLike | None, n: int) -> NDArray[np.int16] | None:
        if labels is None:
            return None
        array = _whole_numbers(labels, "labels")
        if array.shape != (n,):
            raise DeviceError(f"labels must have the shape ({n},), not {array.shape}")
        if n and (array.min() < -1 or array.max() >= self.n_classes):
            raise DeviceError(
                f"labels go from {array.min()} to {array.max()}; "
                f"this device has {self.n_classes} classes (-1 = no label)"
            )
        return array.astype(np.int16)

    def gap(self) -> None:
        """The next sample does not follow the last one."""
        with self._lock:
            lib.tinyol_twin_gap(self._handle)

    # --- classes and labels --------------------------------------------------------------

    @property
    def n_classes(self) -> int:
        """Classes known now."""
        return int(lib.tinyol_twin_n_classes(self._handle))

    @property
    def classes(self) -> list[str]:
        """Their names; a class's index is its place."""
        with self._lock:
            return [
                ffi.string(lib.tinyol_twin_class_name(self._handle, i)).decode()
                for i in range(self.n_classes)
            ]

    def class_index(self, name: str) -> int:
        """The index of a class; DeviceError if there is none of that name."""
        names = self.classes
        if name not in names:
            known = ", ".join(names) if names else "none yet"
            raise DeviceError(f"no class {name!r}; known: {known}")
        return names.index(name)

    def add_class(self, name: str) -> int:
        """Adds a class that starts at zero, and returns its index."""
        index, refusal, raw = ffi.new("uint16_t *"), new_refusal(), _name_bytes(name)
        with self._lock:
            status = lib.tinyol_twin_add_class(self._handle, raw, len(raw), index, refusal)
        self._ensure_name(status, refusal, name)
        return int(index[0])

    def rename_class(self, old: str, new: str) -> None:
        """Gives a class another name; what it learned stays."""
        refusal, raw = new_refusal(), _name_bytes(new)
        with self._lock:
            status = lib.tinyol_twin_rename_class(
                self._handle, self.class_index(old), raw, len(raw), refusal
            )
        self._ensure_name(status, refusal, new)

    def remove_class(self, name: str) -> None:
        """Forgets a class; those behind it move up by one index."""
        refusal = new_refusal()
        with self._lock:
            ensure(
                lib.tinyol_twin_remove_class(self._handle, self.class_index(name), refusal), refusal
            )

    def _ensure_name(self, status: int, refusal: Any, name: str) -> None:
        reasons = {
            NO_ROOM: f"class {name!r} refused: all {refusal.have} classes of this model are taken",
            EXISTS: f"there is a class {name!r} already",
            BAD_NAME: f"{name!r} is no class name: 1 to 15 bytes of UTF-8, printable;"
            f" it has {len(name.encode(errors='replace'))}",
        }
        if status in reasons:
            raise DeviceError(reasons[status])
        ensure(status, refusal)

    def label(self, name: str | None, windows: int | None = None) -> None:
        """From now on windows are lessons for this class: the next `windows`, or until changed."""
        refusal = new_refusal()
        count = _count(windows, "windows")
        with self._lock:
            index = -1 if name is None else self.class_index(name)
            ensure(lib.tinyol_twin_label(self._handle, index, count, refusal), refusal)

    def label_back(self, name: str, windows: int) -> int:
        """The last `windows` windows were of this class; returns how many lessons that made."""
        lessons, refusal = ffi.new("uint16_t *"), new_refusal()
        if not 1 <= windows <= 0xFFFF:
            raise DeviceError(f"windows is {windows}; it must be 1 to 65535")
        with self._lock:
            status = lib.tinyol_twin_label_back(
                self._handle, self.class_index(name), windows, lessons, refusal
            )
        ensure(status, refusal)
        return int(lessons[0])

    # --- training and settings -----------------------------------------------------------

    def fine_tune(self, steps: int | None) -> None:
        """The next `steps` windows each take one fine-tuning step; None = until 0 is given."""
        refusal = new_refusal()
        count = _count(steps, "steps")
        with self._lock:
            ensure(lib.tinyol_twin_fine_tune(self._handle, count, refusal), refusal)

    def set(self, name: str, value: float) -> None:
        """Turns one setting; DeviceError says its range if the value is outside."""
        info = SETTINGS.get(name)
        if info is None:
            raise DeviceError(f"no setting {name!r}; known: {', '.join(SETTINGS)}")
        refusal = new_refusal()
        with self._lock:
            status = lib.tinyol_twin_set(self._handle, info.id, value, refusal)
        if status in (BAD_VALUE, -1):
            kind = "a whole number" if info.integral else "a number"
            raise DeviceError(
                f"{name} must be {kind} from {info.minimum:g} to {info.maximum:g}, not {value!r}"
            )
        ensure(status, refusal)

    def get(self, name: str) -> float:
        """The value of one setting."""
        info = SETTINGS.get(name)
        if info is None:
            raise DeviceError(f"no setting {name!r}; known: {', '.join(SETTINGS)}")
        return float(lib.tinyol_twin_get(self._handle, info.index))

    def settings(self) -> dict[str, float]:
        """Every setting's value."""
        return {name: self.get(name) for name in SETTINGS}

    def reset(self) -> None:
        """Back to what training left."""
        refusal = new_refusal()
        with self._lock:
            ensure(lib.tinyol_twin_reset(self._handle, refusal), refusal)

    # --- what it knows -------------------------------------------------------------------

    def metrics(self) -> Metrics:
        """How well it has done since the state began."""
        with self._lock:
            k = self.n_classes
            raw = ffi.new("tinyol_metrics *")
            confusion, f1 = np.zeros((k, k), np.uint32), np.zeros(k, np.float32)
            lib.tinyol_twin_metrics(
                self._handle,
                raw,
                ffi.from_buffer("uint32_t *", confusion, require_writable=True),
                ffi.from_buffer("float *", f1, require_writable=True),
            )
            names = tuple(self.classes)
        return Metrics(
            classes=names,
            labelled=raw.labelled,
            confusion=confusion.astype(np.int64),
            accuracy=raw.accuracy,
            macro_f1=raw.macro_f1,
            f1=tuple(float(value) for value in f1),
            mean_loss=raw.mean_loss,
            mean_error=raw.mean_error,
            error_quantiles=dict(zip(ERROR_QUANTILES, raw.error_quantile, strict=True)),
        )

    def counters(self) -> dict[str, int]:
        """Samples, windows, gaps, refusals, and steps taken and skipped."""
        raw = ffi.new("tinyol_counters *")
        with self._lock:
            lib.tinyol_twin_counters(self._handle, raw)
        return {name: int(getattr(raw, name)) for name, _ in ffi.typeof(raw[0]).fields}

    def weights(self) -> dict[str, NDArray[np.float32]]:
        """`softmax` (k, d), `reconstruction` (n_out, n_in) and its `bias` (n_out,), copied."""
        with self._lock:
            arrays = {
                "softmax": np.zeros((self.n_classes, self.n_features), np.float32),
                "reconstruction": np.zeros((self.n_outputs, self.n_hidden), np.float32),
                "bias": np.zeros(self.n_outputs, np.float32),
            }
            lib.tinyol_twin_weights(
                self._handle,
                *(ffi.from_buffer("float *", a, require_writable=True) for a in arrays.values()),
            )
        return arrays

    def statistics(self) -> tuple[int, NDArray[np.float32], NDArray[np.float32]]:
        """Count, running mean (d,) and running population variance (d,) of the features."""
        count = ffi.new("uint32_t *")
        mean, variance = (np.zeros(self.n_features, np.float32) for _ in range(2))
        with self._lock:
            lib.tinyol_twin_statistics(
                self._handle,
                count,
                ffi.from_buffer("float *", mean, require_writable=True),
                ffi.from_buffer("float *", variance, require_writable=True),
            )
        return int(count[0]), mean, variance

    @property
    def state(self) -> bytes:
        """The state image: everything learned, as bytes."""
        with self._lock:
            capacity = lib.tinyol_twin_max_image_bytes(self._handle)
            buffer = ffi.new("uint8_t[]", capacity)
            length = lib.tinyol_twin_export(self._handle, buffer, capacity)
            return cast(bytes, ffi.buffer(buffer, length)[:])

    @state.setter
    def state(self, image: bytes) -> None:
        """Takes over a state image after checking all of it.

        Raises:
            StateImageError: damaged, of another model or version; the twin is unchanged.
        """
        refusal = new_refusal()
        with self._lock:
            status = lib.tinyol_twin_import(self._handle, bytes(image), len(image), refusal)
        if status == WRONG_MODEL:
            raise StateImageError("this state image belongs to another model")
        if status != 0:
            raise StateImageError(f"the state image is refused: {describe(refusal)}")

    def save(self, path: str | Path) -> None:
        """Writes the state image to a file."""
        write_whole(Path(path), self.state, StateImageError)

    def load(self, path: str | Path) -> None:
        """Takes over the state image in a file."""
        try:
            image = Path(path).read_bytes()
        except OSError as error:
            raise StateImageError(f"{path}: cannot be read: {error.strerror}") from None
        try:
            self.state = image
        except StateImageError as error:
            raise StateImageError(f"{path}: {error}") from None


def _whole_numbers(values: ArrayLike, what: str) -> NDArray[Any]:
    """Checked before any conversion, which would cut or wrap in silence."""
    array = np.ascontiguousarray(values)
    if array.size and array.dtype.kind not in "iu":
        raise DeviceError(f"{what} must be whole numbers, not {array.dtype}")
    return array


def _name_bytes(name: str) -> bytes:
    return name.encode("utf-8", "surrogatepass")


def _count(value: int | None, what: str) -> int:
    if value is None:
        return UNTIL_STOPPED
    if not 0 <= value < UNTIL_STOPPED:
        raise DeviceError(f"{what} is {value}; it must be 0 to {UNTIL_STOPPED - 1}")
    return value
