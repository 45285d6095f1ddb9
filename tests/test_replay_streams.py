"""A streamed replay is the replay in memory: state, windows, figures."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cli_runner import PROGRAM, Tinyol, with_small_model
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from small_replay import HOP, RATE_HZ, WINDOW_LEN, in_gravity, recording, small_bundle

import tinyol_sim.replay as replay_module
from tinyol_sim import feeder
from tinyol_sim.errors import RecordingError
from tinyol_sim.recording_formats import csv_blocks, npz_scan
from tinyol_sim.recordings import Recording, write_recording
from tinyol_sim.replay import Plan, ReplayResult, replay, replay_streams
from tinyol_sim.replay_files import open_files, replay_files
from tinyol_sim.report import write_report
from tinyol_sim.reporting import scores
from tinyol_sim.reporting.error_groups import error_figures, error_groups
from tinyol_sim.reporting.notices import notices
from tinyol_sim.reporting.replay_summary import headline, notice_rows, summarise
from tinyol_sim.reporting.windows_csv import windows_csv
from tinyol_sim.tally import error_tally, notice_tally, quantiles, tally
from tinyol_sim.tally.quantiles import Histogram, Quantiles
from tinyol_sim.thinned import Thinned
from tinyol_sim.twin import Windows

BUNDLE = small_bundle()
LABELS = [None, "quiet", "normal", "loud"]
stretches = st.lists(
    st.tuples(st.sampled_from(LABELS), st.integers(1, 80)), min_size=1, max_size=9
).filter(lambda parts: sum(n for _, n in parts) >= 2 * WINDOW_LEN)
quick = settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def fault() -> Recording:
    """Normal, something loud that nobody labels, normal; then loud with its label, normal."""
    parts = [("normal", 2000), ("loud", 400), ("normal", 600), ("loud", 300), ("normal", 900)]
    labelled = in_gravity(recording(parts))
    labels = labelled.labels.copy()
    labels[2000:2400] = -1
    return replace(labelled, labels=labels)


FAULT = fault()


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """All that comes in blocks comes in many of them."""
    monkeypatch.setattr(csv_blocks, "BLOCK_BYTES", 1000)
    monkeypatch.setattr(npz_scan, "PIECE_ROWS", 37)
    monkeypatch.setattr(feeder, "MAX_CHUNK", 41)
    monkeypatch.setattr(tally, "BLOCK", 7)
    monkeypatch.setattr(error_tally, "_SLACK", 3)


def figures(result: ReplayResult) -> dict[str, Any]:
    """The summary without what a clock says."""
    summary = summarise(result)
    del summary["speed"]
    return summary


def assert_same(left: ReplayResult, right: ReplayResult) -> None:
    assert left.state == right.state
    assert windows_csv(left) == windows_csv(right)
    assert figures(left) == figures(right)
    for field in fields(Windows):
        assert np.array_equal(getattr(left.windows, field.name), getattr(right.windows, field.name))


@quick
@given(
    parts=st.lists(stretches, min_size=1, max_size=3),
    suffix=st.sampled_from([".csv", ".npz"]),
    learn=st.booleans(),
    where=st.sampled_from(["auto", "start", "gap", "recording:1", "0.5", "loud"]),
    fine_tune=st.sampled_from([None, 3, 40]),
    calibrate=st.sampled_from([None, 30]),
    data=st.data(),
)
@pytest.mark.usefixtures("small_blocks")
def test_a_stream_ends_in_the_same_bits(
    parts: Any,
    suffix: str,
    learn: bool,
    where: str,
    fine_tune: int | None,
    calibrate: int | None,
    data: st.DataObject,
    tmp_path: Path,
) -> None:
    paths = []
    for i, part in enumerate(parts):
        n = sum(length for _, length in part)
        gaps = sorted(data.draw(st.sets(st.integers(1, n - 1), max_size=2)))
        paths.append(tmp_path / f"{i}{suffix}")
        write_recording(recording(part, gaps=gaps, seed=i), paths[-1])
    plan = Plan(learn=learn, fine_tune=fine_tune, fine_tune_from=where, calibrate=calibrate)
    try:
        expected = replay_files(BUNDLE, paths, plan, stream=False)
    except RecordingError as error:
        with pytest.raises(RecordingError) as found:
            replay_files(BUNDLE, paths, plan, stream=True)
        said = str(found.value)
        if said != str(error):
            raise AssertionError(said) from None
        return
    (tmp_path / "out").mkdir(exist_ok=True)
    streamed = replay_files(BUNDLE, paths, plan, stream=True, folder=tmp_path / "out")
    assert_same(streamed, expected)
    assert (tmp_path / "out" / "windows.csv").read_bytes() == windows_csv(expected).encode()


@pytest.mark.usefixtures("small_blocks")
def test_sums_over_many_blocks_are_the_figures_of_all_windows() -> None:
    plan = Plan(learn=True, fine_tune=120, fine_tune_from="start")
    result = replay(BUNDLE, [FAULT, FAULT], plan)
    truth, predicted, n = result.truth, result.windows.predicted, len(result.class_names)
    classes = result.tally.classes
    assert np.array_equal(classes.confusion, scores.confusion(truth, predicted, n))
    last = scores.last_showing(truth)
    assert classes.last_showing is not None
    assert np.array_equal(classes.last_showing, scores.confusion(truth[last], predicted[last], n))
    assert result.tally.n_windows == len(result.windows)
    assert result.tally.anomalies == result.windows.anomaly.sum()
    groups = error_groups(result)
    for figure, group in zip(error_figures(result), groups, strict=True):
        assert (figure.phase, figure.label) == (group.phase, group.label)
        assert figure.name == group.name
        assert figure.windows == len(group.frozen) == figure.frozen_spread[1].sum()
        assert figure.mean_frozen == pytest.approx(group.frozen.mean(dtype=np.float64), rel=1e-12)
        assert figure.anomalies == group.anomaly.mean()
        assert (figure.mean_tuned is None) == (group.tuned is None)
        if group.tuned is not None:
            assert figure.mean_tuned == pytest.approx(np.mean(group.tuned, dtype=np.float64))
            assert figure.tuned_quantiles.quantile(0.9) == np.quantile(group.tuned, 0.9)
            assert np.allclose(np.repeat(*figure.tuned_spread), np.sort(group.tuned), rtol=0.008)
    assert len(groups) > 3


@pytest.mark.usefixtures("small_blocks")
def test_notices_are_the_stretches_between_what_windows_say() -> None:
    result = replay(BUNDLE, [FAULT, FAULT], Plan(learn=True))
    found = notices(result)
    windows = result.windows
    sizes = {"alarm": windows.score, "unknown": windows.novelty}
    assert {"alarm", "unknown"} <= {notice.kind for notice in found}
    for kind in ("alarm", "unknown", "moved"):
        began = np.flatnonzero(windows.noticed(f"{kind}_began"))
        ended = windows.noticed(f"{kind}_ended") | (kind == "moved") & windows.noticed("calibrated")
        of_kind = [notice for notice in found if notice.kind == kind]
        assert [notice.first for notice in of_kind] == began.tolist()
        for notice in of_kind:
            later = np.flatnonzero(ended[notice.first + 1 :])
            expected = notice.first + 1 + later[0] if len(later) else len(windows) - 1
            assert (notice.last, notice.open) == (expected, not len(later))
            assert notice.first_sample == result.sample_index[notice.first]
            assert notice.last_sample == result.sample_index[notice.last]
            if kind in sizes:
                assert notice.peak == sizes[kind][notice.first : notice.last + 1].max()
    assert sum(result.tally.notices.counts.values()) == len(found)


def test_notices_beyond_those_that_are_kept_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    all_of_them = summarise(replay(BUNDLE, [FAULT, FAULT], Plan(learn=True)))
    monkeypatch.setattr(notice_tally, "MAX_NOTICES", 2)
    summary = summarise(replay(BUNDLE, [FAULT, FAULT], Plan(learn=True)))
    assert summary["notices"] == all_of_them["notices"][:2]
    assert summary["notice_counts"] == all_of_them["notice_counts"]
    assert summary["notices_left_out"] == len(all_of_them["notices"]) - 2 > 0
    assert dict(headline(summary)) == dict(headline(all_of_them))
    assert notice_rows(summary)[2][0] == f"{summary['notices_left_out']} more"


@quick
@given(
    st.lists(st.floats(0, 2.0**100, width=32), min_size=1, max_size=300),
    st.floats(0, 1),
    st.booleans(),
)
def test_quantiles_are_right_within_what_is_said(
    values: list[float], share: float, exact: bool
) -> None:
    array = np.array(values, np.float32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(quantiles, "EXACT", 300 if exact else 0)
        found = Quantiles()
        for start in range(0, len(array), 7):
            found.add(array[start : start + 7])
        if exact:
            assert found.quantile(share) == float(np.quantile(array, share))
            return
        rank = share * (len(array) - 1)
        below, above = np.sort(array)[[int(np.floor(rank)), int(np.ceil(rank))]].astype(float)
        assert below / 1.009 - 1e-37 <= found.quantile(share) <= above * 1.009 + 1e-37


def test_a_histogram_counts_what_is_no_positive_number_as_zero() -> None:
    histogram = Histogram()
    histogram.add(np.array([-1, 0, np.nan, 2], np.float32))
    errors, counts = histogram.filled()
    assert counts.tolist() == [3, 1]
    assert errors[1] == pytest.approx(2, rel=0.008)


@pytest.mark.parametrize("most", [1, 2, 50, 51, 1000])
@pytest.mark.parametrize("piece", [1, 3, 1000])
def test_what_is_kept_is_evenly_spaced(most: int, piece: int) -> None:
    whole = replay(BUNDLE, [recording([("normal", 600)])])
    thinned, blocks = Thinned(most), []
    plan = Plan(chunk_s=piece * HOP / RATE_HZ)
    replay_streams(
        BUNDLE,
        [replay_module.stream_of(recording([("normal", 600)]))],
        plan,
        on_block=lambda block, names: blocks.append(block),
    )
    for block in blocks:
        thinned.add(block)
    kept = thinned.block()
    assert np.array_equal(kept.sample_index, whole.sample_index[:: thinned.every])
    assert np.array_equal(kept.windows.error, whole.windows.error[:: thinned.every])
    assert len(kept) <= most
    assert thinned.every == 1 or 2 * len(kept) + 2 > most


def test_a_long_stream_has_a_report_of_a_part_and_figures_of_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, out = tmp_path / "fault.npz", tmp_path / "out"
    write_recording(FAULT, path)
    plan = Plan(learn=True, fine_tune=200, fine_tune_from="start")
    expected = replay_files(BUNDLE, [path], plan)
    monkeypatch.setattr(replay_module, "MAX_KEPT", 100)
    out.mkdir()
    result = replay_files(BUNDLE, [path], plan, stream=True, folder=out)
    assert result.every == 16
    assert len(result.windows) == -(-len(expected.windows) // 16)
    assert np.array_equal(result.windows.error, expected.windows.error[::16])
    assert np.array_equal(result.tuned, expected.tuned[::16])
    assert np.array_equal(result.truth, expected.truth[::16])
    assert figures(result) == figures(expected)
    page = write_report(result, out).read_text(encoding="utf-8")
    assert f"Of the {len(expected.windows):,} windows one in 16 is drawn" in page
    assert f"{len(expected.windows):,} of {WINDOW_LEN} samples" in page
    assert "last 800 windows" not in page  # it is in the picture
    with open(out / "windows.csv", encoding="utf-8", newline="") as file:
        assert len(list(csv.DictReader(file))) == len(expected.windows)
    assert {p.name for p in out.iterdir()} == {
        "report.html",
        "windows.csv",
        *(f"{name}.png" for name in ("timeline", "error", "f1", "confusion")),
    }


def test_windows_csv_is_what_csv_writes() -> None:
    odd = recording([('a "b"', 100), ("c,d", 100)])
    text = windows_csv(replay(BUNDLE, [odd], Plan(learn=True)))
    again = io.StringIO()
    csv.writer(again, lineterminator="\n").writerows(csv.reader(io.StringIO(text)))
    assert again.getvalue() == text
    assert '"a ""b"""' in text


