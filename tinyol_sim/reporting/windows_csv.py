"""A replay window by window, as a CSV file for a spreadsheet or a notebook.

time_s         seconds of the window's last sample from the start; gaps are not counted
sample_index   that sample's index, from 0, over all recordings in order
error          the frozen net's mean squared reconstruction error
tuned_error    the fine-tuned layer's, before this window's step
log_variance   ln of the window's variance, g^2
label          class name; empty if the window has no label, or not one for all its samples
predicted      class name; empty as long as no class is known
confidence     probability of `predicted`, 0 to 1
score          of the anomaly detector; above 1: an anomaly; 0 while it settles
novelty        above 1: no class explains the window; 0 where that is not known
anomaly, learned, fine_tuned, alarm, unknown   0 or 1: score above 1; classifier took a step;
               fine-tuned layer took a step; an alarm stands; novelty above 1 and no label
notices        what began or ended with the window, names with spaces between them
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tinyol_sim.errors import TinyOLError
from tinyol_sim.replay import ReplayResult
from tinyol_sim.twin import NOTICES, Windows
from tinyol_sim.window_block import WindowBlock

COLUMNS = (
    "time_s",
    "sample_index",
    "error",
    "tuned_error",
    "log_variance",
    "label",
    "predicted",
    "confidence",
    "score",
    "novelty",
    "anomaly",
    "learned",
    "fine_tuned",
    "alarm",
    "unknown",
    "notices",
)
_FLAGS = ("anomaly", "learned", "fine_tuned", "alarm", "unknown")
_BITS = np.array(["0", "1"], dtype=object)


def windows_csv(result: ReplayResult) -> str:
    """The file's text, of a replay that kept all windows: a header, then a line a window."""
    block = WindowBlock(result.windows, result.sample_index, result.truth, result.tuned)
    return ",".join(COLUMNS) + "\n" + _rows(block, result.class_names, result.stream.rate_hz)


class WindowsCsv:
    """The file, written while a replay goes on; whole once `with` ends well, else not there."""

    def __init__(self, path: Path, rate_hz: float) -> None:
        """rate_hz: of the recordings. What was at `path` stays until the end."""
        self._path, self._rate_hz = path, rate_hz
        self._partial = path.with_name(f".{path.name}.{os.getpid()}.partial")

    def __enter__(self) -> WindowsCsv:
        """Raises TinyOLError if the folder cannot be written to."""
        try:
            self._file = open(self._partial, "wb")
        except OSError as error:
            raise self._failed(error) from None
        self._write(",".join(COLUMNS) + "\n")
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            self._file.close()
            if kind is None:
                self._partial.replace(self._path)
        except OSError as error:
            raise self._failed(error) from None
        finally:
            self._partial.unlink(missing_ok=True)

    def add(self, block: WindowBlock, class_names: Sequence[str]) -> None:
        """The next windows. Raises TinyOLError if the disk refuses."""
        self._write(_rows(block, class_names, self._rate_hz))

    def _write(self, text: str) -> None:
        try:
            self._file.write(text.encode("utf-8", "replace"))
        except OSError as error:
            raise self._failed(error) from None

    def _failed(self, error: OSError) -> TinyOLError:
        return TinyOLError(f"{self._path}: cannot be written: {error.strerror or error}")


def _rows(block: WindowBlock, class_names: Sequence[str], rate_hz: float) -> str:
    """A line a window; float32 in the fewest digits that hold."""
    windows = block.windows
    names = np.array([*map(_quoted, class_names), ""], dtype=object)
    columns = (
        np.char.mod("%.6f", block.sample_index / rate_hz),
        block.sample_index.astype(str),
        # As text, numpy writes the shortest decimal that reads back as the same float32.
        windows.error.astype(str),
        windows.tuned_error.astype(str),
        windows.log_variance.astype(str),
        names[block.truth],
        names[windows.predicted],
        windows.confidence.astype(str),
        windows.score.astype(str),
        windows.novelty.astype(str),
        *(_BITS[getattr(windows, name).astype(np.intp)] for name in _FLAGS),
        _notices(windows),
    )
    rows = map(",".join, zip(*(column.tolist() for column in columns), strict=True))
    return "".join(f"{row}\n" for row in rows)


def _quoted(name: str) -> str:
    """As csv.writer has it."""
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow([name, ""])
    return text.getvalue().removesuffix(",")


def _notices(windows: Windows) -> NDArray[np.object_]:
    kinds, index = np.unique(windows.notices, return_inverse=True)
    names = np.array([_names(bits) for bits in kinds.tolist()], dtype=object)
    return np.asarray(names[index.reshape(-1)], dtype=object)


def _names(bits: int) -> str:
    return " ".join(name for name, bit in NOTICES.items() if bits & bit)
