"""One of the device's classifier heads by itself, over rows of features.

For those who have features already, from wherever, and want the device's arithmetic on them:
what it predicts and learns is, bit for bit, what a device with that head and those settings does
with the same features (`Twin.feed(...).features`). One C call for any number of rows; the GIL is
released meanwhile.
"""

from __future__ import annotations

import operator
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._core import ffi, lib
from .errors import DeviceError
from .refusals import BAD_VALUE, NOT_FINITE, describe, ensure, new_refusal
from .settings import SETTINGS

Singles = NDArray[np.float32]
HEADS = ("softmax", "gaussian")
COVARIANCES = ("diagonal", "full")
_SHARED = ("classifier.learn", "statistics.horizon", "statistics.learn")
# The settings that have a say in each head.
SETTINGS_OF = {
    "softmax": (
        *("classifier.learning_rate", "classifier.schedule", "classifier.schedule_steps"),
        *("classifier.l2", "classifier.clip_norm", "classifier.weight_limit"),
        *("classifier.bias", "classifier.balanced", *_SHARED),
    ),
    "gaussian": ("gaussian.horizon", "gaussian.prior_count", "unknown.false_rate", *_SHARED),
}


@dataclass(frozen=True, eq=False)
class Predictions:
    """What became of each row, (n,) or (n, k)."""

    predicted: NDArray[np.int16]  # class index; -1: refused, or no class has had a lesson yet
    probabilities: Singles  # (n, k), rows sum to 1; zeros where predicted is -1
    novelty: Singles  # above 1: no class explains the row; 0 where not known, or for softmax
    learned: NDArray[np.bool_]  # the row was a lesson that was taken
    refused: int  # rows with a number that is not finite, or beyond 1e12: they taught nothing

    def __len__(self) -> int:
        return len(self.predicted)