def test_a_stream_that_breaks_leaves_what_was_there(tmp_path: Path) -> None:
    samples = np.ones((5000, 3), np.float32)
    samples[4000] = np.nan
    np.savez(tmp_path / "r.npz", samples=samples, rate_hz=RATE_HZ)
    (tmp_path / "windows.csv").write_text("of an earlier replay")
    with pytest.raises(RecordingError, match=r"samples\[4000\]"):
        replay_files(BUNDLE, [tmp_path / "r.npz"], stream=True, folder=tmp_path)
    assert (tmp_path / "windows.csv").read_text() == "of an earlier replay"
    assert {path.name for path in tmp_path.iterdir()} == {"r.npz", "windows.csv"}


def test_large_recordings_are_streamed_without_being_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_recording(FAULT, tmp_path / "a.npz")
    np.savez_compressed(tmp_path / "b.npz", samples=np.zeros((4000, 3)), rate_hz=RATE_HZ)
    (tmp_path / "c").mkdir()
    write_recording(FAULT, tmp_path / "c" / "1.csv")
    for name in ("a.npz", "b.npz", "c"):
        path = tmp_path / name
        assert isinstance(open_files([path])[0], Recording)
        monkeypatch.setattr("tinyol_sim.replay_files.STREAM_BYTES", 50_000)
        assert not isinstance(open_files([path])[0], Recording)
        assert isinstance(open_files([path], stream=False)[0], Recording)
        monkeypatch.undo()
    assert not isinstance(open_files([tmp_path / "a.npz"], stream=True)[0], Recording)


