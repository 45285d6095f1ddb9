"""The rows of a CSV recording: a fast parser, and a careful one that says what is wrong where."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tinyol_sim.errors import RecordingError
from tinyol_sim.recording_formats.labels import class_name_problem

_LABEL_WIDTH = 32  # characters read of a label cell: twice the longest name, room for spaces
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_NUMBER_LIKE = re.compile(r"[+-]?(\.?\d|nan$|inf$|infinity$)", re.ASCII | re.IGNORECASE)
_GAP = re.compile(r"#\s*gap\s*", re.IGNORECASE)


@dataclass
class Table:
    """The rows below a CSV's header.

    numbers: column name -> (n,) float64, finite; label_cells: (n,) text as written, or None
    gaps: how many rows stand above each `# gap` line, each number once
    """

    numbers: dict[str, NDArray[np.float64]]
    label_cells: NDArray[np.str_] | None
    gaps: list[int]


def split_fields(line: str) -> list[str]:
    """The cells of one line, without the spaces around them. Raises csv.Error."""
    return [cell.strip() for cell in next(csv.reader([line], strict=True))]


def is_number_like(cell: str) -> bool:
    """Whether a cell was meant as a number, right or wrong."""
    return _NUMBER_LIKE.match(cell) is not None


def is_row(line: str) -> bool:
    """Whether a line holds cells: it is neither blank nor a comment."""
    stripped = line.strip()
    return bool(stripped) and stripped[0] != "#"


def line_of_row(lines: Sequence[str], start: int, row: int) -> int:
    """The line number, from 1, of the row with index `row` at or below lines[start]."""
    numbers = (i + 1 for i in range(start, len(lines)) if is_row(lines[i]))
    return next(islice(numbers, row, None))


def parse_table(path: Path, lines: Sequence[str], start: int, columns: Sequence[str]) -> Table:
    """Parse lines[start:] as rows of `columns`; the one named "label" is text, others numbers.

    Raises RecordingError naming the line if a row has another number of cells, a cell is not a
    finite number, or a label is no class name.
    """
    rows: list[str] = []
    gaps: list[int] = []
    for line in lines[start:]:
        if is_row(line):
            rows.append(line)
        elif _GAP.fullmatch(line.strip()) and gaps[-1:] != [len(rows)]:
            gaps.append(len(rows))
    if not rows:
        raise RecordingError(f"{path}: no samples; there is no row below the header")
    dtype = [(name, f"U{_LABEL_WIDTH}" if name == "label" else "f8") for name in columns]
    try:
        table = np.loadtxt(
            rows,
            dtype=dtype,
            delimiter=",",
            comments=None,
            quotechar='"',
            encoding="utf-8",
            ndmin=1,
        )
    except ValueError as error:
        raise _first_error(path, lines, start, columns, str(error)) from None
    numbers = {name: table[name] for name in columns if name != "label"}
    cells = table["label"] if "label" in columns else None
    if len(table) != len(rows) or not all(np.isfinite(n).all() for n in numbers.values()):
        raise _first_error(path, lines, start, columns, "rows and lines do not match")
    if cells is not None and (np.char.str_len(cells) >= _LABEL_WIDTH).any():
        raise _first_error(path, lines, start, columns, "a label is too wide")
    return Table(numbers, cells, gaps)


def encode_labels(
    path: Path, cells: NDArray[np.str_] | None, n_rows: int
) -> tuple[NDArray[np.int16], tuple[str, ...], list[int]]:
    """Labels (n,) int16, their names by first appearance, and the row where each name first is.

    An empty cell is no label (-1). The names are not checked.
    """
    if cells is None:
        return np.full(n_rows, -1, np.int16), (), []
    starts = np.concatenate([[0], np.flatnonzero(cells[1:] != cells[:-1]) + 1])
    index: dict[str, int] = {"": -1}
    first_rows = []
    codes = np.empty(len(starts), np.int32)
    for i, start in enumerate(starts):
        name = str(cells[start]).strip()
        if name not in index:
            index[name] = len(index) - 1
            first_rows.append(int(start))
        codes[i] = index[name]
    if len(first_rows) > np.iinfo(np.int16).max:
        raise RecordingError(f"{path}: {len(first_rows)} different labels are too many")
    labels = np.repeat(codes, np.diff(starts, append=n_rows)).astype(np.int16)
    return labels, tuple(index)[1:], first_rows


def _first_error(
    path: Path, lines: Sequence[str], start: int, columns: Sequence[str], otherwise: str
) -> RecordingError:
    for i in range(start, len(lines)):
        if is_row(lines[i]) and (problem := _row_problem(lines[i], columns)):
            return RecordingError(f"{path}:{i + 1}: {problem}")
    return RecordingError(f"{path}: not a CSV recording: {otherwise}")


def _row_problem(line: str, columns: Sequence[str]) -> str | None:
    if "\r" in line:
        return "a carriage return within the line; lines must end in LF or CR LF"
    try:
        cells = split_fields(line)
    except csv.Error as error:
        return str(error)
    if len(cells) != len(columns):
        return f"{len(cells)} columns where {','.join(columns)} are {len(columns)}"
    for name, cell in zip(columns, cells, strict=True):
        shown = cell if len(cell) <= 40 else cell[:40] + "..."
        if name == "label":
            if cell and (problem := class_name_problem(cell)):
                return problem
        elif not cell:
            return f"{name} is empty; it must be a number"
        elif not _NUMBER.fullmatch(cell):
            return f"{name} is {shown!r}; it must be a finite number"
        elif not math.isfinite(float(cell)):
            return f"{name} is {shown!r}; it is too large"
    return None
