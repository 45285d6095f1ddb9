"""Recordings: what is written reads back, and what is wrong is named with its place."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinyol_sim.errors import RecordingError
from tinyol_sim.recordings import (
    Interval,
    Recording,
    concatenate,
    read_intervals,
    read_recording,
    read_recordings,
    write_recording,
)

HEADER = "# tinyol recording 1\n# rate_hz=100\n# units=g\n"
UNEVEN = np.cumsum([0.01, 0.013, 0.008, 0.011, 0.014, 0.007] * 4).round(3).tolist()


def make(n: int = 6, name: str = "r", **fields: Any) -> Recording:
    values = {
        "samples": np.arange(3 * n, dtype=np.float32).reshape(n, 3) / 7,
        "rate_hz": 119.0,
        "labels": np.full(n, -1),
        "label_names": (),
        "gaps": np.array([], int),
        "name": name,
    }
    return Recording(**{**values, **fields})


def label_texts(recording: Recording) -> list[str | None]:
    return [None if i < 0 else recording.label_names[i] for i in recording.labels]


def assert_same(left: Recording, right: Recording) -> None:
    np.testing.assert_array_equal(left.samples.view(np.int32), right.samples.view(np.int32))
    np.testing.assert_array_equal(left.gaps, right.gaps)
    assert label_texts(left) == label_texts(right)
    assert left.rate_hz == right.rate_hz


def write(folder: Path, text: str | bytes, name: str = "r.csv") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


finite32 = st.floats(width=32, allow_nan=False, allow_infinity=False)
class_names = (
    st.text(min_size=1, max_size=15)
    .filter(lambda s: s.isprintable() and s == s.strip())
    .filter(lambda s: len(s.encode()) <= 15)
)


@st.composite
def recordings(draw: st.DrawFn, values: st.SearchStrategy[float] = finite32) -> Recording:
    n = draw(st.integers(1, 12))
    names = tuple(draw(st.lists(class_names, max_size=3, unique=True)))
    gaps = sorted(draw(st.sets(st.integers(1, n - 1)))) if n > 1 else []
    return make(
        samples=np.array(draw(st.lists(st.tuples(values, values, values), min_size=n, max_size=n))),
        labels=draw(st.lists(st.integers(-1, len(names) - 1), min_size=n, max_size=n)),
        label_names=names,
        gaps=np.array(gaps, int),
        rate_hz=draw(st.floats(1e-3, 1e6)),
        n=n,
    )


@settings(max_examples=100, deadline=None)
@given(recordings(), st.sampled_from([".csv", ".npz"]))
def test_csv_and_npz_read_back_bit_for_bit(recording: Recording, suffix: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"r{suffix}"
        write_recording(recording, path)
        assert_same(read_recording(path), recording)


@settings(max_examples=60, deadline=None)
@given(recordings(st.floats(-16, 16, width=32).filter(lambda v: v == 0 or abs(v) > 1e-30)))
def test_edge_impulse_reads_back_samples_and_labels(recording: Recording) -> None:
    recording = make(
        recording.n_samples,
        samples=recording.samples + np.float32(0),  # JSON has no -0 of its own
        labels=recording.labels,
        label_names=recording.label_names,
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.1.json"
        write_recording(recording, path)
        write_recording(recording, path)  # over its own sidecar
        assert_same(read_recording(path), recording)


def test_the_one_float32_that_its_shortest_decimal_loses(tmp_path: Path) -> None:
    odd = np.array([[0x15AE43FD, 0x95AE43FD, 1]], np.uint32).view(np.float32)
    write_recording(make(1, samples=odd), tmp_path / "r.csv")
    assert_same(read_recording(tmp_path / "r.csv"), make(1, samples=odd))


def test_csv_is_written_as_documented(tmp_path: Path) -> None:
    recording = make(2, samples=[[0.1, -2, 3e-5], [0, 1, 9]], labels=[0, -1], label_names=("a,b",))
    write_recording(concatenate([recording, recording]).slice(0, 3), tmp_path / "r.csv")
    assert (tmp_path / "r.csv").read_text() == (
        "# tinyol recording 1\n# rate_hz=119\n# units=g\nx,y,z,label\n"
        '0.1,-2.0,3e-05,"a,b"\n0.0,1.0,9.0,\n# gap\n0.1,-2.0,3e-05,"a,b"\n'
    )


def test_csv_columns_in_any_order_units_and_gaps_in_t(tmp_path: Path) -> None:
    text = (
        "\ufeff# tinyol recording 1\r\n# rate_hz=100\r\n# units=m/s2\r\n# a remark\r\n"
        "label, z, t, y, x\r\n on ,9.80665,0.00,2,0\r\n\r\n,9.80665,0.01,2,0\r\n"
        "on,9.80665,0.03,2,0\r\n# gap\r\n#GAP\r\non,-19.6133,0.04,2,0"
    )
    found = read_recording(write(tmp_path, text))
    np.testing.assert_array_equal(found.samples[:, 2], [1, 1, 1, -2])
    assert label_texts(found) == ["on", None, "on", "on"]
    assert found.gaps.tolist() == [2, 3]
    assert found.name == "r"


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("", None, "empty"),
        (" \n\n", None, "empty"),
        ("hello world\n", 1, "no recording"),
        (b"\x89PNG\r\n\x1a\n\0\0\0", 1, "not text"),
        (b"x,y,z\n1,2,3\n1,\xff,3\n", 3, "not text"),
        ("# tinyol recording 2\n", 1, "version '2'"),
        (HEADER, None, "no samples"),
        (HEADER + "x,y,z\n", None, "no samples"),
        (HEADER + "x,y,z\n1,2,3\n\n1,2\n", 7, "2 columns"),
        (HEADER + "x,y,z\n1,2,3\n1,2,3,4\n", 6, "4 columns"),
        (HEADER + "x,y,z\n1,2,3\n1,abc,3\n", 6, "'abc'"),
        (HEADER + "x,y,z\n1,2,3\n1,2_0,3\n", 6, "'2_0'"),
        (HEADER + "x,y,z\n1,,3\n", 5, "y is empty"),
        (HEADER + "x,y,z\n1,2,3\n# gap\n1,nan,3\n", 7, "'nan'"),
        (HEADER + "x,y,z\n-inf,2,3\n", 5, "finite"),
        (HEADER + "x,y,z\n1e999,2,3\n", 5, "too large"),
        (HEADER + "x,y,z\n1,2,3\n1e39,2,3\n", 6, "finite float32"),
        (HEADER + "x,y\n1,2\n", 4, "'z' is missing"),
        (HEADER + "x,y,z,w\n1,2,3,4\n", 4, "'w'"),
        (HEADER + "x,y,z,x\n1,2,3,4\n", 4, "twice"),
        (HEADER + "1,2,3\n", 4, "header"),
        (HEADER.replace("=g", "=mg") + "x,y,z\n1,2,3\n", 3, "'mg'"),
        (HEADER.replace("units", "unit") + "x,y,z\n1,2,3\n", None, "units=g"),
        (HEADER.replace("100", "0") + "x,y,z\n1,2,3\n", 2, "rate_hz"),
        (HEADER.replace("100", "fast") + "x,y,z\n1,2,3\n", 2, "'fast'"),
        ("x,y,z\n1,2,3\n", None, "give --rate-hz (in Python: rate_hz=)"),
        ("1,2,3\n1,2,3\n", None, "give --rate-hz"),
        ("t,x,y,z\n0,1,2,3\n0.01,1,2,3\n", None, "100 Hz"),
        ("t,x,y,z\n" + "".join(f"{t},1,2,3\n" for t in UNEVEN), None, "give --rate-hz"),
        ("t,x,y,z\n" + "".join(f"{10 * i},1,2,3\n" for i in range(20)), None, "100 Hz, divide"),
        (HEADER + "t,x,y,z\n" + "".join(f"{10 * i},1,2,3\n" for i in range(20)), 5, "divide by"),
        ("1,2,3,4\n", 1, "4 columns"),
        (HEADER + "t,x,y,z\n-1,2,3,4\n", 5, "negative"),
        (HEADER + "t,x,y,z\n0,2,3,4\n0.01,2,3,4\n0.01,2,3,4\n", 7, "later"),
        (HEADER + "t,x,y,z\n" + "".join(f"{i / 60},1,2,3\n" for i in range(20)), 5, "60 Hz"),
        (HEADER + "x,y,z,label\n1,2,3,a\n1,2,3,17 bytes of text!\n", 6, "17 bytes"),
        (HEADER + "x,y,z,label\n1,2,3,üüüüüüüü\n", 5, "16 bytes"),
        (HEADER + "x,y,z,label\n1,2,3," + "n" * 1000 + "\n", 5, "1000 bytes"),
        (HEADER + "x,y,z,label\n1,2,3,a\x07\n", 5, "printed"),
        (HEADER + 'x,y,z,label\n1,2,3,"a\n1,2,3,b\n', 5, "unexpected end"),
    ],
)
def test_csv_errors_name_the_line(
    tmp_path: Path, text: str | bytes, line: int | None, what: str
) -> None:
    path = write(tmp_path, text)
    with pytest.raises(RecordingError) as caught:
        read_recording(path)
    place = f"{path}: " if line is None else f"{path}:{line}: "
    assert str(caught.value).startswith(place)
    assert what in str(caught.value)


def test_a_rate_that_contradicts_the_file_is_an_error_and_one_nearby_is_taken(
    tmp_path: Path,
) -> None:
    path = write(tmp_path, HEADER + "x,y,z\n1,2,3\n")
    with pytest.raises(RecordingError, match=r"r\.csv:2: the rate is 100 Hz, not 119 Hz"):
        read_recording(path, rate_hz=119)
    assert read_recording(path, rate_hz=100.05).rate_hz == 100.05
    with pytest.raises(RecordingError, match="rate_hz is 0"):
        read_recording(path, rate_hz=0)


def test_timestamps_in_whole_milliseconds_show_no_gap(tmp_path: Path) -> None:
    rows = "".join(f"{round(1000 * i / 119) / 1000},0,0,1\n" for i in range(200))
    path = write(tmp_path, HEADER.replace("100", "119") + "t,x,y,z\n" + rows)
    assert read_recording(path).gaps.tolist() == []


@pytest.mark.parametrize("head", ["", "# tinyol recording 1\n# units=g\n"])
@pytest.mark.parametrize(("rate_hz", "digits"), [(100, 2), (119, 6), (119, 3), (25, 9)])
def test_the_rate_is_that_of_regular_timestamps(
    tmp_path: Path, head: str, rate_hz: float, digits: int
) -> None:
    times = np.arange(300) / rate_hz
    times[200:] += 5
    rows = "".join(f"{t:.{digits}f},0,0,1\n" for t in times)
    recording = read_recording(write(tmp_path, head + "t,x,y,z\n" + rows))
    assert recording.rate_hz == pytest.approx(rate_hz, rel=5e-4)
    assert recording.gaps.tolist() == [200]


# --- labels ------------------------------------------------------------------------------------


def test_labels_by_argument_before_sidecar_before_rows(tmp_path: Path) -> None:
    path = write(tmp_path, HEADER + "x,y,z,label\n" + "1,2,3,row\n" * 4)
    assert label_texts(read_recording(path)) == ["row"] * 4
    write(tmp_path, "start_s,stop_s,label\n0.01,0.03,side\n", "r.labels.csv")
    assert label_texts(read_recording(path)) == [None, "side", "side", None]
    assert label_texts(read_recording(path, label="arg")) == ["arg"] * 4
    with pytest.raises(RecordingError, match="16 bytes"):
        read_recording(path, label="n" * 16)


def test_a_sidecar_uses_the_file_s_own_time(tmp_path: Path) -> None:
    path = write(tmp_path, HEADER + "t,x,y,z\n5.00,1,2,3\n5.01,1,2,3\n7.00,1,2,3\n")
    write(tmp_path, "# seconds\nstart_s,stop_s,label\n5.01,7.5,on\n", "r.labels.csv")
    assert label_texts(read_recording(path)) == [None, "on", "on"]


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("begin,end,label\n", 1, "start_s,stop_s,label"),
        ("start_s,stop_s,label\n0,1\n", 2, "2 columns"),
        ("start_s,stop_s,label\n0,one,a\n", 2, "'one'"),
        ("start_s,stop_s,label\n\n2,1,a\n", 3, "start_s < stop_s"),
        ("start_s,stop_s,label\n0,nan,a\n", 2, "finite"),
        ("start_s,stop_s,label\n0,1,\n", 2, "empty"),
    ],
)
def test_interval_errors_name_the_line(tmp_path: Path, text: str, line: int, what: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(RecordingError, match=what) as caught:
        read_intervals(path)
    assert str(caught.value).startswith(f"{path}:{line}: ")


def test_intervals_that_overlap_or_miss_the_recording_are_errors() -> None:
    recording = make(10, rate_hz=10)
    with pytest.raises(RecordingError, match="overlap"):
        recording.with_intervals([Interval(0.2, 0.5, "b"), Interval(0, 0.3, "a")])
    with pytest.raises(RecordingError, match="holds no sample"):
        recording.with_intervals([Interval(1, 2, "a")])
    labelled = recording.with_label("all").with_intervals([Interval(0.5, 9, "late")])
    assert label_texts(labelled) == ["all"] * 5 + ["late"] * 5


def test_writing_beside_a_sidecar_that_says_otherwise_is_refused(tmp_path: Path) -> None:
    sidecar = write(tmp_path, "start_s,stop_s,label\n0,9,on\n", "r.labels.csv")
    with pytest.raises(RecordingError, match="move it away"):
        write_recording(make(), tmp_path / "r.csv")
    assert not (tmp_path / "r.csv").exists()
    write_recording(make().with_label("on"), tmp_path / "r.csv")
    assert sidecar.read_text() == "start_s,stop_s,label\n0,9,on\n"


# --- Edge Impulse ------------------------------------------------------------------------------


def edge_impulse(**changes: Any) -> dict[str, Any]:
    payload = {
        "device_type": "NANO",
        "interval_ms": 10,
        "sensors": [{"name": n, "units": "m/s2"} for n in ("gyrX", "accX", "accZ", "accY")],
        "values": [[9, 9.80665, 0, -19.6133], [9, 0, 0, 0]],
    }
    return {
        "protected": {"ver": "v1", "alg": "HS256", "iat": 1},
        "signature": "not checked",
        "payload": {**payload, **changes},
    }


def test_edge_impulse_finds_the_accelerometer_and_the_label(tmp_path: Path) -> None:
    path = write(tmp_path, json.dumps(edge_impulse()), "stuck.3k2l.json")
    found = read_recording(path)
    np.testing.assert_array_equal(found.samples, [[1, -2, 0], [0, 0, 0]])
    assert found.rate_hz == 100
    assert label_texts(found) == ["stuck"] * 2
    sensors = [{"name": n, "units": "g"} for n in ("accX", "accY", "accZ")]
    document = edge_impulse(sensors=sensors, values=[[1, 2, 3]])
    found = read_recording(write(tmp_path, json.dumps(document), "a.json"))
    np.testing.assert_array_equal(found.samples, [[1, 2, 3]])


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"interval_ms": 0}, "payload.interval_ms is 0"),
        ({"interval_ms": "10"}, "payload.interval_ms"),
        ({"sensors": []}, "payload.sensors"),
        ({"sensors": [{"name": "accX", "units": "g"}]}, "one accY"),
        ({"sensors": [{"name": f"acc{a}", "units": "N"} for a in "XYZ"]}, "'N'"),
        ({"values": []}, "payload.values"),
        ({"values": [[1, 2, 3, 4], [1, 2, 3]]}, r"payload.values\[1\] has 3 numbers"),
        ({"values": [[1, 2, 3, 4], [1, 2, "3", 4]]}, r'payload.values\[1\]: accZ is "3"'),
        ({"values": [[1, 2.5, 3, True]]}, r"payload.values\[0\]: accY is true"),
        ({"values": [[1, 2, None, 4]]}, r"payload.values\[0\]: accZ is null"),
        ({"values": [[1, 2, float("nan"), 4]]}, r"payload.values\[0\].*finite"),
        ({"values": [[1, 2, 10**400, 4]]}, r"payload.values\[0\].*finite"),
        ({"values": [1, 2]}, r"payload.values\[0\] must be a list"),
    ],
)
def test_edge_impulse_errors_name_the_field(
    tmp_path: Path, changes: dict[str, Any], what: str
) -> None:
    path = write(tmp_path, json.dumps(edge_impulse(**changes)), "a.json")
    with pytest.raises(RecordingError, match=what) as caught:
        read_recording(path)
    assert str(path) in str(caught.value)


def test_edge_impulse_refuses_what_it_is_not(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match=r"a\.json:2: not JSON"):
        read_recording(write(tmp_path, '{"payload":\n oops}', "a.json"))
    with pytest.raises(RecordingError, match="not JSON"):
        read_recording(write(tmp_path, "[" * 200_000, "a.json"))
    with pytest.raises(RecordingError, match="'payload' is missing"):
        read_recording(write(tmp_path, "[1, 2]", "a.json"))
    long_name = write(tmp_path, json.dumps(edge_impulse()), "much_too_long_a_name.json")
    with pytest.raises(RecordingError, match="'much_too_long_a_name'"):
        read_recording(long_name)
    assert label_texts(read_recording(long_name, label="ok")) == ["ok"] * 2
    with pytest.raises(RecordingError, match="hold the 1 gap of"):
        write_recording(make(gaps=np.array([2])), tmp_path / "b.json")


# --- npz ---------------------------------------------------------------------------------------


def test_npz_needs_only_samples_and_a_rate(tmp_path: Path) -> None:
    samples = np.array([[0, 0, 9.80665]])
    np.savez_compressed(tmp_path / "r.npz", samples=samples, units="m/s2", rate_hz=50)
    assert_same(read_recording(tmp_path / "r.npz"), make(1, samples=[[0, 0, 1]], rate_hz=50))
    np.savez(tmp_path / "r.npz", samples=samples)
    with pytest.raises(RecordingError, match="give --rate-hz"):
        read_recording(tmp_path / "r.npz")


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"samples": np.zeros((3, 2))}, r"\(n, 3\)"),
        ({"samples": np.zeros((0, 3))}, "no samples"),
        ({"samples": np.full((3, 3), np.nan)}, r"samples\[0\]"),
        ({"samples": np.array([None])}, "damaged"),
        ({"rate_hz": -1}, "rate_hz is -1"),
        ({"rate_hz": "fast"}, "'fast'"),
        ({"labels": [0, 0]}, "2 labels for 3"),
        ({"labels": [0, 0, 1]}, r"labels\[2\] is 1"),
        ({"label_names": ["n" * 16]}, "16 bytes"),
        ({"gaps": [2, 1]}, "gaps must increase"),
        ({"gaps": [3]}, "gaps must increase"),
        ({"gaps": [0.5]}, "integers"),
        ({"tinyol_recording": 2}, "tinyol_recording is 2"),
    ],
)
def test_npz_errors_name_the_array(tmp_path: Path, changes: dict[str, Any], what: str) -> None:
    path = tmp_path / "r.npz"
    content: dict[str, Any] = {
        "samples": np.zeros((3, 3)),
        "rate_hz": 50,
        "labels": [-1, 0, 0],
        "label_names": ["a"],
    }
    np.savez(path, **{**content, **changes})
    with pytest.raises(RecordingError, match=what) as caught:
        read_recording(path)
    assert str(caught.value).startswith(f"{path}: ")


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_damaged_files_are_refused_or_read_but_never_crash(data: st.DataObject) -> None:
    suffix = data.draw(st.sampled_from([".csv", ".npz", ".json"]))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"r{suffix}"
        write_recording(make().with_label("r"), path)
        content = bytearray(path.read_bytes())
        at = data.draw(st.integers(0, len(content)))
        if data.draw(st.booleans()):
            del content[at:]
        else:
            content[at : at + 2] = data.draw(st.binary(max_size=3))
        path.write_bytes(content)
        try:
            found = read_recording(path)
        except RecordingError as error:
            message = str(error)
        else:
            assert np.isfinite(found.samples).all()
            message = str(path)
        assert str(path) in message


# --- folders -----------------------------------------------------------------------------------


def test_a_ceiling_fan_folder_is_one_recording_with_a_gap_at_every_border(tmp_path: Path) -> None:
    folder = tmp_path / "fan_0_low_1_weight"
    folder.mkdir()
    for name, x in [("10.csv", 3), ("2.csv", 2), ("1.csv", 1)]:
        write(folder, f"{x}, 0, 1\n{x}, 0.5, 1\n", name)
    write(folder, "not looked at", ".hidden.csv")
    found = read_recording(folder)
    assert found.samples[:, 0].tolist() == [1, 1, 2, 2, 3, 3]
    assert found.gaps.tolist() == [2, 4]
    assert (found.rate_hz, found.name) == (200, "fan_0_low_1_weight")
    assert label_texts(found) == ["low_1"] * 6
    assert_same(read_recordings([tmp_path])[0], found)
    other = read_recording(folder, label="coin", rate_hz=100)
    assert (other.rate_hz, other.label_names) == (100, ("coin",))
    one = read_recording(folder / "2.csv")
    assert (one.rate_hz, one.label_names) == (200, ("low_1",))


def test_other_folders_give_a_recording_a_file_or_are_joined(tmp_path: Path) -> None:
    write(tmp_path, HEADER + "x,y,z,label\n1,0,0,a\n", "a.csv")
    write(tmp_path, HEADER + "x,y,z,label\n2,0,0,b\n3,0,0,a\n", "b.csv")
    write(tmp_path, "start_s,stop_s,label\n0,1,c\n", "a.labels.csv")
    (tmp_path / "empty").mkdir()
    assert [r.name for r in read_recordings([tmp_path])] == ["a", "b"]
    joined = read_recording(tmp_path)
    assert label_texts(joined) == ["c", "b", "a"]
    assert joined.gaps.tolist() == [1]
    write(tmp_path, HEADER.replace("100", "119") + "x,y,z\n1,0,0\n", "c.csv")
    with pytest.raises(RecordingError, match="100 Hz and c has 119 Hz"):
        read_recording(tmp_path)
    for read in (read_recording, lambda path: read_recordings([path])):
        with pytest.raises(RecordingError, match="empty: there is no"):
            read(tmp_path / "empty")


def test_paths_that_are_no_recording(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match=r"missing\.csv: No such file"):
        read_recording(tmp_path / "missing.csv")
    with pytest.raises(RecordingError, match=r"not a \.csv, \.json"):
        read_recording(write(tmp_path, "x", "r.txt"))
    with pytest.raises(RecordingError, match="suffix must be"):
        write_recording(make(), tmp_path / "r.txt")
    with pytest.raises(RecordingError, match=r"nowhere/r\.csv: cannot be written: No such file"):
        write_recording(make(), tmp_path / "nowhere" / "r.csv")


def test_the_real_set_reads_whole(real_data: Path) -> None:
    found = read_recording(real_data / "ceiling-fan" / "fan_0_low-deploy")
    assert (found.n_samples, len(found.gaps), found.rate_hz) == (28_600, 142, 200)
    assert found.label_names == ("low-deploy",)
    assert 0.9 < np.linalg.norm(found.samples.mean(axis=0)) < 1.1  # gravity


# --- the type ----------------------------------------------------------------------------------


def test_slice_and_concatenate_keep_labels_and_gaps() -> None:
    a = make(4, labels=[0, 1, -1, 0], label_names=("on", "off"), gaps=np.array([1, 3]))
    b = make(2, labels=[0, 1], label_names=("off", "new"))
    joined = concatenate([a, b], name="both")
    assert label_texts(joined) == ["on", "off", None, "on", "off", "new"]
    assert joined.gaps.tolist() == [1, 3, 4]
    assert_same(joined.slice(0, 4), a)
    assert joined.slice(1, 5).gaps.tolist() == [2, 3]
    assert joined.slice(3, 1).n_samples == 0
    with pytest.raises(RecordingError, match="no recording"):
        concatenate([])


@pytest.mark.parametrize(
    "fields",
    [
        {"samples": np.zeros((6, 2))},
        {"samples": np.full((6, 3), np.inf)},
        {"rate_hz": 0},
        {"labels": np.zeros(6, int)},
        {"labels": np.full(5, -1)},
        {"label_names": ("a", "a")},
        {"label_names": ("",)},
        {"label_names": (" a",)},
        {"gaps": np.array([0])},
        {"gaps": np.array([2, 2])},
        {"gaps": np.array([6])},
    ],
)
def test_a_recording_that_does_not_fit_together_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(RecordingError):
        make(**fields)