# --- the command --------------------------------------------------------------------------


@pytest.fixture
def tinyol(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Tinyol:
    with_small_model(tmp_path, monkeypatch, "sim:")
    write_recording(FAULT, "fault.csv")
    write_recording(FAULT, "fault.npz")
    return Tinyol(capsys)


def test_stream_and_in_memory_print_the_same(tinyol: Tinyol) -> None:
    words = ["replay", "fault.csv", "-m", "small.tinyol", "--learn", "--fine-tune", "20"]
    expected = tinyol.done(*words, "--in-memory", "-o", "a")
    assert tinyol.done(*words, "--stream", "-o", "a") == expected
    for name in ("--stream", "--in-memory"):
        tinyol.done(*words, name, "-o", name[2:], "--save-state", name[2:] + ".state")
    for name in ("windows.csv", "timeline.png", "error.png", "f1.png", "confusion.png"):
        left, right = Path("stream") / name, Path("in-memory") / name
        assert left.read_bytes() == right.read_bytes()
    assert Path("stream.state").read_bytes() == Path("in-memory.state").read_bytes()


def test_a_stream_takes_the_shipped_model_and_labels(tinyol: Tinyol) -> None:
    found = json.loads(tinyol.done("replay", "--learn", "--json", "--stream"))
    assert found["rate_hz"] == 119
    words = ["replay", "fault.npz", "fault.csv", "-m", "small.tinyol", "--learn", "--json"]
    relabelled = json.loads(tinyol.done(*words, "--label", "a", "--label", "-", "--stream"))
    assert [c["name"] for c in relabelled["classifier"]["classes"]] == ["a"]
    assert PROGRAM
