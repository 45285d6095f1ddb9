"""A sweep that is killed, interrupted or runs out of memory, and then goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cli_runner import PROGRAM
from small_replay import recording, small_bundle
from swept import rows_of

from tinyol_sim.recordings import write_recording

pytest.importorskip("joblib")

LONG = [("normal", 20_000), ("loud", 20_000)]
WORDS = ["sweep", "rec", "-m", "small.tinyol", "--learn", "-j", "2"]
JOBS = 40
VALUES = ["--set", "gaussian.horizon=" + ",".join(map(str, range(16, 16 + JOBS // 2)))]
PATIENCE_S = 120


class Running:
    """A sweep in a session of its own, whose processes are all its."""

    def __init__(self, folder: Path, table: str) -> None:
        self._journal = folder / Path(table).with_suffix(".journal.jsonl")
        self.process = subprocess.Popen(
            [*PROGRAM, *WORDS, *VALUES, "-o", table],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def kept(self) -> int:
        """Jobs in the journal."""
        if not self._journal.exists():
            return 0
        return max(0, self._journal.read_bytes().count(b"\n") - 1)

    def until(self, holds: Callable[[], bool]) -> None:
        end = time.monotonic() + PATIENCE_S
        while not holds():
            assert time.monotonic() < end
            time.sleep(0.01)

    def others(self) -> list[int]:
        """Processes of its session that are alive and are not itself."""
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and int(entry.name) != self.process.pid:
                try:
                    fields = (entry / "stat").read_text().rpartition(")")[2].split()
                except OSError:
                    continue
                if int(fields[3]) == self.process.pid and fields[0] != "Z":
                    found.append(int(entry.name))
        return found

    def end(self) -> tuple[int, str, str]:
        out, err = self.process.communicate(timeout=PATIENCE_S)
        return self.process.returncode, out, err


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made: Path = tmp_path_factory.mktemp("killed")
    small_bundle().save(made / "small.tinyol")
    (made / "rec").mkdir()
    for seed in (1, 2):
        write_recording(recording(LONG, seed=seed), made / "rec" / f"{seed}.npz")
    return made


@pytest.fixture
def start(folder: Path) -> Iterator[Callable[[str], Running]]:
    started: list[Running] = []

    def begin(table: str) -> Running:
        started.append(Running(folder, table))
        return started[-1]

    yield begin
    for running in started:
        if running.process.poll() is None:
            os.killpg(running.process.pid, signal.SIGKILL)
            running.process.communicate()


@pytest.fixture(scope="module")
def undisturbed(folder: Path) -> list[dict[str, str]]:
    words = [*PROGRAM, *WORDS[:-2], "-j", "1", *VALUES, "-o", "undisturbed.csv"]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=True)
    assert f"{JOBS} jobs: 0 kept from before, {JOBS} done" in done.stdout
    assert done.stderr == ""  # no bar in a pipe
    return rows_of(folder / "undisturbed.csv")


def goes_on(running: Running, kept: int, folder: Path) -> list[dict[str, str]]:
    """What the table has in the end, when no job of `kept` was done twice."""
    status, out, err = running.end()
    assert (status, err) == (0, "")
    assert f"{JOBS} jobs: {kept} kept from before, {JOBS - kept} done" in out
    return rows_of(folder / "t.csv")


def test_killed_again_and_again_it_ends_in_the_same_table(
    folder: Path, start: Callable[[str], Running], undisturbed: list[dict[str, str]]
) -> None:
    kept = 0
    for more in (1, 6):
        running = start("t.csv")
        running.until(lambda: running.kept() >= kept + more)  # noqa: B023
        os.kill(running.process.pid, signal.SIGKILL)
        running.end()
        assert not (folder / "t.csv").exists()
        running.until(lambda: not running.others())  # noqa: B023
        assert running.kept() >= kept + more
        kept = running.kept()
    assert kept < JOBS
    assert goes_on(start("t.csv"), kept, folder) == undisturbed
    assert goes_on(start("t.csv"), JOBS, folder) == undisturbed


@pytest.mark.parametrize(
    ("number", "all_of_them", "status", "word"),
    [
        (signal.SIGINT, True, 130, "interrupted"),  # Ctrl-C reaches every process
        pytest.param(signal.SIGINT, False, 130, "interrupted", marks=pytest.mark.long),
        (signal.SIGTERM, False, 143, "terminated"),
    ],
)
def test_told_to_end_it_says_how_to_go_on(
    folder: Path,
    start: Callable[[str], Running],
    number: signal.Signals,
    all_of_them: bool,
    status: int,
    word: str,
) -> None:
    table = f"{status}{all_of_them}.csv"
    running = start(table)
    running.until(lambda: running.kept() >= 2)
    (os.killpg if all_of_them else os.kill)(running.process.pid, number)
    ended, out, err = running.end()
    kept = running.kept()
    assert (ended, out) == (status, "")
    assert err == (
        f"{kept} of {JOBS} jobs are kept in {Path(table).stem}.journal.jsonl: the same command"
        f" goes on from there\n{word}\n"
    )
    assert 2 <= kept < JOBS
    running.until(lambda: not running.others())
    assert not (folder / table).exists()


@pytest.mark.long
def test_a_process_that_is_killed(folder: Path, start: Callable[[str], Running]) -> None:
    running = start("worker.csv")
    running.until(lambda: running.kept() >= 2)
    workers = [
        process
        for process in running.others()
        if b"popen_loky" in Path(f"/proc/{process}/cmdline").read_bytes()
    ]
    assert len(workers) == 2
    os.kill(workers[0], signal.SIGKILL)
    status, out, err = running.end()
    assert (status, out) == (1, "")
    assert "jobs are kept in worker.journal.jsonl" in err
    assert "error: a process was killed: too little memory? Try fewer with --jobs" in err
