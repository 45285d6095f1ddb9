"""Recordings as CSV: comment lines with rate and units, a column header, one row a sample.

A CSV of three columns without a header is read, too, as the ceiling-fan set has it.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tinyol_sim.errors import RecordingError
from tinyol_sim.recording_formats import ceiling_fan, csv_table
from tinyol_sim.recording_formats.labels import class_name_problem
from tinyol_sim.recording_formats.parsed import G_PER_UNIT, Parsed, read_text, to_float32_g

if TYPE_CHECKING:
    from tinyol_sim.recordings import Recording

FORMAT_VERSION = 1
_AXES = ("x", "y", "z")
_COLUMNS = ("t", *_AXES, "label")
_MAGIC = re.compile(r"#\s*tinyol recording\b\s*(.*)", re.IGNORECASE)
_SETTING = re.compile(r"#\s*(rate_hz|units)\s*=\s*(.*)")

# The one float32 whose shortest decimal does not survive being read as a double first: rounding
# twice ends one bit off. (All 2^31 of them were tried; 9 digits do for every float32.)
_DOUBLE_ROUNDED = np.array(0x15AE43FD, np.uint32).view(np.float32)


@dataclass
class _Header:
    columns: tuple[str, ...] = ()
    has_names: bool = False
    body_start: int = 0  # index of the first line below the header
    is_ours: bool = False  # it has the line `# tinyol recording`
    settings: dict[str, tuple[int, str]] = field(default_factory=dict)  # key -> line number, value


def read(path: Path) -> Parsed:
    """Read a CSV recording, with or without a header. Raises RecordingError."""
    lines = read_text(path).split("\n")
    header = _read_header(path, lines)
    table = csv_table.parse_table(path, lines, header.body_start, header.columns)

    def where(row: int) -> str:
        return f"{path}:{csv_table.line_of_row(lines, header.body_start, row)}"

    samples = np.column_stack([table.numbers[axis] for axis in _AXES])
    labels, label_names, first_rows = csv_table.encode_labels(path, table.label_cells, len(samples))
    for name, row in zip(label_names, first_rows, strict=True):
        if problem := class_name_problem(name):
            raise RecordingError(f"{where(row)}: {problem}")
    rate_hz, rate_where = _rate(path, header)
    fan_label = None if header.has_names else ceiling_fan.label_of_file(path)
    return Parsed(
        samples=to_float32_g(samples, _units(path, header), where),
        where=where,
        labels=labels,
        label_names=label_names,
        rate_hz=rate_hz,
        rate_where=rate_where,
        default_rate_hz=None if fan_label is None else ceiling_fan.RATE_HZ,
        default_label=fan_label,
        time_s=table.numbers.get("t"),
        gaps=np.array([gap for gap in table.gaps if 0 < gap < len(samples)], dtype=np.int64),
    )


def has_column_names(path: Path) -> bool:
    """Whether a CSV names its columns; False for the bare numbers of a sliced recording."""
    return _read_header(path, read_text(path).split("\n")).has_names


def to_bytes(recording: Recording) -> bytes:
    """The recording as CSV in g: float32 values, gaps and labels read back as they were."""
    text = recording.samples.astype(np.str_)  # the shortest decimal that is the same float32
    odd = np.abs(recording.samples) == _DOUBLE_ROUNDED
    text[odd] = [f"{value:.9g}" for value in recording.samples[odd].tolist()]
    rows = [",".join(row) for row in text.tolist()]
    columns = list(_AXES)
    if (recording.labels >= 0).any():
        columns.append("label")
        cells = [*map(_quote, recording.label_names), ""]  # -1 finds the last one: no label
        rows = [f"{row},{cells[i]}" for row, i in zip(rows, recording.labels.tolist(), strict=True)]
    for gap in reversed(recording.gaps.tolist()):
        rows[gap] = f"# gap\n{rows[gap]}"
    rate = repr(recording.rate_hz).removesuffix(".0")
    head = [f"# tinyol recording {FORMAT_VERSION}", f"# rate_hz={rate}", "# units=g"]
    return "\n".join([*head, ",".join(columns), *rows, ""]).encode()


def _quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"' if "," in name or '"' in name else name


def _read_header(path: Path, lines: Sequence[str]) -> _Header:
    header = _Header()
    for number, line in enumerate(lines, start=1):
        stripped = line.strip()
        if csv_table.is_row(line):
            _read_columns(f"{path}:{number}", stripped, header)
            header.body_start = number if header.has_names else number - 1
            return header
        if match := _MAGIC.fullmatch(stripped):
            header.is_ours = True
            if match[1] != str(FORMAT_VERSION):
                raise RecordingError(
                    f"{path}:{number}: version {match[1]!r} of the format; this program reads"
                    f" `# tinyol recording {FORMAT_VERSION}`"
                )
        elif match := _SETTING.fullmatch(stripped):
            if match[1] in header.settings:
                raise RecordingError(f"{path}:{number}: {match[1]} is given twice")
            header.settings[match[1]] = number, match[2].strip()
    raise RecordingError(f"{path}: no samples; the columns x,y,z and a row a sample must follow")


def _read_columns(where: str, line: str, header: _Header) -> None:
    try:
        cells = csv_table.split_fields(line)
    except csv.Error as error:
        raise RecordingError(f"{where}: {error}") from None
    header.columns = tuple(cells)
    header.has_names = not any(map(csv_table.is_number_like, cells))
    if not header.has_names:
        if header.is_ours:
            raise RecordingError(f"{where}: a header such as x,y,z must stand above the numbers")
        if len(cells) != len(_AXES):
            raise RecordingError(
                f"{where}: {len(cells)} columns; a CSV without a header has 3 (x, y, z in g),"
                " one with other columns names them in its first line"
            )
        header.columns = ceiling_fan.COLUMNS
        return
    shown = line if len(line) <= 60 else line[:60] + "..."
    if not any(cell in _COLUMNS for cell in cells):
        raise RecordingError(
            f"{where}: {shown!r} is no recording; it would begin with a header such as x,y,z"
            " or with numbers"
        )
    for cell in cells:
        if cell not in _COLUMNS:
            raise RecordingError(
                f"{where}: unknown column {cell!r}; the columns are {','.join(_COLUMNS)}"
                " (t and label may be left out)"
            )
        if cells.count(cell) > 1:
            raise RecordingError(f"{where}: column {cell!r} is there twice")
    if missing := [axis for axis in _AXES if axis not in cells]:
        raise RecordingError(f"{where}: column {missing[0]!r} is missing; there must be x,y,z")


def _rate(path: Path, header: _Header) -> tuple[float | None, str]:
    if "rate_hz" not in header.settings:
        return None, ""
    number, text = header.settings["rate_hz"]
    where = f"{path}:{number}"
    try:
        rate_hz = float(text)
    except ValueError:
        rate_hz = math.nan
    if not (math.isfinite(rate_hz) and rate_hz > 0):
        raise RecordingError(f"{where}: rate_hz is {text!r}; it must be a number above 0")
    return rate_hz, where


def _units(path: Path, header: _Header) -> str:
    if "units" not in header.settings:
        if header.is_ours:
            raise RecordingError(f"{path}: the line `# units=g` (or m/s2) is missing")
        return "g"
    number, text = header.settings["units"]
    if text not in G_PER_UNIT:
        raise RecordingError(f"{path}:{number}: units are {text!r}; they must be g or m/s2")
    return text
