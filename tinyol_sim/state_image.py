"""The state image on the host: taken apart for people, and compared field by field.

The bytes are specified in docs/state-image.md. The device decides whether an image is good; what
is read here is shown, never trusted.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import BundleError, StateImageError
from .model_image import read_sections
from .settings import SETTINGS
from .text import printable
from .twin import ERROR_QUANTILES

MAGIC = b"TOLS"
FORMAT_VERSION = 1
_NAME_BYTES = 16
_LAYER_COUNTS = ("steps", "skipped_not_finite", "skipped_over_limit", "clamped_targets")


@dataclass(frozen=True, eq=False)
class StateImage:
    """A state image's fields.

    `fields` maps "section.field" to numbers, names or arrays, in the image's order:
    softmax.weights is (k, d), reconstruction.weights (n_out, n_in), metrics.confusion (k, k).
    """

    model_id: str
    fields: dict[str, Any]

    @classmethod
    def from_bytes(cls, image: bytes) -> StateImage:
        """Takes an image apart.

        Raises:
            StateImageError: not a state image, damaged, or of another version.
        """
        try:
            model_id, sections = read_sections(image, MAGIC, "state image", FORMAT_VERSION)
        except BundleError as error:
            raise StateImageError(str(error)) from None
        known: dict[str, Any] = {}
        try:
            for tag, payload in sections.items():
                reader = _READERS.get(tag)
                if reader is None:
                    raise StateImageError(
                        f"the state image has an unknown section {printable(tag)}"
                    )
                known.update(reader(payload))
        except (struct.error, ValueError, UnicodeDecodeError) as error:
            raise StateImageError(f"the state image is malformed: {error}") from None
        missing = [tag for tag in _READERS if tag not in sections]
        if missing:
            raise StateImageError(f"the state image has no section {missing[0]}")
        return cls(model_id, known)

    def first_difference(self, other: StateImage) -> str | None:
        """Names the first field that differs, with both values; None if all are equal."""
        if self.model_id != other.model_id:
            return f"model id: {self.model_id} against {other.model_id}"
        for name, mine in self.fields.items():
            theirs = other.fields.get(name)
            if isinstance(mine, np.ndarray) and isinstance(theirs, np.ndarray):
                if mine.shape != theirs.shape:
                    return f"{name}: shape {mine.shape} against {theirs.shape}"
                differing = np.argwhere(_bits(mine) != _bits(theirs))
                if len(differing):
                    at = tuple(int(i) for i in differing[0])
                    return f"{name}{list(at)}: {_show(mine[at])} against {_show(theirs[at])}"
            elif mine != theirs:
                return f"{name}: {mine} against {theirs}"
        return None


def _bits(array: NDArray[Any]) -> NDArray[Any]:
    return array.view(np.uint32) if array.dtype == np.float32 else array


def _show(value: Any) -> str:
    if isinstance(value, np.float32):
        return f"{value!s} (0x{int(value.view(np.uint32)):08x})"
    return str(value)


def _read_counters(payload: bytes) -> dict[str, Any]:
    names = ("samples", "windows", "gaps", "refused_samples", "refused_windows")
    values = struct.unpack("<QQIII", payload)
    return {f"counters.{name}": value for name, value in zip(names, values, strict=True)}


def _read_settings(payload: bytes) -> dict[str, Any]:
    by_id = {info.id: name for name, info in SETTINGS.items()}
    (count, _) = struct.unpack_from("<HH", payload)
    entries = struct.iter_unpack("<HHf", payload[4 : 4 + 8 * count])
    return {
        f"settings.{by_id.get(number, number)}": np.float32(value) for number, _, value in entries
    }


def _read_classes(payload: bytes) -> dict[str, Any]:
    (count, _) = struct.unpack_from("<HH", payload)
    names = [
        printable(payload[4 + _NAME_BYTES * i : 4 + _NAME_BYTES * (i + 1)].rstrip(b"\0").decode())
        for i in range(count)
    ]
    return {"classes.names": names}


def _read_statistics(payload: bytes) -> dict[str, Any]:
    features, _, count = struct.unpack_from("<HHI", payload)
    values = np.frombuffer(payload, "<f4", 2 * features, 8)
    return {
        "statistics.count": count,
        "statistics.mean": values[:features],
        "statistics.variance": values[features:],
    }


def _read_layer(name: str, payload: bytes) -> dict[str, Any]:
    n_in, n_out, has_bias, *counts = struct.unpack_from("<HHB3xIIII", payload)
    fields: dict[str, Any] = {
        f"{name}.{count}": value for count, value in zip(_LAYER_COUNTS, counts, strict=True)
    }
    fields[f"{name}.weights"] = np.frombuffer(payload, "<f4", n_in * n_out, 24).reshape(n_out, n_in)
    if has_bias:
        fields[f"{name}.bias"] = np.frombuffer(payload, "<f4", n_out, 24 + 4 * n_in * n_out)
    return fields


def _read_metrics(payload: bytes) -> dict[str, Any]:
    n_classes, quantiles, loss_n, loss, error_n, error = struct.unpack_from("<HHIfIf", payload)
    fields: dict[str, Any] = {
        "metrics.loss_count": loss_n,
        "metrics.mean_loss": np.float32(loss),
        "metrics.error_count": error_n,
        "metrics.mean_error": np.float32(error),
    }
    at = 20
    if quantiles != len(ERROR_QUANTILES):
        raise ValueError(f"{quantiles} quantiles, not {len(ERROR_QUANTILES)}")
    for quantile in ERROR_QUANTILES:
        name = f"metrics.quantile_{quantile:g}"
        fields[f"{name}.count"] = struct.unpack_from("<I", payload, at)[0]
        fields[f"{name}.positions"] = np.frombuffer(payload, "<u4", 5, at + 4)
        fields[f"{name}.heights"] = np.frombuffer(payload, "<f4", 5, at + 24)
        at += 44
    confusion = np.frombuffer(payload, "<u4", n_classes * n_classes, at)
    fields["metrics.confusion"] = confusion.reshape(n_classes, n_classes)
    return fields


_READERS = {
    "COUN": _read_counters,
    "SETT": _read_settings,
    "CLAS": _read_classes,
    "STAT": _read_statistics,
    "SOFT": lambda payload: _read_layer("softmax", payload),
    "RECO": lambda payload: _read_layer("reconstruction", payload),
    "METR": _read_metrics,
}
