"""`tinyol sweep`: what it prints, where it writes, and what it refuses."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
from cli_runner import Tinyol
from small_replay import recording, small_bundle
from swept import SHOWN, make_folder, rows_of

from tinyol_host.cli import sweep as sweep_command
from tinyol_sim.recordings import write_recording

GRID = ["rec", "-m", "small.tinyol", "--set", "gaussian.horizon=16,256", "--learn"]
SWEEP = ["sweep", *GRID, "-o", "t.csv", "-j", "1"]


@pytest.fixture
def tinyol(capsys: pytest.CaptureFixture[str]) -> Tinyol:
    return Tinyol(capsys)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(make_folder(tmp_path))
    return tmp_path


def test_the_table_has_a_row_a_job(tinyol: Tinyol) -> None:
    printed = tinyol.done(*SWEEP, "--fine-tune", "0,20", "--preset", "none,paper")
    assert "16 jobs: 0 kept from before, 16 done" in printed
    rows = rows_of(Path("t.csv"))
    axes = [(r["recording"], r["preset"], r["gaussian.horizon"], r["fine_tune"]) for r in rows]
    expected = [
        (f"rec/{name}", preset, horizon, steps)
        for name in ("a.npz", "b.csv")
        for preset in ("none", "paper")
        for horizon in ("16.0", "256.0")
        for steps in ("0", "20")
    ]
    assert axes == expected
    assert {row["model"] for row in rows} == {"small.tinyol"}
    assert {row["learn"] for row in rows} == {"1"}


def test_the_overview_has_a_line_a_choice(tinyol: Tinyol, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    lines = tinyol.done(*SWEEP).splitlines()
    titles = ["gaussian.horizon", "recordings", "accuracy", "macro", "F1", "alarms", "unknown"]
    assert lines[0].split() == titles
    assert [line.split()[:2] for line in lines[1:3]] == [["16", "2"], ["256", "2"]]
    rows = rows_of(Path("t.csv"))
    mean = (float(rows[0]["accuracy"]) + float(rows[2]["accuracy"])) / 2
    assert lines[1].split()[2] == f"{mean:.4g}"


def test_a_dry_run_says_how_much_there_is_to_do(tinyol: Tinyol) -> None:
    said = tinyol.done(*SWEEP, "--dry-run")
    assert said == "4 jobs: 2 recordings x 1 model x 2 choices of settings; 0 done, 4 to do\n"
    assert not list(Path().glob("t.*"))
    tinyol.done(*SWEEP)
    wider = [*SWEEP, "--fine-tune", "0,20", "--dry-run", "--json"]
    expected = {"jobs": 8, "done": 4, "recordings": 2, "models": 1, "choices": 4}
    assert json.loads(tinyol.done(*wider)) == expected
    assert json.loads(tinyol.done(*wider, "--fresh"))["done"] == 0


def test_json_has_the_rows(tinyol: Tinyol) -> None:
    printed = json.loads(tinyol.done(*SWEEP, "--json"))
    assert (printed["jobs"], printed["kept"], printed["ran"], printed["failed"]) == (4, 0, 4, 0)
    assert [row["state_crc"] for row in printed["rows"]] == [
        row["state_crc"] for row in rows_of(Path(printed["table"]))
    ]


def test_failed_jobs_end_with_1_behind_a_whole_table(tinyol: Tinyol) -> None:
    Path("rec/0.csv").write_text("x,y,z\n0,0,1\n")
    status, out, err = tinyol(*SWEEP, "--rate-hz", "50")
    assert status == 1
    assert "2, 1 failed" in out
    said = "error: 2 jobs of 6 failed, see the column error; the first, of rec/0.csv: 0: nothing"
    assert err.startswith(said)
    rows = rows_of(Path("t.csv"))
    assert [bool(row["error"]) for row in rows] == [True, True, False, False, False, False]
    assert rows[0]["windows"] == ""


def test_several_models_and_one_stream(tinyol: Tinyol) -> None:
    small_bundle(seed=1).save("other.tinyol")
    tinyol.done(*SWEEP, "-m", "other.tinyol", "--join", "--label", "normal")
    rows = rows_of(Path("t.csv"))
    assert [row["model"] for row in rows] == ["small.tinyol"] * 2 + ["other.tinyol"] * 2
    assert len({row["model_id"] for row in rows}) == 2
    assert {row["recording"] for row in rows} == {"rec"}
    assert {row["accuracy"] for row in rows} == {"1.0"}


def test_without_recordings_the_shipped_one(tinyol: Tinyol) -> None:
    tinyol.done("sweep", "-o", "t.csv", "-j", "1", "--fine-tune", "600")
    (row,) = rows_of(Path("t.csv"))
    assert (row["recording"], row["model"], row["windows"]) == ("shipped", "shipped", "2663")


def test_it_goes_on_from_a_state(tinyol: Tinyol) -> None:
    words = ["replay", "rec/a.npz", "-m", "small.tinyol"]
    tinyol.done(*words, "--learn", "--save-state", "a.state")
    tinyol.done(*SWEEP[:-2], "--state", "a.state")
    scored = json.loads(tinyol.done(*words, "--state", "a.state", "--learn", "--json"))
    assert rows_of(Path("t.csv"))[1]["accuracy"] == repr(scored["classifier"]["accuracy"])


HUGE = (0, *range(30, 529))
WRONG = {
    "no setting": (["--set", "classifier.rate=1"], "classifier.rate"),
    "no value": (["--set", "gaussian.horizon"], "'' is not a number"),
    "an empty value": (["--set", "gaussian.horizon=16,,17"], "'' is not a number"),
    "no number": (["--set", "gaussian.horizon=16,many"], "'many' is not a number"),
    "nan": (["--set", "gaussian.horizon=nan"], "16 to 65536, whole"),
    "out of range": (["--set", "gaussian.horizon=3"], "16 to 65536, whole"),
    "not whole": (["--set", "gaussian.horizon=16.5"], "16 to 65536, whole"),
    "learn": (["--set", "classifier.learn=0,1"], "--learn"),
    "preset": (["--preset", "paper,best"], "none, paper"),
    "steps": (["--fine-tune", "1,-2"], "'-2' is not a number of windows"),
    "too few": (["--calibrate", "0,29"], "at least 30"),
    "a table of another kind": (["-o", "t.txt"], ".csv or .parquet"),
    "ship": (["--ship"], "--ship is for --dask"),
    "processes": (["-j", "0"], "--jobs"),
    "no address": (["--dask", "cluster"], "HOST:PORT"),
    "a huge grid": (
        ["--fine-tune", ",".join(map(str, range(1001))), "--calibrate", ",".join(map(str, HUGE))],
        "the grid has 1,001,000 jobs; at most 1,000,000",
    ),
    "both": (["--dask", "cluster:1", "-j", "2"], "--jobs is for this machine"),
}


@pytest.mark.parametrize(("words", "says"), WRONG.values(), ids=WRONG)
def test_wrong_usage(tinyol: Tinyol, words: list[str], says: str) -> None:
    status, out, err = tinyol("sweep", *GRID[:3], "-o", "t.csv", *words)
    assert (status, out) == (2, "")
    assert says in " ".join(err.split())
    assert not list(Path().glob("t.*"))


def test_a_setting_given_twice(tinyol: Tinyol) -> None:
    status, _, err = tinyol(*SWEEP, "--set", "gaussian.horizon=17")
    assert status == 2
    assert "given twice" in " ".join(err.split())


BAD_FILES = {
    "no recording": (["sweep", "none.csv", "-o", "t.csv"], "none.csv"),
    "no model": (["sweep", "rec", "-m", "none.tinyol", "-o", "t.csv"], "none.tinyol"),
    "a model that is none": (["sweep", "rec", "-m", "rec/a.npz", "-o", "t.csv"], "rec/a.npz"),
    "no folder": (["sweep", "rec", "-o", "none/t.csv"], "no folder none"),
    "no state": (["sweep", "rec", "--state", "none.state", "-o", "t.csv"], "none.state"),
    "a recording": (["sweep", "rec", "-o", "rec/b.csv"], "is one of the recordings"),
}


@pytest.mark.parametrize(("words", "says"), BAD_FILES.values(), ids=BAD_FILES)
def test_bad_files(tinyol: Tinyol, words: list[str], says: str) -> None:
    assert says in tinyol.refused(*words)


def test_a_pipe_and_a_recording_of_no_sweep_are_left_alone(tinyol: Tinyol) -> None:
    os.mkfifo("pipe.csv")
    assert "pipe.csv: no regular file" in tinyol.refused("sweep", "pipe.csv", "-o", "t.csv")
    Path("mine.csv").write_bytes(before := Path("rec/b.csv").read_bytes())
    assert "mine.csv: is a recording" in tinyol.refused("sweep", "rec/a.npz", "-o", "mine.csv")
    assert Path("mine.csv").read_bytes() == before
    assert not Path("mine.journal.jsonl").exists()
    Path("mine.csv").write_text("what,else\n1,2\n")
    tinyol.done("sweep", "rec/a.npz", "-m", "small.tinyol", "-j", "1", "-o", "mine.csv")
    assert len(rows_of(Path("mine.csv"))) == 1


def test_what_is_not_installed(tinyol: Tinyol, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("pyarrow", "dask", "joblib"):
        monkeypatch.setitem(sys.modules, name, None)
    for name in ("has_joblib", "default_processes"):
        monkeypatch.setattr(sweep_command, name, lambda: 0)
    for words in (["-o", "t.parquet"], ["--dask", "cluster:8786"], ["-j", "2"]):
        extra = "cluster" if "--dask" in words else "sweep"
        assert f'pip install "tinyol[{extra}]"' in tinyol.refused(*SWEEP[:-2], *words)
    monkeypatch.setattr(sweep_command, "default_processes", lambda: 1)
    status, _, err = tinyol(*SWEEP[:-2])
    assert status == 0
    assert err.startswith("note: one job after the other")
    assert len(rows_of(Path("t.csv"))) == 4


def test_a_pyarrow_that_does_not_load(tinyol: Tinyol, tmp_path: Path, monkeypatch: object) -> None:
    assert isinstance(monkeypatch, pytest.MonkeyPatch)
    (tmp_path / "lib" / "pyarrow").mkdir(parents=True)
    broken = tmp_path / "lib" / "pyarrow" / "__init__.py"
    broken.write_text("raise ImportError('pyarrow requires NumPy 3')")
    monkeypatch.syspath_prepend(tmp_path / "lib")
    monkeypatch.delitem(sys.modules, "pyarrow", raising=False)
    assert "requires NumPy 3" in tinyol.refused(*SWEEP[:-2], "-o", "t.parquet")
    sys.modules.pop("pyarrow", None)


def test_names_of_files_are_shown_not_obeyed(tinyol: Tinyol) -> None:
    write_recording(recording(SHOWN), "rec/c\x1b[31m.npz")
    tinyol.done(*SWEEP)
    assert rows_of(Path("t.csv"))[-1]["recording"] == r"rec/c\x1b[31m.npz"
