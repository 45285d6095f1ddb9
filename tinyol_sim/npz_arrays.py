"""The arrays of an .npz file that may come from anywhere."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterable
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from .errors import RecordingError

_LAST_CHARACTER = 0x10FFFF  # of Unicode


def read_npz(source: bytes | BinaryIO, names: Iterable[str]) -> dict[str, NDArray[Any]]:
    """Those of the named arrays that are there, of a file's bytes or of an open file.

    RecordingError says why there are none.
    """
    file = io.BytesIO(source) if isinstance(source, bytes) else source
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a header as Python 2 wrote it, or what looks so
            with np.load(file, allow_pickle=False) as archive:
                arrays = {name: archive[name] for name in names if name in archive.files}
    # numpy reads a header as Python source: what was changed can raise anything (SyntaxError,
    # tokenize's and zlib's errors, RecursionError, MemoryError).
    except Exception as error:
        raise damaged(error) from None
    for name, array in arrays.items():
        if not isinstance(array, np.ndarray):  # a member that does not begin as an array does
            raise RecordingError(f"{name} is no array")
        if array.dtype.kind == "U" and not _is_text(array):
            raise RecordingError(f"the .npz file is damaged: {name} holds what is no text")
    return arrays


def damaged(error: Exception) -> RecordingError:
    """What reading the file stumbled over, in words."""
    reason = " ".join(str(error).split())[:100]  # zipfile may quote the whole file
    return RecordingError(f"the .npz file is damaged: {reason or type(error).__name__}")


def _is_text(array: NDArray[Any]) -> bool:
    """Whether its words of 32 bits are characters: numpy does not look before Python stumbles."""
    order = ">" if array.dtype.str[0] == ">" else "<"
    words = np.frombuffer(array.tobytes(), np.dtype(f"{order}u4"))
    return not np.any(words > _LAST_CHARACTER)
