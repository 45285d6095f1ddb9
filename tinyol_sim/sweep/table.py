"""The table of a sweep: a row a job, as CSV or Parquet, the same columns and order in both.

First the axes of the grid, then FIGURES, then
    error     why a job failed, else empty; its figures are missing then
    seconds   that the job took where it ran: the only column that differs from run to run
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tinyol_sim.errors import FileError, TinyOLError
from tinyol_sim.files import write_whole
from tinyol_sim.sweep.figures import FIGURES
from tinyol_sim.sweep.job import Job, Outcome

SUFFIXES = (".csv", ".parquet")
Row = dict[str, Any]


def columns_of(axes: Mapping[str, type]) -> dict[str, type]:
    """All columns and their types."""
    figures = {name: kind for name, (kind, _) in FIGURES.items()}
    return {**axes, **figures, "error": str, "seconds": float}


def row_of(job: Job, outcome: Outcome) -> Row:
    """A value for each column, None where there is none."""
    figures = outcome.figures or dict.fromkeys(FIGURES)
    return {**job.axes, **figures, "error": outcome.error, "seconds": outcome.seconds}


def check_table(path: Path) -> None:
    """Before the work: TinyOLError if a table of that name cannot be written."""
    if path.suffix.lower() not in SUFFIXES:
        raise FileError(f"{path}: the suffix must be {' or '.join(SUFFIXES)}")
    if path.suffix.lower() == ".parquet":
        _pyarrow()
    if not path.parent.is_dir():
        raise FileError(f"{path}: there is no folder {path.parent}")
    if path.is_dir():
        raise FileError(f"{path}: is a folder; name a file")


def write_table(path: Path, columns: Mapping[str, type], rows: Sequence[Row]) -> None:
    """The file is whole or not there; a table of before is replaced."""
    check_table(path)
    to_bytes = _to_parquet if path.suffix.lower() == ".parquet" else _to_csv
    write_whole(path, to_bytes(columns, rows), FileError)


def _to_csv(columns: Mapping[str, type], rows: Sequence[Row]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_cell(row[name]) for name in columns] for row in rows)
    return text.getvalue().encode()


def _cell(value: Any) -> str:
    """Numbers in the fewest digits that read back as the same; yes and no as 1 and 0."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(int(value))
    return repr(value) if isinstance(value, float) else str(value)


def _to_parquet(columns: Mapping[str, type], rows: Sequence[Row]) -> bytes:
    pyarrow = _pyarrow()
    import pyarrow.parquet as parquet

    types = {
        str: pyarrow.string(),
        float: pyarrow.float64(),
        int: pyarrow.int64(),
        bool: pyarrow.bool_(),
    }
    schema = pyarrow.schema([(name, types[kind]) for name, kind in columns.items()])
    buffer = io.BytesIO()
    parquet.write_table(pyarrow.Table.from_pylist(list(rows), schema), buffer)
    return buffer.getvalue()


def _pyarrow() -> Any:
    try:
        import pyarrow
    except ModuleNotFoundError:
        raise TinyOLError(
            'a .parquet table needs pyarrow: pip install "tinyol[sweep]", or write a .csv'
        ) from None
    except ImportError as error:  # one for another NumPy
        raise TinyOLError(f"pyarrow cannot be loaded: {error}; or write a .csv") from None
    return pyarrow
