"""The sections of a state image, each read into named fields (docs/state-image.md).

A reader takes a section's payload and returns its fields in the payload's order; it raises
struct.error or ValueError where the payload is too short or says something impossible.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from .settings import SETTINGS
from .text import printable
from .twin import ERROR_QUANTILES

Fields = dict[str, Any]
_NAME_BYTES = 16
_LAYER_COUNTS = ("steps", "skipped_not_finite", "skipped_over_limit", "clamped_targets")


class _Cursor:
    """Takes a payload apart from front to back."""

    def __init__(self, payload: bytes) -> None:
        self._payload, self.at = payload, 0

    def take(self, layout: str) -> tuple[Any, ...]:
        values = struct.unpack_from("<" + layout, self._payload, self.at)
        self.at += struct.calcsize("<" + layout)
        return values

    def one(self, layout: str) -> Any:
        return self.take(layout)[0]

    def array(self, n: int, dtype: DTypeLike = "<f4") -> NDArray[Any]:
        values = np.frombuffer(self._payload, dtype, n, self.at)
        self.at += values.nbytes
        return values

    def quantile(self, name: str) -> Fields:
        """A P-square quantile."""
        return {
            f"{name}.count": self.one("I"),
            f"{name}.positions": self.array(5, "<u4"),
            f"{name}.heights": self.array(5),
        }


def _counters(payload: bytes) -> Fields:
    names = ("samples", "windows", "gaps", "refused_samples", "refused_windows")
    values = struct.unpack("<QQIII", payload)
    return {f"counters.{name}": value for name, value in zip(names, values, strict=True)}


def _settings(payload: bytes) -> Fields:
    by_id = {info.id: name for name, info in SETTINGS.items()}
    (count, _) = struct.unpack_from("<HH", payload)
    entries = struct.iter_unpack("<HHf", payload[4 : 4 + 8 * count])
    return {
        f"settings.{by_id.get(number, number)}": np.float32(value) for number, _, value in entries
    }


def _classes(payload: bytes) -> Fields:
    (count, _) = struct.unpack_from("<HH", payload)
    names = [
        printable(payload[4 + _NAME_BYTES * i : 4 + _NAME_BYTES * (i + 1)].rstrip(b"\0").decode())
        for i in range(count)
    ]
    return {"classes.names": names}


def _statistics(payload: bytes) -> Fields:
    cursor = _Cursor(payload)
    features, _, count = cursor.take("HHI")
    return {
        "statistics.count": count,
        "statistics.mean": cursor.array(features),
        "statistics.variance": cursor.array(features),
    }


def _layer(name: str, cursor: _Cursor) -> tuple[int, Fields]:
    n_in, n_out, has_bias, *counts = cursor.take("HHB3xIIII")
    fields: Fields = {
        f"{name}.{count}": value for count, value in zip(_LAYER_COUNTS, counts, strict=True)
    }
    fields[f"{name}.weights"] = cursor.array(n_in * n_out).reshape(n_out, n_in)
    if has_bias:
        fields[f"{name}.bias"] = cursor.array(n_out)
    return n_out, fields


def _softmax(payload: bytes) -> Fields:
    cursor = _Cursor(payload)
    n_classes, fields = _layer("softmax", cursor)
    fields["softmax.lessons"] = cursor.array(n_classes, "<u4")
    return fields


def _reconstruction(payload: bytes) -> Fields:
    return _layer("reconstruction", _Cursor(payload))[1]


def _gaussian(payload: bytes) -> Fields:
    cursor = _Cursor(payload)
    lessons, d, n_classes, full = cursor.take("IHHB3x")
    fields: Fields = {"classifier.lessons": lessons}
    for k in range(n_classes):
        name = f"gaussian.{k}"
        fields[f"{name}.lessons"] = cursor.one("I")
        fields[f"{name}.weight"] = np.float32(cursor.one("f"))
        fields[f"{name}.mean"] = cursor.array(d)
        fields[f"{name}.spread"] = cursor.array(d * (d + 1) // 2 if full else d)
        fields |= cursor.quantile(f"{name}.distance")
    return fields


def _rehearsal(payload: bytes) -> Fields:
    cursor = _Cursor(payload)
    d, rows, random, n_classes = cursor.take("HHIH2x")
    return {
        "rehearsal.random": random,
        "rehearsal.seen": cursor.array(n_classes, "<u4"),
        "rehearsal.offset": cursor.array(d),
        "rehearsal.exponent": cursor.array(d, "i1"),
        "rehearsal.class": cursor.array(rows, "u1"),
        "rehearsal.values": cursor.array(rows * d, "i1").reshape(rows, d),
    }


def _least_squares(payload: bytes) -> Fields:
    cursor = _Cursor(payload)
    n, restarts = cursor.take("H2xI")
    return {
        "least_squares.restarts": restarts,
        "least_squares.p": cursor.array(n * (n + 1) // 2),
    }


def _window_rehearsal(payload: bytes) -> Fields:
    cursor = _Cursor(payload)
    n_inputs, rows, random, seen = cursor.take("HHII")
    values = cursor.array(rows * n_inputs, "i1").reshape(rows, n_inputs)
    return {
        "window_rehearsal.random": random,
        "window_rehearsal.seen": seen,
        "window_rehearsal.values": values,
    }


def _normal(payload: bytes) -> Fields:
    cursor = _Cursor(payload)
    fields: Fields = {
        "normal.count": cursor.one("I"),
        "normal.mean": cursor.array(2),
        "normal.covariance": cursor.array(3),
        **cursor.quantile("normal.distances"),
    }
    names = ("normal.over", "normal.under", "normal.alarm", "normal.alarms")
    return fields | dict(zip(names, cursor.take("HHB3xI"), strict=True))


def _drift(payload: bytes) -> Fields:
    cursor = _Cursor(payload)
    fields: Fields = {
        "drift.reference_count": cursor.one("I"),
        "drift.reference": cursor.array(3),
        "drift.recent": cursor.array(3),
        "drift.recent_count": cursor.one("I"),
        "drift.up": np.float32(cursor.one("f")),
        "drift.down": np.float32(cursor.one("f")),
    }
    return fields | dict(zip(("drift.moved", "drift.changed"), cursor.take("BB2x"), strict=True))


def _unknown(payload: bytes) -> Fields:
    cursor = _Cursor(payload)
    d, events = cursor.take("HH")
    names = ("count", "in_a_row", "known_in_a_row", "open", "run_began")
    fields: Fields = {
        f"unknown.{name}": value for name, value in zip(names, cursor.take("IHHB3xQ"), strict=True)
    }
    fields["unknown.run_peak"] = np.float32(cursor.one("f"))
    for i in range(events):
        number, first, last, windows, peak, named, kept, stride = cursor.take("IQQIfBxHI")
        fields |= {
            f"unknown.{i}.number": number,
            f"unknown.{i}.first_sample": first,
            f"unknown.{i}.last_sample": last,
            f"unknown.{i}.windows": windows,
            f"unknown.{i}.peak_novelty": np.float32(peak),
            f"unknown.{i}.named": named,
            f"unknown.{i}.stride": stride,
            f"unknown.{i}.vectors": cursor.array(kept * d).reshape(kept, d),
        }
    return fields


def _metrics(payload: bytes) -> Fields:
    cursor = _Cursor(payload)
    n_classes, quantiles, loss_n, loss, error_n, error = cursor.take("HHIfIf")
    fields: Fields = {
        "metrics.loss_count": loss_n,
        "metrics.mean_loss": np.float32(loss),
        "metrics.error_count": error_n,
        "metrics.mean_error": np.float32(error),
    }
    if quantiles != len(ERROR_QUANTILES):
        raise ValueError(f"{quantiles} quantiles, not {len(ERROR_QUANTILES)}")
    for quantile in ERROR_QUANTILES:
        fields |= cursor.quantile(f"metrics.quantile_{quantile:g}")
    confusion = cursor.array(n_classes * n_classes, "<u4")
    fields["metrics.confusion"] = confusion.reshape(n_classes, n_classes)
    return fields


READERS: dict[str, Callable[[bytes], Fields]] = {
    "COUN": _counters,
    "SETT": _settings,
    "CLAS": _classes,
    "STAT": _statistics,
    "SOFT": _softmax,
    "GAUS": _gaussian,
    "REHE": _rehearsal,
    "RECO": _reconstruction,
    "RLSP": _least_squares,
    "REHW": _window_rehearsal,
    "NORM": _normal,
    "DRIF": _drift,
    "UNKN": _unknown,
    "METR": _metrics,
}
