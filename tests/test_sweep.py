"""A sweep's rows: what a replay alone gives, whatever ran them; done again only where needed."""

from __future__ import annotations

import shutil
import signal
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from cli_runner import PROGRAM
from small_replay import recording, small_bundle
from swept import SHOWN, make_folder, rows_of, small_grid

from tinyol_sim import replay_files
from tinyol_sim.bundle import Bundle
from tinyol_sim.errors import FileError, RecordingError
from tinyol_sim.presets import PRESETS
from tinyol_sim.recording_stream import RecordingStream
from tinyol_sim.recordings import read_recording, write_recording
from tinyol_sim.replay import Plan, replay
from tinyol_sim.sweep import job as job_module
from tinyol_sim.sweep.figures import FIGURES
from tinyol_sim.sweep.job import NO_LABEL, Model, run_job
from tinyol_sim.sweep.runners import on_cores
from tinyol_sim.sweep.source import find_sources
from tinyol_sim.sweep.sweep import SweepResult, missing, sweep
from tinyol_sim.twin import Twin


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_folder(tmp_path)


def without_seconds(result: SweepResult) -> list[dict[str, object]]:
    return [{k: v for k, v in row.items() if k != "seconds"} for row in result.rows]


def test_rows_are_what_a_twin_gives_by_itself(folder: Path) -> None:
    result = sweep(small_grid(folder), folder / "t.csv")
    assert (len(result.rows), result.kept, result.ran, result.failed) == (8, 0, 8, [])
    bundle = Bundle.load(folder / "small.tinyol")
    for row in result.rows:
        twin, stream = Twin(bundle), read_recording(row["recording"])
        twin.set("gaussian.horizon", row["gaussian.horizon"])
        twin.fine_tune(row["fine_tune"])
        _, first = np.unique(stream.labels, return_index=True)
        cuts = sorted({0, *first.tolist(), stream.n_samples})
        class_of, errors = {}, []
        anomalies = alarms = unknown = windows = 0
        for start, stop in zip(cuts, cuts[1:], strict=False):
            name = stream.label_names[stream.labels[start]]
            if name not in class_of:
                class_of[name] = twin.add_class(name)
            inside = stream.gaps[(stream.gaps >= start) & (stream.gaps < stop)] - start
            labels = [class_of[stream.label_names[i]] for i in stream.labels[start:stop]]
            seen = twin.feed(stream.samples[start:stop], np.array(labels, np.int16), inside)
            windows += len(seen)
            anomalies += int(seen.anomaly.sum())
            alarms += int(seen.noticed("alarm_began").sum())
            unknown += int(seen.noticed("unknown_began").sum())
            pairs = zip(seen.error, seen.tuned_error, seen.fine_tuned, strict=True)
            errors += [(float(a), float(b), bool(c)) for a, b, c in pairs]
        metrics = twin.metrics()
        assert row["windows"] == windows
        assert (row["anomalies"], row["alarms"], row["unknown_events"]) == (
            anomalies,
            alarms,
            unknown,
        )
        assert row["labelled"] == metrics.confusion.sum() > 0
        assert row["accuracy"] == np.trace(metrics.confusion) / metrics.confusion.sum()
        assert row["macro_f1"] == pytest.approx(metrics.macro_f1, rel=1e-6)
        assert row["mean_loss"] == metrics.mean_loss
        assert row["state_crc"] == twin.state[-4:][::-1].hex()
        stepped = [pair for pair in errors if pair[2]]
        assert row["fine_tune_steps"] == len(stepped) == row["fine_tune"]
        judged = stepped[-5:] or errors
        assert row["error_before"] == pytest.approx(np.mean([a for a, _, _ in judged]))
        if stepped:
            assert row["error_after"] == pytest.approx(np.mean([b for _, b, _ in judged]))
        else:
            assert row["error_after"] is None


def test_one_process_and_two_write_the_same(folder: Path) -> None:
    grid = small_grid(folder, presets=("none", "paper"))
    one, two = folder / "one.csv", folder / "two.csv"
    sweep(grid, one)
    sweep(grid, two, runner=on_cores(2))
    assert rows_of(one) == rows_of(two)
    assert len(rows_of(one)) == 16
    assert len({row["state_crc"] for row in rows_of(one)}) == 16


def test_one_job_for_many_processes(folder: Path) -> None:
    grid = small_grid(folder)
    only = replace(grid, sources=grid.sources[:1], settings={}, fine_tune=(20,))
    one, two = folder / "one.csv", folder / "two.csv"
    sweep(only, one)
    before = signal.getsignal(signal.SIGINT)
    assert sweep(only, two, runner=on_cores(2)).ran == 1  # joblib does it in this process
    assert signal.getsignal(signal.SIGINT) is before
    time.sleep(1.0)  # as long as a worker takes to see that it has no parent
    assert rows_of(one) == rows_of(two)


