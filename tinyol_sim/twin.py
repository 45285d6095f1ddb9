"""The twin: the device's own C++ in this process, fed from arrays.

``Twin`` is the one wrapper around the C face in csrc/twin_api.h. Whatever a board would do with
the same samples, labels and commands in the same order, the twin does, bit for bit.
"""

from __future__ import annotations

import threading
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
    NOT_FINITE,
    NOT_FOUND,
    TOO_SMALL,
    WRONG_MODEL,
    describe,
    ensure,
    new_refusal,
)
from .settings import SETTINGS
from .simd import check_environment
from .twin_reads import (
    ERROR_QUANTILES,
    ClassStatus,
    Metrics,
    UnknownEvent,
    Watch,
    read_class_status,
    read_metrics,
    read_unknowns,
    read_watch,
    read_weights,
)
from .undone import UNDOABLE, Contradiction, Undone
from .window_results import NOTICES, WindowColumns, Windows

if TYPE_CHECKING:
    from .bundle import Bundle

__all__ = [
    "ERROR_QUANTILES",
    "NOTICES",
    "UNTIL_STOPPED",
    "ClassStatus",
    "Metrics",
    "Twin",
    "UnknownEvent",
    "Watch",
    "Windows",
]

UNTIL_STOPPED = 0xFFFFFFFF


