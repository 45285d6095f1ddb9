"""`tinyol replay --each`: the same rows whatever the processes, one bad file among good ones."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from cli_runner import PROGRAM, Tinyol, with_small_model
from small_replay import recording, small_bundle

from tinyol_sim.recordings import write_recording
from tinyol_sim.replay import Plan, replay
from tinyol_sim.replay_each import Replayed, Unit, replay_each
from tinyol_sim.worker_processes import n_cores, run_tasks

PARTS = [("normal", 400), ("loud", 200), ("normal", 300)]


@pytest.fixture
def tinyol(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Tinyol:
    with_small_model(tmp_path, monkeypatch, "sim:")
    for i, name in enumerate(("b.npz", "a.csv", "deep/a.npz")):
        Path(name).parent.mkdir(exist_ok=True)
        write_recording(recording(PARTS, seed=i), name)
    return Tinyol(capsys)


def words(*more: str) -> list[str]:
    return ["replay", *more, "--each", "-m", "small.tinyol", "--learn"]


def without_clock(text: str) -> Any:
    found = json.loads(text)
    for one in found["recordings"]:
        if "summary" in one:
            del one["summary"]["speed"]
    return found


def test_each_begins_anew_and_the_order_is_that_asked_for(tinyol: Tinyol) -> None:
    one = without_clock(tinyol.done(*words("b.npz", "a.csv", "deep"), "--json", "-j", "1"))
    two = without_clock(tinyol.done(*words("b.npz", "a.csv", "deep"), "--json", "-j", "2"))
    assert one == two
    assert one["failed"] == 0
    assert [row["path"] for row in one["recordings"]] == ["b.npz", "a.csv", "deep/a.npz"]
    for i, row in enumerate(one["recordings"]):
        alone = replay(small_bundle(), [recording(PARTS, seed=i)], Plan(learn=True))
        assert row["summary"]["windows"] == len(alone.windows)
        expected = tinyol.done("replay", row["path"], "-m", "small.tinyol", "--learn", "--json")
        assert row["summary"]["state"] == json.loads(expected)["state"]


def test_it_prints_a_row_each(tinyol: Tinyol) -> None:
    lines = tinyol.done(*words("b.npz", "a.csv")).splitlines()
    assert lines[0].split() == (
        ["recording", "seconds", "windows", "anomalies", "alarms", "unknown", "macro", "F1"]
    )
    assert [line.split()[:3] for line in lines[1:]] == (
        [["b.npz", "18.0", "178"], ["a.csv", "18.0", "178"]]
    )


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_bad_one_is_named_and_the_others_are_done(tinyol: Tinyol, jobs: str) -> None:
    Path("bad.csv").write_text("# rate_hz=50\nx,y,z\n1,2,tea\n")
    Path("slow.csv").write_text("# rate_hz=5\nx,y,z\n" + "1,2,3\n" * 99)
    Path("empty").mkdir()
    found = words("bad.csv", "b.npz", "gone.npz", "slow.csv", "empty", "a.csv")
    status, out, err = tinyol(*found, "-j", jobs)
    assert status == 1
    assert [line.split()[:2] for line in out.splitlines()[1:]] == [
        ["bad.csv", "failed"],
        ["b.npz", "18.0"],
        ["gone.npz", "failed"],
        ["slow.csv", "failed"],
        ["empty", "failed"],
        ["a.csv", "18.0"],
    ]
    lines = err.splitlines()
    assert lines[0] == "error: bad.csv:3: z is 'tea'; it must be a finite number"
    assert lines[1].startswith("error: gone.npz: ")
    assert lines[2].startswith("error: slow.csv: ")
    assert "5 Hz, but the model is for 50 Hz" in lines[2]
    assert (
        lines[3]
        == "error: empty: there is no .csv, .json (Edge Impulse) or .npz file in this folder"
    )
    assert lines[4:] == ["error: 4 of 6 recordings failed"]
    status, out, _ = tinyol(*found, "-j", jobs, "--json")
    assert (status, json.loads(out)["failed"]) == (1, 4)
    assert json.loads(out)["recordings"][0]["error"] == lines[0].removeprefix("error: ")


def test_a_folder_each(tinyol: Tinyol) -> None:
    found = json.loads(tinyol.done(*words("a.csv", "deep/a.npz", "b.npz"), "-o", "out", "--json"))
    assert sorted(path.name for path in Path("out").iterdir()) == ["a", "a-2", "b"]
    for row, name in zip(found["recordings"], ("a", "a-2", "b"), strict=True):
        folder = Path("out") / name
        assert row["summary"]["report"] == str(folder / "report.html")
        state = folder / "end.state"
        assert row["summary"]["state"]["file"] == str(state)
        assert state.stat().st_size == row["summary"]["state"]["bytes"]
        alone = ["replay", row["path"], "-m", "small.tinyol", "--learn", "-o", "alone"]
        tinyol.done(*alone, "--save-state", "alone.state")
        assert state.read_bytes() == Path("alone.state").read_bytes()
        assert (folder / "windows.csv").read_bytes() == Path("alone/windows.csv").read_bytes()
        page = (folder / "report.html").read_text(encoding="utf-8")
        assert "tinyol replay a.csv deep/a.npz b.npz --each" in page


def test_a_folder_that_cannot_be_made_is_that_recordings_error(tinyol: Tinyol) -> None:
    Path("out").mkdir()
    Path("out/b").write_text("taken")
    status, out, err = tinyol(*words("a.csv", "b.npz"), "-o", "out")
    assert status == 1
    assert err.startswith("error: b.npz: out/b: ")
    assert Path("out/a/report.html").exists()
    assert "a.csv" in out


def test_labels_and_state_are_of_each(tinyol: Tinyol) -> None:
    tinyol.done("replay", "b.npz", "-m", "small.tinyol", "--learn", "--save-state", "start.state")
    more = ["--state", "start.state", "--label", "x", "--label", "-", "--json"]
    first, second = json.loads(tinyol.done(*words("b.npz", "a.csv"), *more))["recordings"]
    names = [c["name"] for c in first["summary"]["classifier"]["classes"]]
    assert names == ["normal", "loud", "x"]
    assert second["summary"]["classifier"] is None
    assert second["summary"]["counters"]["windows"] == 178


def test_without_recordings_the_shipped_one_is_replayed(tinyol: Tinyol) -> None:
    found = json.loads(tinyol.done("replay", "--each", "--json"))
    assert [Path(row["path"]).name for row in found["recordings"]] == ["fan-119hz.npz"]


@pytest.mark.parametrize(
    "more",
    [
        ["a.csv", "-j", "2"],
        ["a.csv", "--each", "-j", "0"],
        ["a.csv", "--each", "--save-state", "s"],
        ["a.csv", "--stream", "--in-memory", "-j", "2"],
    ],
)
def test_wrong_usage(tinyol: Tinyol, more: list[str]) -> None:
    status, out, err = tinyol("replay", "-m", "small.tinyol", *more)
    assert (status, out) == (2, "")
    assert err


def test_the_same_from_python(tinyol: Tinyol) -> None:
    ended = []
    units = [Unit(Path("a.csv")), Unit(Path("none.csv"))]
    found = replay_each(
        units, small_bundle(), Plan(learn=True), jobs=1, on_ended=lambda: ended.append(1)
    )
    assert [isinstance(one, Replayed) for one in found] == [True, True]
    assert found[0].summary is not None
    assert found[1].error is not None
    assert len(ended) == 2


def _square(number: int) -> int:
    if number == 13:
        os.kill(os.getpid(), signal.SIGKILL)
    return number * number


def test_tasks_of_a_killed_process_are_named_and_what_was_done_is_kept() -> None:
    ended: list[int] = []
    assert run_tasks(_square, [3, 2], 2, lambda: ended.append(1), lambda task: -task) == [9, 4]
    assert len(ended) == 2
    found = run_tasks(_square, [13, 2], 2, lambda: ended.append(1), lambda task: -task)
    assert found[0] == -13
    assert found[1] in (4, -2)
    assert n_cores() >= 1


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="no /proc")
@pytest.mark.parametrize("after_s", [0.0, 1.5])
def test_ctrl_c_ends_all_of_it(tinyol: Tinyol, after_s: float) -> None:
    write_recording(recording([("normal", 3_000_000)]), "long.npz")
    process = subprocess.Popen(
        [*PROGRAM, *words("long.npz", "long.npz", "long.npz"), "-j", "2"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        text=True,
    )
    while len(_alive(process.pid)) < 3:  # itself, its workers and what watches over them
        time.sleep(0.01)
    time.sleep(after_s)
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (130, "", "interrupted\n")
    for _ in range(100):
        if not _alive(process.pid):
            return
        time.sleep(0.1)
    pytest.fail("processes are left")


def _alive(session: int) -> list[str]:
    """Processes of a session that have not ended."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, _, its_session = stat.read_text().rpartition(")")[2].split()[:4]
        except OSError:
            continue
        if int(its_session) == session and state != "Z":
            found.append(str(stat))
    return found