def test_workers_begin_where_the_standard_streams_are_closed(folder: Path) -> None:
    words = ["sweep", "rec", "-m", "small.tinyol", "-j", "2", "-o", "t.csv"]
    closed = ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", *PROGRAM, *words]
    assert subprocess.run(closed, cwd=folder, check=False).returncode == 0
    assert len(rows_of(folder / "t.csv")) == 2


def test_reports_in_the_folder_are_no_recordings(folder: Path) -> None:
    before = find_sources([folder / "rec"])
    for place in ("rec", "rec/a"):  # as `tinyol replay --each rec --out rec` leaves them
        (folder / place).mkdir(exist_ok=True)
        (folder / place / "windows.csv").write_text("time_s,sample_index,error\n1.0,99,0.5\n")
    assert find_sources([folder / "rec"]) == before
    write_recording(recording(SHOWN), folder / "rec" / "windows.csv")  # somebody's own
    assert len(find_sources([folder / "rec"])) == 3


def test_parquet_has_the_same_columns_and_values(folder: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", exc_type=ImportError)
    result = sweep(small_grid(folder), folder / "t.parquet")
    table = parquet.read_table(folder / "t.parquet")
    assert table.column_names == list(result.columns)
    assert table.to_pylist() == result.rows
    again = sweep(small_grid(folder), folder / "t.csv")  # the journal is the same
    assert (again.kept, again.ran) == (8, 0)
    for read, row in zip(rows_of(folder / "t.csv"), table.to_pylist(), strict=True):
        for name, kind in result.columns.items():
            if name != "seconds":
                value = None if read[name] == "" and kind is not str else read[name]
                convert = (lambda text: bool(int(text))) if kind is bool else kind
                assert (None if value is None else convert(value)) == row[name]


def test_a_second_sweep_does_only_what_is_missing(folder: Path) -> None:
    table = folder / "t.csv"
    sweep(small_grid(folder), table)
    wider = small_grid(folder, fine_tune=(0, 20, 30))
    assert missing(wider, table) == 4
    result = sweep(wider, table)
    assert (result.kept, result.ran) == (8, 4)
    assert without_seconds(result) == without_seconds(sweep(wider, folder / "other.csv"))
    assert sweep(wider, table, fresh=True).ran == 12


def changed_samples(folder: Path) -> None:
    path = folder / "rec" / "a.npz"
    old = read_recording(path)
    samples = old.samples.copy()
    samples[500, 1] += 0.001
    write_recording(replace(old, samples=samples), path)


def changed_intervals(folder: Path) -> None:
    (folder / "rec" / "a.labels.csv").write_text("start_s,stop_s,label\n0,5,normal\n")


def changed_name(folder: Path) -> None:
    (folder / "rec" / "a.npz").rename(folder / "rec" / "aa.npz")


@pytest.mark.parametrize("change", [changed_samples, changed_intervals, changed_name])
def test_a_recording_that_changed_is_done_again(folder: Path, change: object) -> None:
    table = folder / "t.csv"
    sweep(small_grid(folder), table)
    change(folder)  # type: ignore[operator]
    result = sweep(small_grid(folder), table)
    assert (result.kept, result.ran) == (4, 4)
    assert without_seconds(result) == without_seconds(sweep(small_grid(folder), folder / "u.csv"))


def test_moving_everything_elsewhere_changes_nothing(folder: Path, tmp_path: Path) -> None:
    sweep(small_grid(folder), folder / "t.csv")
    moved = tmp_path / "moved"
    moved.mkdir()
    for name in ("rec", "small.tinyol", "t.journal.jsonl"):
        shutil.move(folder / name, moved / name)
    assert missing(small_grid(moved), moved / "t.csv") == 0


def test_all_that_a_row_depends_on_is_in_its_key(folder: Path) -> None:
    grid = small_grid(folder, fine_tune=(20,), settings={})
    state = Twin(small_bundle()).state
    others = [
        grid,
        replace(grid, learn=False),
        replace(grid, fine_tune=(21,)),
        replace(grid, fine_tune_from="auto"),
        replace(grid, calibrate=(30,)),
        replace(grid, settings={"gaussian.horizon": (16.0,)}),
        replace(grid, settings={"gaussian.horizon": (17.0,)}),
        replace(grid, presets=("paper",)),
        replace(grid, label="normal"),
        replace(grid, label=NO_LABEL),
        replace(grid, rate_hz=50.01),
        replace(grid, state=state),
        replace(grid, sources=find_sources([folder / "rec"], join=True)),
        replace(grid, models=[other_model(folder)]),
    ]
    keys = {next(iter(other.jobs())).key for other in others}
    assert len(keys) == len(others)
    spelled_out = replace(grid, settings={k: (v,) for k, v in PRESETS["paper"].settings.items()})
    paper = replace(grid, presets=("paper",))
    assert next(iter(spelled_out.jobs())).key == next(iter(paper.jobs())).key


def other_model(folder: Path) -> Model:
    small_bundle(seed=1).save(folder / "other.tinyol")
    return Model.of_bundle((folder / "other.tinyol").read_bytes(), "other")


def test_another_version_of_the_program_does_it_anew(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sweep(small_grid(folder), folder / "t.csv")
    monkeypatch.setattr(job_module, "_program", lambda: "99.0")
    assert missing(small_grid(folder), folder / "t.csv") == 8


def test_a_job_that_fails_is_a_row_and_tried_again(folder: Path) -> None:
    (folder / "rec" / "c.csv").write_text("x,y,z\n0,0,1\n0,zero,1\n")
    result = sweep(small_grid(folder, rate_hz=50.0), folder / "t.csv")
    assert len(result.failed) == 4
    for row in result.failed:
        assert "c.csv:3" in row["error"]
        assert all(row[name] is None for name in FIGURES)
    assert [row["error"] for row in result.rows[:8]] == [""] * 8
    write_recording(recording(SHOWN, seed=3), folder / "rec" / "c.csv")
    result = sweep(small_grid(folder, rate_hz=50.0), folder / "t.csv")
    assert (result.kept, result.ran, result.failed) == (8, 4, [])


def test_one_file_of_folders_and_one_stream_of_them(folder: Path) -> None:
    alone = find_sources([folder / "rec", folder / "rec" / "a.npz"])
    assert [Path(source.name).name for source in alone] == ["a.npz", "b.csv"]
    (joined,) = find_sources([folder / "rec"], join=True)
    rows = sweep(small_grid(folder, sources=[joined]), folder / "t.csv").rows
    both = [read_recording(unit) for unit in joined.units]
    plan = Plan(learn=True, fine_tune_from="start", settings={"gaussian.horizon": 16.0})
    expected = replay(Bundle.load(folder / "small.tinyol"), both, plan)
    assert rows[0]["state_crc"] == expected.state[-4:][::-1].hex()


def test_a_recording_that_changes_meanwhile_fails(folder: Path) -> None:
    first, *_ = jobs = list(small_grid(folder).jobs())
    changed_samples(folder)
    assert "another content" in run_job(first).error
    assert run_job(jobs[4]).error == ""


def test_shipped_files_give_the_same_where_there_are_none(folder: Path) -> None:
    changed_intervals(folder)
    job = next(iter(small_grid(folder).jobs()))
    here, contents = run_job(job), job.source.contents()
    assert sorted(Path(path).name for path in contents) == ["a.labels.csv", "a.npz"]
    shutil.rmtree(folder / "rec")
    job_module.forget_recordings()
    assert "a.npz" in run_job(job).error
    assert here.figures is not None
    assert run_job(job, contents).figures == here.figures


def test_the_table_is_never_taken_for_a_recording_nor_written_over_one(folder: Path) -> None:
    inside = folder / "rec" / "0.csv"  # the first of the folder
    sweep(small_grid(folder), inside)
    assert sweep(small_grid(folder), inside).kept == 8
    before = (folder / "rec" / "b.csv").read_bytes()
    with pytest.raises(FileError, match="is one of the recordings"):
        sweep(small_grid(folder), folder / "rec" / "b.csv")
    assert (folder / "rec" / "b.csv").read_bytes() == before
    assert not (folder / "rec" / "b.journal.jsonl").exists()


def test_no_recordings(folder: Path) -> None:
    (folder / "empty").mkdir()
    for path, says in ((folder / "none.csv", "none.csv"), (folder / "empty", "empty")):
        with pytest.raises(RecordingError, match=says):
            find_sources([path])


def test_an_unexpected_mistake_costs_one_row(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = list(small_grid(folder).jobs())

    def fails(result: object) -> None:
        raise ZeroDivisionError("none")

    monkeypatch.setattr(job_module, "figures_of", fails)
    outcome = run_job(jobs[0])
    assert outcome.figures is None
    assert "internal error: ZeroDivisionError: none" in outcome.error


def test_long_streams_give_the_same_row(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    in_memory = without_seconds(sweep(small_grid(folder), folder / "t.csv"))
    job_module.forget_recordings()
    monkeypatch.setattr(replay_files, "STREAM_BYTES", 1)
    grid = small_grid(folder)
    assert all(isinstance(r, RecordingStream) for r in grid.sources[0].open(None))
    assert without_seconds(sweep(grid, folder / "u.csv")) == in_memory


def test_the_columns_are_those_of_the_docs() -> None:
    text = (Path(__file__).parents[1] / "docs" / "sweep.md").read_text(encoding="utf-8")
    for name, (_, meaning) in FIGURES.items():
        assert f"| `{name}` | {meaning} |" in text