class Twin:
    """A device in this process.

    A twin may be used from several threads: its calls take turns. Different twins run side by
    side (the GIL is released while C++ runs).

    Raises:
        BundleError: the model is refused; the message names what and by how much.
        DeviceError: it is made of neither a bundle nor bytes, or TINYOL_SIMD is wrong (simd.py).
    """

    def __init__(self, bundle: Bundle | bytes) -> None:
        """From a bundle, or from a model image's bytes."""
        image = bundle if isinstance(bundle, bytes) else getattr(bundle, "model_image", None)
        if not isinstance(image, bytes):
            raise DeviceError(
                "a twin is made of a Bundle, or of a model image's bytes, not of"
                f" {type(bundle).__name__}; Bundle.load(path) reads a bundle file"
            )
        check_environment()
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
            columns = WindowColumns(capacity, self.n_features, self.n_classes)
            written = lib.tinyol_twin_feed(
                self._handle,
                ffi.from_buffer("float *", xyz),
                n,
                ffi.NULL if label_array is None else ffi.from_buffer("int16_t *", label_array),
                ffi.from_buffer("int64_t *", gap_array),
                len(gap_array),
                columns.pointers(),
                capacity,
            )
        return columns.cut(written)

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
        return array.astype(np.int16, copy=False)

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
        return self._teach_back(lib.tinyol_twin_label_back, name, windows)

    def contradiction(self, name: str, back: int | None = None) -> Contradiction | None:
        """What speaks against label(name) now, or against label_back(name, back).

        None: the device is not sure of another class: of one with 20 lessons or more, at 0.9 or
        more, that explains the window.
        """
        if back is not None and not 1 <= back <= 0xFFFF:
            raise DeviceError(f"back is {back}; it must be 1 to 65535 windows")
        found = ffi.new("tinyol_contradiction *")
        with self._lock:
            lib.tinyol_twin_contradiction(self._handle, self.class_index(name), back or 0, found)
        if found.class_index < 0:
            return None
        return Contradiction(found.class_index, found.windows, found.confidence)

    def relearn(self, name: str, windows: int) -> int:
        """The class begins anew, from the last `windows` windows; returns how many those were."""
        return self._teach_back(lib.tinyol_twin_relearn, name, windows)

    def _teach_back(self, call: Any, name: str, windows: int) -> int:
        lessons, refusal = ffi.new("uint16_t *"), new_refusal()
        if not 1 <= windows <= 0xFFFF:
            raise DeviceError(f"windows is {windows}; it must be 1 to 65535")
        with self._lock:
            status = call(self._handle, self.class_index(name), windows, lessons, refusal)
        ensure(status, refusal)
        return int(lessons[0])

    def set_class_weight(self, name: str, weight: float) -> None:
        """How likely a class is before anything is seen, relative to the others: 1 at first."""
        refusal = new_refusal()
        with self._lock:
            index = self.class_index(name)
            status = lib.tinyol_twin_set_class_weight(self._handle, index, weight, refusal)
        if status in (BAD_VALUE, NOT_FINITE):
            raise DeviceError(f"a class's weight must be 0.000001 to 1000000, not {weight!r}")
        ensure(status, refusal)

    def name_unknown(self, number: int, name: str) -> tuple[int, int]:
        """Gives an unknown event a name: a new class, or one that is there, learns its vectors.

        Returns the class's index and how many lessons that made.
        Raises DeviceError: the event is not kept, or was named before; the name is impossible.
        """
        index, lessons = ffi.new("uint16_t *"), ffi.new("uint16_t *")
        refusal, raw = new_refusal(), _name_bytes(name)
        event = _count(number, "number")
        with self._lock:
            status = lib.tinyol_twin_name_unknown(
                self._handle, event, raw, len(raw), index, lessons, refusal
            )
            kept = ", ".join(str(e.number) for e in self.unknowns()) or "none"
        if status == NOT_FOUND:
            raise DeviceError(f"no unknown event {number} is kept; there are: {kept}")
        if status == EXISTS:
            raise DeviceError(f"unknown event {number} was named before")
        self._ensure_name(status, refusal, name)
        return int(index[0]), int(lessons[0])

    # --- training and settings -----------------------------------------------------------

    def fine_tune(self, steps: int | None) -> None:
        """The next `steps` windows each take one fine-tuning step; None = until 0 is given."""
        refusal = new_refusal()
        count = _count(steps, "steps")
        with self._lock:
            ensure(lib.tinyol_twin_fine_tune(self._handle, count, refusal), refusal)

    def calibrate(self, windows: int | None, fine_tune_steps: int = 0) -> None:
        """Takes what normal is, and gravity's direction, anew from the next `windows` windows.

        Before them, `fine_tune_steps` windows each take a fine-tuning step. No anomaly is told
        meanwhile. None or 0 windows end a calibration that is under way.
        """
        refusal = new_refusal()
        counts = _count(fine_tune_steps, "fine_tune_steps"), _count(windows or 0, "windows")
        with self._lock:
            status = lib.tinyol_twin_calibrate(self._handle, *counts, refusal)
        if status == BAD_VALUE:
            raise DeviceError(f"a calibration takes at least {refusal.need} windows, not {windows}")
        ensure(status, refusal)

    def set(self, name: str, value: float) -> None:
        """Turns one setting; DeviceError says its range if the value is outside."""
        info = SETTINGS.get(name)
        if info is None:
            raise DeviceError(f"no setting {name!r}; known: {', '.join(SETTINGS)}")
        refusal = new_refusal()
        with self._lock:
            status = lib.tinyol_twin_set(self._handle, info.id, value, refusal)
        if status in (BAD_VALUE, NOT_FINITE):
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

    def undo(self) -> Undone:
        """Takes back the last label, late label, relearning, name of an unknown event,
        fine-tuning, calibration, removal of a class or reset, with all that was learned and
        changed since; labels and fine-tuning end.

        Once: DeviceError if there is nothing, also after a state image was put in.
        """
        return self._undo(only_say=False)

    def would_undo(self) -> Undone:
        """What undo() would take back."""
        return self._undo(only_say=True)

    def _undo(self, *, only_say: bool) -> Undone:
        undone, refusal = ffi.new("tinyol_undone *"), new_refusal()
        with self._lock:
            status = lib.tinyol_twin_undo(self._handle, only_say, undone, refusal)
        if status == NOT_FOUND:
            raise DeviceError("there is nothing to take back")
        ensure(status, refusal)
        return Undone(
            what=UNDOABLE[undone.what],
            class_name=ffi.string(undone.class_name).decode("utf-8", "replace") or None,
            at=undone.sample_index,
            lessons=undone.lessons,
            steps=undone.steps,
            windows=undone.windows,
            other_changes=undone.other_changes,
        )

    # --- what it knows -------------------------------------------------------------------

    def metrics(self) -> Metrics:
        """How well it has done since the state began."""
        with self._lock:
            return read_metrics(self._handle, self.classes)

    def counters(self) -> dict[str, int]:
        """Samples, windows, gaps, refusals, and steps taken and skipped."""
        raw = ffi.new("tinyol_counters *")
        with self._lock:
            lib.tinyol_twin_counters(self._handle, raw)
        return {name: int(getattr(raw, name)) for name, _ in ffi.typeof(raw[0]).fields}

    def weights(self) -> dict[str, NDArray[np.float32]]:
        """All that the layers learned, copied; k classes of d features.

        `softmax` (k, d), `softmax_bias` (k,); `gaussian_mean` (k, d), `gaussian_spread` (k, s):
        variances with s = d, or the rows of the covariance's Cholesky factor up to the diagonal,
        s = d (d + 1) / 2; `reconstruction` (n_out, n_in) and its `bias` (n_out,).
        """
        with self._lock:
            return read_weights(self._handle, self.n_classes)

    def watch(self) -> Watch:
        """What it holds for normal, its alarms, its calibration, and drift."""
        with self._lock:
            return read_watch(self._handle)

    def unknowns(self) -> list[UnknownEvent]:
        """Stretches that no class explained, the latest first; the device keeps the last two."""
        with self._lock:
            return read_unknowns(self._handle)

    def class_status(self) -> list[ClassStatus]:
        """Lessons, weight and limit of each class."""
        with self._lock:
            return read_class_status(self._handle, self.classes)

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
