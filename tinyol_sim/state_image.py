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
from .state_sections import READERS
from .text import one_line

MAGIC = b"TOLS"
FORMAT_VERSION = 2


@dataclass(frozen=True, eq=False)
class StateImage:
    """A state image's fields.

    `fields` maps "section.field" to numbers, names or arrays, in the image's order:
    softmax.weights is (k, d), reconstruction.weights (n_out, n_in), metrics.confusion (k, k), and
    gaussian.0.mean (d,) that of the first class.
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
                reader = READERS.get(tag)
                if reader is None:
                    raise StateImageError(f"the state image has an unknown section {one_line(tag)}")
                known.update(reader(payload))
        except (struct.error, ValueError, UnicodeDecodeError) as error:
            raise StateImageError(f"the state image is malformed: {error}") from None
        missing = [tag for tag in READERS if tag not in sections]
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
