"""What a reader hands on: the content of one file, before the caller's arguments are applied."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tinyol_sim.errors import RecordingError
from tinyol_sim.recording_formats.timestamps import rate_hint, regular_rate_hz

STANDARD_GRAVITY = 9.80665  # m/s2 in one g, exact by definition (CGPM 1901)
G_PER_UNIT = {"g": 1.0, "m/s2": 1.0 / STANDARD_GRAVITY}


def _no_gaps() -> NDArray[np.int64]:
    return np.empty(0, np.int64)


@dataclass
class Parsed:
    """One file's content; every sample is finite and float32 can hold it.

    samples: (n, 3) float32, g, n >= 1; where: a row's place in the file, for error messages
    rate_hz: the file's own rate, or None; rate_where: the place that states it
    default_rate_hz, default_label: what holds if neither the file nor the caller says otherwise
    time_s: (n,) float64 timestamps, or None if the file has none (not yet checked)
    labels: (n,) int16 index into label_names, -1 = no label
    gaps: (g,) int64, the gaps that the file marks; gaps in time_s are not among them
    """

    samples: NDArray[np.float32]
    where: Callable[[int], str]
    labels: NDArray[np.int16]
    label_names: tuple[str, ...] = ()
    rate_hz: float | None = None
    rate_where: str = ""
    default_rate_hz: float | None = None
    default_label: str | None = None
    time_s: NDArray[np.float64] | None = None
    gaps: NDArray[np.int64] = field(default_factory=_no_gaps)

    def resolve_rate(self, path: Path, asked_hz: float | None, tolerance: float) -> float:
        """The rate that holds: what was asked for, which must agree with what the file says.

        Where neither is there, the rate of regular timestamps.

        tolerance: relative. Raises RecordingError if they differ, or nobody names a rate.
        """
        if self.rate_hz is None:
            found_hz = self.default_rate_hz if asked_hz is None else asked_hz
            if found_hz is None and self.time_s is not None:
                found_hz = regular_rate_hz(self.time_s)
            if found_hz is None:
                hint = rate_hint(self.time_s)
                raise RecordingError(
                    f"{path}: the file does not say its rate{hint}; give --rate-hz"
                    " (in Python: rate_hz=)"
                )
            return found_hz
        if asked_hz is None:
            return self.rate_hz
        if not math.isclose(asked_hz, self.rate_hz, rel_tol=tolerance):
            raise RecordingError(
                f"{self.rate_where}: the rate is {self.rate_hz:g} Hz, not {asked_hz:g} Hz as asked"
            )
        return asked_hz


def to_float32_g(
    samples: NDArray[np.float64], units: str, where: Callable[[int], str]
) -> NDArray[np.float32]:
    """Samples (n, 3) in `units` (a key of G_PER_UNIT) as float32 in g.

    Raises RecordingError at the first row that float32 cannot hold as a finite number.
    """
    scaled = samples if units == "g" else samples / STANDARD_GRAVITY
    with np.errstate(over="ignore"):
        result = np.ascontiguousarray(scaled, dtype=np.float32)
    if not np.isfinite(result).all():
        row = int(np.flatnonzero(~np.isfinite(result).all(axis=1))[0])
        values = ", ".join(f"{value:g}" for value in samples[row])
        raise RecordingError(f"{where(row)}: ({values}) must be finite float32 numbers")
    return result


def read_text(path: Path) -> str:
    """The file's UTF-8 text, without a byte order mark, line ends as LF.

    Raises RecordingError if the file is missing, empty, or not UTF-8 text.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise RecordingError(f"{path}: {error.strerror or error}") from None
    if not data.strip():
        raise RecordingError(f"{path}: the file is empty; a recording has at least one sample")
    zero = data.find(b"\0")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        bad = error.start if zero < 0 else min(zero, error.start)
    else:
        if zero < 0:
            return text.replace("\r\n", "\n")
        bad = zero
    line = data.count(b"\n", 0, bad) + 1
    raise RecordingError(
        f"{path}:{line}: not text (byte 0x{data[bad]:02x}); a recording of this kind is UTF-8 text"
    )
