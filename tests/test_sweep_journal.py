"""The journal of a sweep: whatever was cut off, what was kept is found again, and nothing else."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from swept import make_folder, rows_of, small_grid

from tinyol_sim.errors import FileError
from tinyol_sim.sweep.figures import FIGURES
from tinyol_sim.sweep.job import Outcome
from tinyol_sim.sweep.journal import Journal, journal_of, read_journal
from tinyol_sim.sweep.sweep import sweep

FIGURE = {str: "x", int: 3, float: 0.1}
DONE = Outcome({name: FIGURE[kind] for name, (kind, _) in FIGURES.items()}, "", 0.25)


def write(path: Path, n: int) -> bytes:
    with Journal(path) as journal:
        for i in range(n):
            journal.add(f"job {i}", DONE)
    return path.read_bytes()


def test_what_is_kept_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "t.journal.jsonl"
    write(path, 3)
    assert read_journal(path) == {f"job {i}": DONE for i in range(3)}
    assert read_journal(tmp_path / "none") == {}
    assert journal_of(tmp_path / "t.csv") == journal_of(tmp_path / "t.parquet") == path


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(cut=st.integers(min_value=0), more=st.binary(max_size=20))
def test_cut_anywhere_it_goes_on(tmp_path: Path, cut: int, more: bytes) -> None:
    path = tmp_path / "t.journal.jsonl"
    path.unlink(missing_ok=True)
    whole = write(path, 3)
    kept = whole[: cut % (len(whole) + 1)]
    n_lines = kept.count(b"\n")
    # Behind a whole line, what a torn write leaves may be anything without a newline.
    torn = more.replace(b"\n", b"") if kept.endswith(b"\n") else b""
    path.write_bytes(kept + torn)
    expected = {f"job {i}": DONE for i in range(max(0, n_lines - 1))}
    assert read_journal(path) == expected
    with Journal(path) as journal:
        assert journal.done == expected
        journal.add("another", DONE)
    assert read_journal(path) == {**expected, "another": DONE}


def spoiled_lines() -> list[bytes]:
    line = {"key": "job 1", "figures": dict(DONE.figures or {}), "seconds": 0.5}
    fewer = {**line, "figures": {"windows": 1}}
    text = {**line, "figures": {**line["figures"], "windows": "3"}}  # type: ignore[dict-item]
    return [b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 100_000, b'{"key": 3}'] + [
        json.dumps(value).encode() for value in (fewer, text, {**line, "seconds": None})
    ]


@pytest.mark.parametrize("spoiled", spoiled_lines(), ids=range(len(spoiled_lines())))
def test_a_spoiled_line_is_a_job_not_done(tmp_path: Path, spoiled: bytes) -> None:
    path = tmp_path / "t.journal.jsonl"
    lines = write(path, 3).split(b"\n")
    lines[2] = spoiled
    path.write_bytes(b"\n".join(lines))
    with Journal(path) as journal:
        assert journal.done == {"job 0": DONE, "job 2": DONE}


@pytest.mark.parametrize("content", [b"x", b"x,y,z\n0,0,1\n", b'{"format": "else"}\n', b"\n"])
def test_a_file_of_others_is_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "t.journal.jsonl"
    path.write_bytes(content)
    for opens in (Journal, read_journal):
        with pytest.raises(FileError, match="not a journal"):
            opens(path)
    assert path.read_bytes() == content


def test_one_sweep_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "t.journal.jsonl"
    with Journal(path), pytest.raises(FileError, match="another sweep"):
        Journal(path)
    Journal(path).__exit__(None, None, None)


def test_every_line_is_on_the_disk_before_the_next_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "t.journal.jsonl"
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda file: synced.append(os.fstat(file).st_size))
    with Journal(path) as journal:
        for i in range(3):
            journal.add(f"job {i}", DONE)
            assert synced[-1] == path.stat().st_size
    assert len(synced) == 4


def test_a_full_disk_is_said_and_what_was_kept_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "t.journal.jsonl"
    write(path, 2)
    real = os.write
    with Journal(path) as journal:
        monkeypatch.setattr(os, "write", lambda file, data: real(file, data[:10]))
        with pytest.raises(FileError, match="full"):
            journal.add("job 2", DONE)
    monkeypatch.undo()
    assert write(path, 0).count(b"\n") == 3
    assert read_journal(path).keys() == {"job 0", "job 1"}


def test_a_sweep_goes_on_from_half_a_journal(tmp_path: Path) -> None:
    folder = make_folder(tmp_path)
    whole, half = folder / "whole.csv", folder / "half.csv"
    sweep(small_grid(folder), whole)
    content = journal_of(whole).read_bytes()
    journal_of(half).write_bytes(content[: len(content) // 2])
    result = sweep(small_grid(folder), half)
    assert result.kept > 0
    assert result.kept + result.ran == 8
    assert result.ran > 0
    assert rows_of(whole) == rows_of(half)
