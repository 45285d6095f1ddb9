"""A sweep from beginning to end: what is missing is computed, kept, and all of it written."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from tinyol_sim.errors import FileError, RecordingError
from tinyol_sim.files import is_sweep_table
from tinyol_sim.recording_formats.tinyol_csv import CsvSource
from tinyol_sim.sweep.grid import Grid
from tinyol_sim.sweep.job import Outcome
from tinyol_sim.sweep.journal import Journal, journal_of, read_journal
from tinyol_sim.sweep.runners import Runner, in_this_process
from tinyol_sim.sweep.source import files_of
from tinyol_sim.sweep.table import Row, check_table, columns_of, row_of, write_table

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class SweepResult:
    """table, journal: the files. rows: a job each, in the grid's order; columns: their types.

    kept: jobs that an earlier run had done; ran: jobs of this one, equal ones counted once.
    seconds: that this run took.
    """

    table: Path
    journal: Path
    columns: dict[str, type]
    rows: list[Row]
    kept: int
    ran: int
    seconds: float

    @property
    def failed(self) -> list[Row]:
        """The rows of jobs that failed."""
        return [row for row in self.rows if row["error"]]


def missing(grid: Grid, table: Path) -> int:
    """How many different jobs a sweep would have to do."""
    done = read_journal(journal_of(table))
    return len({job.key for job in grid.jobs()} - done.keys())


def sweep(
    grid: Grid,
    table: Path,
    *,
    runner: Runner = in_this_process,
    fresh: bool = False,
    progress: Progress | None = None,
) -> SweepResult:
    """Does the jobs of the grid that are not in the table's journal, then writes the table.

    Args:
        grid: what to do.
        table: a .csv or .parquet file; replaced as a whole when all is done.
        runner: where the jobs run; see runners.py.
        fresh: forget what the journal has.
        progress: called with different jobs done, those of earlier runs too, and how many in all.

    A job that fails is a row with its error; it is tried again by the next sweep.

    Raises:
        FileError: the table or its journal cannot be written, or another sweep writes it.
        TinyOLError: what the runner cannot do; jobs that have ended are kept.
    """
    began = perf_counter()
    check_table(table)
    _check_no_recording(table, grid)
    jobs = [(job.key, job) for job in grid.jobs()]
    path = journal_of(table)
    with Journal(path) as journal:
        if fresh:
            journal.clear()
        wanted = dict.fromkeys(key for key, _ in jobs)
        outcomes: dict[str, Outcome] = {
            key: journal.done[key] for key in wanted if key in journal.done
        }
        kept = len(outcomes)
        first = {key: job for key, job in reversed(jobs) if key not in outcomes}
        to_do = [key for key in wanted if key in first]
        tell = progress or (lambda done, total: None)
        tell(kept, len(wanted))
        with closing(runner([first[key] for key in to_do])) as ended:
            for index, outcome in ended:
                key = to_do[index]
                outcomes[key] = outcome
                if outcome.figures is not None:
                    journal.add(key, outcome)
                tell(len(outcomes), len(wanted))
        columns = columns_of(grid.axes())
        rows = [row_of(job, outcomes[key]) for key, job in jobs]
        write_table(table, columns, rows)
    return SweepResult(table, path, columns, rows, kept, len(to_do), perf_counter() - began)


def _check_no_recording(table: Path, grid: Grid) -> None:
    if not table.exists():
        return
    for source in grid.sources:
        for unit in map(Path, source.units):
            if any(path.samefile(table) for path in files_of(unit)):
                raise FileError(f"{table}: is one of the recordings: give another name with -o")
    if not is_sweep_table(table) and _is_recording(table):
        raise FileError(f"{table}: is a recording, and no table: give another name with -o")


def _is_recording(path: Path) -> bool:
    """Whether a file begins as a CSV recording does; `-o *.csv` names one."""
    if path.suffix.lower() != ".csv" or not path.is_file():
        return False
    try:
        CsvSource(path)
    except RecordingError:
        return False
    return True
