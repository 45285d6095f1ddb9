"""What a sweep has done, kept beside its table while it runs: the way back after a kill -9.

JSON, a line a job: {"key": ..., "figures": {...}, "seconds": ...}; the first line says what the
file is. Lines are appended, each in one write and synced before the next job counts as done. A
last line that was cut short is cut off when the file is opened again.
"""

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path
from types import TracebackType
from typing import Any

from tinyol_sim.errors import FileError
from tinyol_sim.files import SWEEP_JOURNAL
from tinyol_sim.sweep.figures import FIGURES
from tinyol_sim.sweep.job import FORMAT_VERSION, Outcome

_HEADER = {"format": "tinyol-sweep-journal", "version": FORMAT_VERSION}


def journal_of(table: Path) -> Path:
    """Where a table's journal lies: NAME.journal.jsonl beside NAME.csv and NAME.parquet."""
    return table.with_name(table.stem + SWEEP_JOURNAL)


def read_journal(path: Path) -> dict[str, Outcome]:
    """Outcomes by key; none where there is no file. A damaged line counts as a job not done.

    Raises FileError for a file that is no such journal, or that cannot be read.
    """
    try:
        return _parse(path, path.read_bytes())
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise FileError(f"{path}: cannot be read: {error.strerror or error}") from None


class Journal:
    """An open journal: `done` has what was in it, `add` keeps more. One program at a time."""

    def __init__(self, path: Path) -> None:
        """Makes the file if there is none.

        Raises FileError if another sweep has it open, or it cannot be written.
        """
        self.path = path
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)
        except OSError as error:
            raise self._failed(error) from None
        try:
            self._lock()
            self.done = self._recover()
        except BaseException:
            os.close(self._file)
            raise

    def add(self, key: str, outcome: Outcome) -> None:
        """Keeps a job that succeeded; when this returns it will be found again."""
        line = {"key": key, "figures": outcome.figures, "seconds": outcome.seconds}
        self._append(line)
        self.done[key] = outcome

    def clear(self) -> None:
        """Forget what was kept."""
        try:
            os.ftruncate(self._file, 0)
        except OSError as error:
            raise self._failed(error) from None
        self._append(_HEADER)
        self.done = {}

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.close(self._file)

    def _lock(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise FileError(
                f"{self.path}: another sweep is writing this table: wait for it, or give another"
                " name with -o"
            ) from None
        except OSError:
            pass  # a file system without locks

    def _recover(self) -> dict[str, Outcome]:
        content = self.path.read_bytes()
        done = _parse(self.path, content)
        whole = content.rfind(b"\n") + 1
        try:
            if whole < len(content):
                os.ftruncate(self._file, whole)
            if not whole:
                self._append(_HEADER)
        except OSError as error:
            raise self._failed(error) from None
        return done

    def _append(self, line: dict[str, Any]) -> None:
        data = json.dumps(line, allow_nan=False).encode() + b"\n"
        try:
            written = os.write(self._file, data)
            os.fsync(self._file)
        except OSError as error:
            raise self._failed(error) from None
        if written < len(data):
            raise FileError(f"{self.path}: cannot be written: the disk is full")

    def _failed(self, error: OSError) -> FileError:
        return FileError(f"{self.path}: cannot be written: {error.strerror or error}")


def _parse(path: Path, content: bytes) -> dict[str, Outcome]:
    first, *lines = content.split(b"\n")
    if not lines:  # the first line is not whole: nothing was kept, or this is no such file
        if not _line(_HEADER).startswith(first):
            raise _foreign(path)
        return {}
    if first != _line(_HEADER):
        raise _foreign(path)
    done = {}
    for line in lines[:-1]:  # behind the last newline is nothing, or a line cut short
        entry = _entry(line)
        if entry is not None:
            done[entry[0]] = entry[1]
    return done


def _line(value: dict[str, Any]) -> bytes:
    return json.dumps(value).encode()


def _foreign(path: Path) -> FileError:
    return FileError(
        f"{path}: not a journal of a sweep, or of another version: move it away, or give another"
        " name with -o"
    )


def _entry(line: bytes) -> tuple[str, Outcome] | None:
    try:
        read = json.loads(line)
        key, figures, seconds = read["key"], read["figures"], float(read["seconds"])
        good = isinstance(key, str) and figures.keys() == FIGURES.keys()
        for name, value in figures.items() if good else ():
            kind = FIGURES[name][0]
            good = good and (value is None or type(value) is kind)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
    return (key, Outcome(figures, "", seconds)) if good else None