class OnlineClassifier:
    """Running statistics and one head, by the paper's Algorithm 1 a row at a time.

    head="softmax": standardised features, softmax regression by SGD (firmware's softmax_head.h).
    head="gaussian": a Gaussian a class on the features as they are (gaussian_head.h).

    Calls from several threads take turns; different classifiers run side by side.
    """

    def __init__(
        self,
        n_features: int,
        n_classes: int,
        *,
        head: str = "gaussian",
        covariance: str = "diagonal",
        prior: ArrayLike | None = None,
        settings: Mapping[str, float] | None = None,
    ) -> None:
        """A classifier that has learned nothing.

        Args:
            n_features, n_classes: at least 1, at most 64 as the twin is built.
            covariance: of the Gaussian head's classes, "diagonal" or "full".
            prior: (n_features,) variances that the Gaussian head's classes start from; None: 1.
            settings: the device's names, those in SETTINGS_OF[head]; the others' values are the
                device's own. A softmax head rehearses nothing here.

        Raises:
            DeviceError: an argument is out of range, or a setting has no say in this head.
        """
        if head not in HEADS:
            raise DeviceError(f"no head {head!r}; there are: {', '.join(HEADS)}")
        if covariance not in COVARIANCES:
            raise DeviceError(f"covariance is {covariance!r}; it must be diagonal or full")
        n_features = _checked_count("n_features", n_features)
        n_classes = _checked_count("n_classes", n_classes)
        variances = _singles("prior", np.ones(n_features) if prior is None else prior)
        if variances.shape != (n_features,):
            raise DeviceError(f"prior has the shape {variances.shape}; it must be ({n_features},)")
        self.n_features, self.n_classes = n_features, n_classes
        self.head, self.covariance = head, covariance
        refusal = new_refusal()
        handle = lib.tinyol_classifier_new(
            n_features,
            n_classes,
            head == "gaussian",
            covariance == "full",
            ffi.from_buffer("float *", variances),
            refusal,
        )
        if handle == ffi.NULL:
            raise DeviceError(f"the classifier is refused: {describe(refusal)}")
        self._handle = ffi.gc(handle, lib.tinyol_classifier_free)
        self._lock = threading.Lock()
        for name, value in (settings or {}).items():
            self._set(name, value)

    def learn(self, features: ArrayLike, labels: ArrayLike | None = None) -> Predictions:
        """Row after row: into the statistics, predicted, then a lesson where it has a label.

        Args:
            features: (n, n_features); a contiguous float32 array is not copied.
            labels: (n,) class indices, -1 = none; None: no row has one.
        """
        return self._run(features, labels, learn=True)

    def predict(self, features: ArrayLike) -> Predictions:
        """What it would say of each row; nothing changes."""
        return self._run(features, None, learn=False)

    def statistics(self) -> tuple[int, Singles, Singles]:
        """Rows counted, running mean (d,) and running population variance (d,)."""
        mean, variance = (np.zeros(self.n_features, np.float32) for _ in range(2))
        with self._lock:
            count = lib.tinyol_classifier_statistics(self._handle, _out(mean), _out(variance))
        return int(count), mean, variance

    def lessons(self) -> NDArray[np.uint32]:
        """Taken by each class, (k,)."""
        found = np.zeros(self.n_classes, np.uint32)
        with self._lock:
            lib.tinyol_classifier_lessons(self._handle, _out(found, "uint32_t *"))
        return found

    def weights(self) -> dict[str, Singles]:
        """What it learned, copied; named and shaped as by Twin.weights()."""
        k = self.n_classes
        first = np.zeros((k, self.n_features), np.float32)
        if self.head == "softmax":
            names, second = ("softmax", "softmax_bias"), np.zeros(k, np.float32)
        else:
            spread = int(lib.tinyol_classifier_spread_length(self._handle))
            names, second = ("gaussian_mean", "gaussian_spread"), np.zeros((k, spread), np.float32)
        with self._lock:
            lib.tinyol_classifier_weights(self._handle, _out(first), _out(second))
        return {names[0]: first, names[1]: second}

    def _run(self, features: ArrayLike, labels: ArrayLike | None, *, learn: bool) -> Predictions:
        rows = _singles("features", features)
        if rows.ndim != 2 or rows.shape[1] != self.n_features:
            raise DeviceError(
                f"features have the shape {rows.shape}; they must be (n, {self.n_features})"
            )
        n = len(rows)
        truths = None if labels is None else self._checked_labels(labels, n)
        predicted = np.empty(n, np.int16)
        probabilities = np.empty((n, self.n_classes), np.float32)
        novelty, learned = np.empty(n, np.float32), np.empty(n, np.bool_)
        with self._lock:
            refused = lib.tinyol_classifier_run(
                self._handle,
                ffi.from_buffer("float *", rows),
                ffi.NULL if truths is None else ffi.from_buffer("int16_t *", truths),
                n,
                learn,
                _out(predicted, "int16_t *"),
                _out(probabilities),
                _out(novelty),
                _out(learned, "uint8_t *"),
            )
        return Predictions(predicted, probabilities, novelty, learned, int(refused))

    def _checked_labels(self, labels: ArrayLike, n: int) -> NDArray[np.int16]:
        try:
            array = np.ascontiguousarray(labels)
        except ValueError as error:
            raise DeviceError(f"labels must be whole numbers: {error}") from None
        if array.size and array.dtype.kind not in "iu":
            raise DeviceError(f"labels must be whole numbers, not {array.dtype}")
        if array.shape != (n,):
            raise DeviceError(f"labels have the shape {array.shape}; there are {n} rows")
        if n and (array.min() < -1 or array.max() >= self.n_classes):
            raise DeviceError(
                f"labels go from {array.min()} to {array.max()}; "
                f"this classifier has {self.n_classes} classes (-1 = no label)"
            )
        return array.astype(np.int16, copy=False)

    def _set(self, name: str, value: float) -> None:
        if name not in SETTINGS_OF[self.head]:
            known = ", ".join(SETTINGS_OF[self.head])
            raise DeviceError(f"{name!r} has no say in a {self.head} head; these have: {known}")
        info, refusal = SETTINGS[name], new_refusal()
        try:
            status = lib.tinyol_classifier_set(self._handle, info.id, value, refusal)
        except (TypeError, OverflowError):  # no number, or an int beyond any float
            status = BAD_VALUE
        if status in (BAD_VALUE, NOT_FINITE):
            kind = "a whole number" if info.integral else "a number"
            raise DeviceError(
                f"{name} must be {kind} from {info.minimum:g} to {info.maximum:g},"
                f" not {value!r:.40}"
            )
        ensure(status, refusal)


def _checked_count(what: str, number: int) -> int:
    try:
        count = operator.index(number)
    except TypeError:
        count = 0
    if isinstance(number, (bool, np.bool_)) or not 1 <= count <= 0xFFFF:
        raise DeviceError(f"{what} is {number!r}; it must be a whole number from 1 to {0xFFFF}")
    return count


def _singles(what: str, values: ArrayLike) -> Singles:
    """As contiguous float32, copied only if it must be. DeviceError for what is no real number."""
    try:
        array = np.asarray(values)
        if array.dtype.kind not in "fiubO":
            raise DeviceError(f"{what} must be numbers, not {array.dtype}")
        with np.errstate(over="ignore"):  # a double too large becomes infinite, and is refused
            return np.ascontiguousarray(array, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise DeviceError(f"{what} must be numbers: {error}") from None


def _out(array: NDArray[Any], kind: str = "float *") -> Any:
    return ffi.from_buffer(kind, array, require_writable=True)
