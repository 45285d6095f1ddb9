"""Recordings as CSV: comment lines with rate and units, a column header, one row a sample.

A CSV of three columns without a header is read, too, as the ceiling-fan set has it.
"""

from __future__ import annotations

import codecs
import csv
import io
import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
from numpy.typing import NDArray

from tinyol_sim.errors import RecordingError
from tinyol_sim.recording_formats import ceiling_fan, csv_table
from tinyol_sim.recording_formats.csv_blocks import CsvBlock, read_blocks
from tinyol_sim.recording_formats.parsed import G_PER_UNIT, Parsed, to_float32_g
from tinyol_sim.recording_formats.row_builders import GapsBuilder, LabelRunsBuilder

if TYPE_CHECKING:
    from tinyol_sim.recordings import Recording

FORMAT_VERSION = 1
_AXES = ("x", "y", "z")
_HEAD_BYTES = 1 << 16  # comments above the columns that need more are another file's
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
    source = CsvSource(path)
    blocks = list(source.blocks())
    samples = [source.samples(block) for block in blocks]
    labels, gaps = LabelRunsBuilder(path), GapsBuilder()
    for block in blocks:
        labels.add(block.label_starts, block.label_names, len(block.numbers))
        gaps.add(block.gaps)
    n_rows = labels.n_samples
    if not n_rows:
        raise source.no_samples()
    time_s = [source.time_s(block) for block in blocks]
    return Parsed(
        samples=np.concatenate(samples),
        where=source.where(blocks),
        labels=labels.runs().labels_of(0, n_rows),
        label_names=labels.names,
        rate_hz=source.rate_hz,
        rate_where=source.rate_where,
        default_rate_hz=source.default_rate_hz,
        default_label=source.default_label,
        time_s=np.concatenate(time_s) if "t" in source.columns else None,
        gaps=gaps.between(n_rows),
    )


class CsvSource:
    """A CSV recording whose rows are read block by block, as often as wanted.

    columns: their names, in the file's order. rate_hz, rate_where, default_rate_hz and
    default_label: as of a Parsed. Raises RecordingError if the file or its header is no recording.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._from_pipe: bytes | None = None  # what can be read only once
        with _opened(path) as file:
            if not file.seekable():
                self._from_pipe = file.read()
        with self._opened() as file:
            self._header, self._body = _header_of(path, file)
        self.columns = self._header.columns
        self.rate_hz, self.rate_where = _rate(path, self._header)
        self._units = _units(path, self._header)
        self.default_label = None if self._header.has_names else ceiling_fan.label_of_file(path)
        fan_hz = ceiling_fan.RATE_HZ
        self.default_rate_hz = None if self.default_label is None else fan_hz
        numbers = [name for name in self.columns if name != "label"]
        self._axes = [numbers.index(axis) for axis in _AXES]
        self._t = numbers.index("t") if "t" in numbers else -1

    def _opened(self) -> BinaryIO:
        return _opened(self.path) if self._from_pipe is None else io.BytesIO(self._from_pipe)

    def blocks(self) -> Iterator[CsvBlock]:
        """All rows. Raises RecordingError where one is none."""
        with self._opened() as file:
            file.seek(self._body)
            first_line = self._header.body_start + 1
            yield from read_blocks(self.path, file, first_line, self.columns)

    def samples(self, block: CsvBlock) -> NDArray[np.float32]:
        """A block's samples (m, 3), g. Raises RecordingError if float32 cannot hold one."""
        return to_float32_g(block.numbers[:, self._axes], self._units, self.where([block]))

    def time_s(self, block: CsvBlock) -> NDArray[np.float64]:
        """A block's column `t` (m,), which there must be."""
        return block.numbers[:, self._t] if self._t >= 0 else np.empty(0)

    def where(self, blocks: Sequence[CsvBlock]) -> Callable[[int], str]:
        """The place in the file of a row, counted from the first of these blocks on."""

        def place(row: int) -> str:
            row += blocks[0].first_row
            block = next(b for b in reversed(blocks) if b.first_row <= row)
            return f"{self.path}:{block.line_of(row - block.first_row)}"

        return place

    def no_samples(self) -> RecordingError:
        """What is wrong where `blocks` gives no row."""
        return RecordingError(f"{self.path}: no samples; there is no row below the header")


def has_column_names(path: Path) -> bool:
    """Whether a CSV names its columns; False for the bare numbers of a sliced recording.

    Looks at no more than the header. Of what is no recording it says True: reading it says why.
    """
    try:
        with _opened(path) as file:
            return _header_of(path, file)[0].has_names
    except RecordingError:
        return True


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


def _opened(path: Path) -> BinaryIO:
    try:
        return open(path, "rb")
    except OSError as error:
        raise RecordingError(f"{path}: {error.strerror or error}") from None


def _header_of(path: Path, file: BinaryIO) -> tuple[_Header, int]:
    """The header, and the byte that the rows begin at."""
    head = file.read(_HEAD_BYTES)
    blank = not head.strip()
    start = len(codecs.BOM_UTF8) if head.startswith(codecs.BOM_UTF8) else 0
    lines: list[str] = []
    at = [start]
    for number, line in enumerate(head[start:].split(b"\n"), start=1):
        lines.append(csv_table.decoded(f"{path}:{number}", line).removesuffix("\r"))
        at.append(at[-1] + len(line) + 1)
        if csv_table.is_row(lines[-1]):
            break
    if blank and len(head) < _HEAD_BYTES:
        raise RecordingError(f"{path}: the file is empty; a recording has at least one sample")
    header = _read_header(path, lines)
    return header, at[header.body_start]


def _read_header(path: Path, lines: Sequence[str]) -> _Header:
    header = _Header()
    for number, line in enumerate(lines, start=1):
        if "\r" in line:
            raise RecordingError(f"{path}:{number}: {csv_table.CARRIAGE_RETURN}")
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
