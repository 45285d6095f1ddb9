"""A sweep on a Dask cluster: the same table as on one machine, and clear words when it fails."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_runner import PROGRAM, Tinyol
from swept import make_folder, rows_of, small_grid

from tinyol_sim.errors import TinyOLError
from tinyol_sim.sweep import cluster
from tinyol_sim.sweep import job as job_module
from tinyol_sim.sweep.cluster import address_problem, on_cluster
from tinyol_sim.sweep.sweep import sweep

distributed = pytest.importorskip("distributed")
PATIENCE_S = 60


class DaskCluster:
    """`dask scheduler` and a worker in processes of their own, as a person starts them."""

    def __init__(self, folder: Path, n_workers: int) -> None:
        self.file = folder / "scheduler.json"
        self.processes = [
            self._start("scheduler", "--port", "0", "--no-dashboard", "--no-show"),
        ]
        end = time.monotonic() + PATIENCE_S
        while not self.file.exists():
            assert time.monotonic() < end
            time.sleep(0.02)
        words = ["--nthreads", "2", "--no-dashboard", "--no-nanny", "--local-directory"]
        for i in range(n_workers):
            self.processes.append(self._start("worker", *words, str(folder / f"worker{i}")))
        self.address = json.loads(self.file.read_text())["address"].removeprefix("tcp://")

    def _start(self, *words: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", "dask", *words, "--scheduler-file", str(self.file)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=self.file.parent,
            env={**os.environ, "DASK_DISTRIBUTED__COMM__RETRY__COUNT": "0"},
        )

    def end(self) -> None:
        for process in self.processes:
            process.kill()  # one that is asked waits for the others
            process.wait()


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    started = DaskCluster(tmp_path_factory.mktemp("dask"), 2)
    yield started.address
    started.end()


@pytest.fixture
def tinyol(capsys: pytest.CaptureFixture[str]) -> Tinyol:
    return Tinyol(capsys)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(make_folder(tmp_path))
    return tmp_path


WORDS = ["sweep", "rec", "-m", "small.tinyol", "--set", "gaussian.horizon=16,64,256", "--learn"]


def test_the_same_command_gives_the_same_table(tinyol: Tinyol, folder: Path, address: str) -> None:
    shutil.copy("rec/a.npz", "rec/0 bad.npz")
    Path("rec/0 bad.npz").write_bytes(b"not a zip")
    here = tinyol(*WORDS, "-o", "here.csv", "-j", "1")
    there = tinyol(*WORDS, "-o", "there.csv", "--dask", address)
    assert here[0] == there[0] == 1
    assert here[2] == there[2]  # three jobs of nine failed, for the same reason
    assert "9 jobs: 0 kept from before, 9 done" in there[1]
    assert rows_of(Path("there.csv")) == rows_of(Path("here.csv"))
    assert "9 jobs: 6 kept from before, 3 done" in tinyol(*WORDS, "-o", "there.csv", "-j", "1")[1]


def test_shipped_files_need_not_be_there(
    folder: Path, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    grid = small_grid(folder)
    expected = sweep(grid, folder / "here.csv")
    contents = {source.digest: source.contents() for source in grid.sources}
    shutil.rmtree(folder / "rec")
    lost = sweep(grid, folder / "lost.csv", runner=on_cluster(address, ship=True))
    assert all("cannot be read" in row["error"] for row in lost.rows)
    monkeypatch.setattr(
        "tinyol_sim.sweep.source.Source.contents", lambda source: contents[source.digest]
    )
    sweep(grid, folder / "there.csv", runner=on_cluster(address, ship=True))
    assert not expected.failed
    assert rows_of(folder / "there.csv") == rows_of(folder / "here.csv")


@pytest.mark.long
def test_a_worker_that_dies_costs_nothing(folder: Path, tmp_path: Path) -> None:
    started = DaskCluster(tmp_path, 2)
    try:
        grid = small_grid(folder, settings={"gaussian.horizon": tuple(map(float, range(16, 22)))})
        ended = 0

        def progress(done: int, total: int) -> None:
            nonlocal ended
            ended = done
            if done == 3:
                started.processes[1].send_signal(signal.SIGKILL)

        result = sweep(
            grid, folder / "there.csv", runner=on_cluster(started.address), progress=progress
        )
        assert (ended, result.failed) == (24, [])
        sweep(grid, folder / "here.csv")
        assert rows_of(folder / "there.csv") == rows_of(folder / "here.csv")
    finally:
        started.end()


@pytest.mark.long
def test_a_scheduler_that_dies_is_said_and_the_rest_goes_on(folder: Path, tmp_path: Path) -> None:
    started = DaskCluster(tmp_path, 1)
    grid = small_grid(folder, settings={"gaussian.horizon": tuple(map(float, range(16, 46)))})

    def progress(done: int, total: int) -> None:
        if done == 3:
            started.processes[0].send_signal(signal.SIGKILL)
            started.processes[0].wait()

    try:
        with pytest.raises(TinyOLError, match="the cluster is gone"):
            sweep(grid, folder / "t.csv", runner=on_cluster(started.address), progress=progress)
    finally:
        started.end()
    result = sweep(grid, folder / "t.csv")
    assert 3 <= result.kept < 120
    assert (result.kept + result.ran, result.failed) == (120, [])


def test_a_worker_of_another_version(
    folder: Path, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_module, "_program", lambda: "99.0")
    with pytest.raises(TinyOLError, match=r"has another version of tinyol: .*; here is .*99\.0"):
        sweep(small_grid(folder), folder / "t.csv", runner=on_cluster(address))


def test_nobody_there(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "CONNECT_S", 0.3)
    with pytest.raises(TinyOLError, match="no Dask scheduler answers there"):
        sweep(small_grid(folder), folder / "t.csv", runner=on_cluster("127.0.0.1:1"))


def test_no_worker(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started = DaskCluster(tmp_path, 0)
    monkeypatch.setattr(cluster, "CONNECT_S", 2)
    try:
        with pytest.raises(TinyOLError, match="the cluster has no worker"):
            sweep(small_grid(folder), folder / "t.csv", runner=on_cluster(started.address))
    finally:
        started.end()


@pytest.mark.parametrize("good", ["h:1", "10.0.0.7:8786", "[::1]:8786", "tls://a-b.c:65535"])
def test_addresses(good: str) -> None:
    assert address_problem(good) is None
    for bad in (good.rpartition(":")[0], f"http://{good}", f"{good}/x", f" {good}"):
        assert "HOST:PORT" in (address_problem(bad) or "")


def test_ctrl_c_leaves_the_cluster_alone(folder: Path, address: str) -> None:
    values = "gaussian.horizon=" + ",".join(map(str, range(16, 516)))
    words = [*WORDS[:4], "--learn", "--set", values, "-o", "t.csv", "--dask", address]
    with subprocess.Popen(
        [*PROGRAM, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        journal = folder / "t.journal.jsonl"
        end = time.monotonic() + PATIENCE_S
        while not journal.exists() or journal.read_bytes().count(b"\n") < 4:
            assert time.monotonic() < end
            time.sleep(0.02)
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=PATIENCE_S)
    kept = journal.read_bytes().count(b"\n") - 1
    assert (process.returncode, out) == (130, "")
    assert err == (
        f"{kept} of 1,000 jobs are kept in t.journal.jsonl: the same command goes on from there\n"
        "interrupted\n"
    )
    # The workers are free again.
    sweep(small_grid(folder), folder / "u.csv", runner=on_cluster(address))
