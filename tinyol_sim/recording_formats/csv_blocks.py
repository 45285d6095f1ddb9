"""The rows of a CSV recording, block by block: plain ones by C++ (csrc/csv_api.h), others here.

body of the file  ->  read_blocks()  ->  CsvBlock, CsvBlock, ...
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from tinyol_sim._core import ffi, lib
from tinyol_sim.errors import RecordingError
from tinyol_sim.recording_formats import csv_table

BLOCK_BYTES = 1 << 20
_LONGEST_LINE = 1 << 20
_MAX_MARKS = 1 << 12
_MARK = np.dtype([("row", "<u8"), ("offset", "<u8"), ("length", "<u4"), ("is_gap", "<u4")])


@dataclass
class CsvBlock:
    """Rows that follow one another in the file.

    first_row: index of the first one in the recording. numbers: (m, k) float64, a column for each
    but the label, finite. label_starts: rows of the block, rising from 0, where the label is
    written otherwise than in the row before; label_names: what it is from there on, "" = none.
    gaps: rows of the recording that a `# gap` stands above.
    text, first_line: what the rows were read from, and the number of its first line.
    """

    first_row: int
    numbers: NDArray[np.float64]
    label_starts: list[int]
    label_names: list[str]
    gaps: list[int]
    text: bytes
    first_line: int

    def line_of(self, row: int) -> int:
        """The number of the line that a row of this block stands in."""
        lines = self.text.decode("utf-8", "replace").split("\n")
        return self.first_line - 1 + csv_table.line_of_row(lines, 0, row)


def read_blocks(
    path: Path, file: BinaryIO, first_line: int, columns: Sequence[str]
) -> Iterator[CsvBlock]:
    """All rows of `columns` from where `file` is, at line number `first_line`, to its end.

    Raises RecordingError naming the line if a row has another number of cells, a cell is not a
    finite number or no UTF-8 text, a label is no class name, or a line is endless.
    """
    reader = _Reader(path, columns, first_line)
    rest = b""
    while data := file.read(BLOCK_BYTES):
        text = rest + data
        end = text.rfind(b"\n") + 1
        rest = text[end:]
        yield from reader.blocks(text[:end])
        if len(rest) > _LONGEST_LINE:
            raise RecordingError(
                f"{path}:{reader.line}: a line of more than {_LONGEST_LINE:,} bytes; a recording"
                " has one line for each sample"
            )
    if rest:
        yield from reader.blocks(rest + b"\n")


class _Reader:
    """line, row: of what comes next, from 1 and from 0."""

    def __init__(self, path: Path, columns: Sequence[str], first_line: int) -> None:
        self.line, self.row = first_line, 0
        self._path, self._columns = path, columns
        self._label = columns.index("label") if "label" in columns else -1
        self._n_numbers = len(columns) - (self._label >= 0)
        self._names: dict[bytes, str] = {}  # of cells that were read before

    def blocks(self, text: bytes) -> Iterator[CsvBlock]:
        """The rows of some lines, each with its line feed."""
        at = 0
        raw = ffi.from_buffer(text)
        state = ffi.new("tinyol_csv_read_state *")
        marks = np.zeros(_MAX_MARKS, _MARK)
        while at < len(text):
            room = (len(text) - at) // (2 * len(self._columns)) + 1
            numbers = np.empty((room, self._n_numbers), np.float64)
            lib.tinyol_csv_read(
                raw + at,
                len(text) - at,
                len(self._columns),
                self._label,
                ffi.from_buffer("double *", numbers, require_writable=True),
                room,
                ffi.from_buffer("tinyol_csv_mark *", marks, require_writable=True),
                _MAX_MARKS,
                state,
            )
            if state.rows or state.marks:
                stretch = text[at : at + state.used]
                yield self._plain(stretch, numbers[: state.rows], marks[: state.marks])
            at += state.used
            self.line += state.lines
            if state.odd:
                end = text.index(b"\n", at) + 1
                if (block := self._odd(text[at:end])) is not None:
                    yield block
                at = end
                self.line += 1

    def _plain(
        self, text: bytes, numbers: NDArray[np.float64], marks: NDArray[np.void]
    ) -> CsvBlock:
        starts: list[int] = []
        names: list[str] = []
        gaps: list[int] = []
        for row, offset, length, is_gap in marks.tolist():
            if is_gap:
                gaps.append(self.row + row)
                continue
            cell = text[offset : offset + length]
            if cell not in self._names:
                line = csv_table.line_of_row(text.decode("utf-8", "replace").split("\n"), 0, row)
                self._names[cell] = csv_table.label_in(f"{self._path}:{self.line - 1 + line}", cell)
            starts.append(row)
            names.append(self._names[cell])
        block = CsvBlock(self.row, numbers, starts, names, gaps, text, self.line)
        self.row += len(numbers)
        return block

    def _odd(self, line: bytes) -> CsvBlock | None:
        """A line that is not plain: a row of another spelling, a comment, or an error."""
        cells = csv_table.parse_line(f"{self._path}:{self.line}", line, self._columns)
        if isinstance(cells, bool):
            return self._empty(line, [self.row]) if cells else None
        numbers = [float(c) for i, c in enumerate(cells) if i != self._label]
        labelled = self._label >= 0
        block = CsvBlock(
            self.row,
            np.array([numbers]),
            [0] if labelled else [],
            [cells[self._label]] if labelled else [],
            [],
            line,
            self.line,
        )
        self.row += 1
        return block

    def _empty(self, line: bytes, gaps: list[int]) -> CsvBlock:
        return CsvBlock(self.row, np.empty((0, self._n_numbers)), [], [], gaps, line, self.line)
