"""The lines of a CSV recording one by one: what each is, and what is wrong with it."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Sequence
from itertools import islice

from tinyol_sim.errors import RecordingError
from tinyol_sim.recording_formats.labels import class_name_problem

CARRIAGE_RETURN = "a carriage return within the line; lines must end in LF or CR LF"
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_NUMBER_LIKE = re.compile(r"[+-]?(\.?\d|nan$|inf$|infinity$)", re.ASCII | re.IGNORECASE)
_GAP = re.compile(r"#\s*gap\s*", re.IGNORECASE)


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


def decoded(where: str, line: bytes) -> str:
    """A line's text. Raises RecordingError, with `where` it stands, if it is not UTF-8 text."""
    zero = line.find(b"\0")
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError as error:
        bad = error.start if zero < 0 else min(zero, error.start)
    else:
        if zero < 0:
            return text
        bad = zero
    raise RecordingError(
        f"{where}: not text (byte 0x{line[bad]:02x}); a recording of this kind is UTF-8 text"
    )


def parse_line(where: str, line: bytes, columns: Sequence[str]) -> list[str] | bool:
    """The cells of a row under `columns`, checked; of other lines whether they say `# gap`.

    Raises RecordingError, with `where` it stands, if the row has another number of cells, a cell
    is not a finite number, or a label is no class name.
    """
    text = decoded(where, line).removesuffix("\n").removesuffix("\r")
    if not is_row(text):
        return _GAP.fullmatch(text.strip()) is not None
    if problem := _row_problem(text, columns):
        raise RecordingError(f"{where}: {problem}")
    return split_fields(text)


def label_in(where: str, cell: bytes) -> str:
    """The class name in a label's cell as it is written, "" = none. Raises RecordingError."""
    text = decoded(where, cell)
    name = split_fields(text)[0] if text.startswith('"') else text.strip()
    if name and (problem := class_name_problem(name)):
        raise RecordingError(f"{where}: {problem}")
    return name


def _row_problem(line: str, columns: Sequence[str]) -> str | None:
    if "\r" in line:
        return CARRIAGE_RETURN
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
