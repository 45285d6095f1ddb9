"""A stream is the recording: the same samples, labels, gaps and rate, and the same refusals."""

from __future__ import annotations

import math
import zipfile
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.lib import format as npy
from numpy.typing import NDArray

from tinyol_sim.errors import RecordingError
from tinyol_sim.label_runs import LabelRuns
from tinyol_sim.open_recordings import open_recording
from tinyol_sim.recording_formats import csv_blocks, npz_scan
from tinyol_sim.recording_stream import RecordingStream, join_streams, stream_of
from tinyol_sim.recordings import Recording, concatenate, read_recording, write_recording
from tinyol_sim.replay_files import open_files

finite32 = st.floats(width=32, allow_nan=False, allow_infinity=False)
quick = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
NAMES = ("normal", "a b", 'say "x"', "a,b", "停止")


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is read at a time is less than the recordings here hold."""
    monkeypatch.setattr(csv_blocks, "BLOCK_BYTES", 64)
    monkeypatch.setattr(csv_blocks, "_MAX_MARKS", 4)
    monkeypatch.setattr(npz_scan, "PIECE_ROWS", 7)


def samples_of(stream: RecordingStream) -> NDArray[np.float32]:
    return np.concatenate(list(stream.pieces()))


def said_or(read: Any, path: Path) -> Any:
    """What reading gives, or says."""
    try:
        return read(path)
    except RecordingError as error:
        return str(error)


def assert_same(stream: RecordingStream, recording: Recording) -> None:
    for _ in range(2):  # as often as it is asked for
        found = samples_of(stream)
        assert found.dtype == np.float32
        assert np.array_equal(found.view(np.int32), recording.samples.view(np.int32))
    assert stream.n_samples == recording.n_samples
    assert stream.rate_hz == recording.rate_hz
    assert stream.name == recording.name
    assert stream.label_names == recording.label_names
    runs = stream.label_runs
    assert np.array_equal(runs.labels_of(0, stream.n_samples), recording.labels)
    assert np.all(runs.labels[1:] != runs.labels[:-1])
    assert np.array_equal(stream.gaps, recording.gaps)


@st.composite
def recordings(draw: st.DrawFn) -> Recording:
    runs = draw(st.lists(st.tuples(st.integers(-1, 4), st.integers(1, 12)), min_size=1, max_size=6))
    labels = np.repeat([label for label, _ in runs], [n for _, n in runs])
    n = len(labels)
    values = draw(st.lists(finite32, min_size=3 * n, max_size=3 * n))
    gaps = draw(st.sets(st.integers(1, n - 1))) if n > 1 else set()
    return Recording(
        np.array(values, np.float32).reshape(n, 3),
        draw(st.sampled_from([100.0, 119.0, 8000.0 / 67])),
        labels,
        NAMES,
        np.array(sorted(gaps), int),
        "r",
    )


@quick
@given(recording=recordings(), suffix=st.sampled_from([".csv", ".npz"]))
def test_a_stream_is_what_is_read(recording: Recording, suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"r{suffix}"
    write_recording(recording, path)
    assert_same(open_recording(path), read_recording(path))
    assert np.array_equal(samples_of(open_recording(path)), recording.samples)
    for label in ("b", "normal"):
        assert_same(open_recording(path, label=label), read_recording(path, label=label))


@quick
@given(recording=recordings(), start=st.integers(0, 60), at=st.integers(1, 70))
def test_runs_say_what_labels_say(recording: Recording, start: int, at: int) -> None:
    labels, runs = recording.labels, recording.label_runs
    n = len(labels)
    start, stop = start % n, start % n + 1 + at % (n - start % n)
    assert np.array_equal(runs.labels_of(start, stop), labels[start:stop])
    assert np.array_equal(runs.labels[runs.at(np.arange(n))], labels)
    first = {int(k): int(np.argmax(labels == k)) for k in np.unique(labels[labels >= 0])}
    assert runs.first_samples() == first
    assert list(runs.first_samples().values()) == sorted(first.values())
    assert runs.stops[-1] == n
    halves = LabelRuns.join([LabelRuns.of(labels[:stop]), LabelRuns.of(labels[stop:])])
    assert np.array_equal(halves.starts, runs.starts)
    assert np.array_equal(halves.labels, runs.labels)


@quick
@given(parts=st.lists(recordings(), min_size=1, max_size=3))
def test_streams_are_joined_as_recordings_are(parts: list[Recording]) -> None:
    parts = [Recording(p.samples, 100.0, p.labels, p.label_names, p.gaps, p.name) for p in parts]
    assert_same(join_streams([stream_of(p) for p in parts], "all"), concatenate(parts, "all"))


def test_a_damaged_archive_is_refused_before_its_size_is_known(tmp_path: Path) -> None:
    path = tmp_path / "r.npz"
    np.savez(path, samples=np.zeros((50, 3), np.float32), rate_hz=100.0)
    raw = bytearray(path.read_bytes())
    at = raw.index(b"PK\x01\x02") + 6  # the version that unpacking needs, of the directory
    raw[at : at + 2] = b"\xff\x00"
    path.write_bytes(raw)
    for stream in (None, True, False):
        with pytest.raises(RecordingError, match=r"r\.npz: .*zip file version 25\.5"):
            open_files([path], stream=stream)


@pytest.mark.parametrize("stream", [True, False])
def test_an_array_of_fewer_rows_than_none(tmp_path: Path, stream: bool) -> None:
    path = tmp_path / "r.npz"
    with zipfile.ZipFile(path, "w") as archive:
        for name, shape in (("samples", (-5, 3)), ("rate_hz", ())):
            with archive.open(f"{name}.npy", "w") as file:
                kind = {"descr": "<f8", "fortran_order": False, "shape": shape}
                npy.write_array_header_1_0(file, kind)  # type: ignore[no-untyped-call]
                file.write(np.full(60, 100.0).tobytes() if shape else np.float64(100.0).tobytes())
    with pytest.raises(RecordingError, match=r"r\.npz: the \.npz file is damaged: negative"):
        open_files([path], stream=stream)


@pytest.mark.parametrize("stream", [True, False])
def test_lines_that_end_in_carriage_returns_alone(tmp_path: Path, stream: bool) -> None:
    path = tmp_path / "r.csv"
    path.write_text("# tinyol recording 1\r# rate_hz=100\r# units=g\rx,y,z\r" + "0,0,1\r" * 500)
    with pytest.raises(RecordingError, match=r"r\.csv:1: a carriage return .* LF or CR LF$"):
        open_files([path], stream=stream)


def test_what_cannot_be_joined() -> None:
    with pytest.raises(RecordingError, match="no recording"):
        join_streams([])
    two = [
        stream_of(Recording(np.zeros((1, 3)), hz, np.array([-1]), (), np.array([], int), "r"))
        for hz in (50.0, 100.0)
    ]
    with pytest.raises(RecordingError, match="50 Hz and r has 100 Hz"):
        join_streams(two)


# Numbers as people and programs write them.
spellings = st.one_of(
    st.floats(-1e30, 1e30).map(repr),
    st.floats(-1e-30, 1e-30).map(repr),
    st.floats(-16, 16).map(lambda x: f"{x:.3f}"),
    st.floats(-16, 16).map(lambda x: f"{x:+.9e}"),
    st.decimals(-1000, 1000, places=25).map(str),
    st.sampled_from(["1.", ".5", "-0", "+00012.50", "1E+2", "9007199254740993", "1e22", "4e-320"]),
    st.sampled_from(["0." + "1" * 70, "1e-400", "123456789012345678901234567890"]),
)


@quick
@given(cells=st.lists(spellings, min_size=3, max_size=60), space=st.sampled_from(["", " ", "\t"]))
def test_every_number_is_the_float_next_to_what_is_written(
    cells: list[str], space: str, tmp_path: Path
) -> None:
    cells = cells[: len(cells) // 3 * 3]
    rows = [f"{space},{space}".join(cells[i : i + 3]) for i in range(0, len(cells), 3)]
    path = tmp_path / "n.csv"
    path.write_text("x,y,z\n" + "\n".join(space + row + space for row in rows))
    expected = np.array([float(cell) for cell in cells]).astype(np.float32).reshape(-1, 3)
    recording = read_recording(path, rate_hz=10.0)
    assert np.array_equal(recording.samples.view(np.int32), expected.view(np.int32))
    assert_same(open_recording(path, rate_hz=10.0), recording)


ROWS = "".join(f"{i / 8:g},{i},-{i},{'on' if 3 <= i < 9 else ''}\n" for i in range(20))


@pytest.mark.parametrize(
    "text",
    [
        "\ufeff# rate_hz=8\r\nx,y,z\r\n1,2,3\r\n\r\n# gap\r\n4,5,6\r\n",
        "# rate_hz=8\n# tea\nz, label ,y,x\n 1 ,on, 2,3\n#gap\n# GAP \n"
        "#  gap  \t\n1, off,2,3\n# é\n7,,8,9",
        '# rate_hz=8\nx,y,z,label\n1,2,3,"a,b"\n1,2,3,"say ""x"""\n'
        "1,2,3, 停止 \n1,2,3,\u00a0on\u00a0\n",
        "x,y,label,t,z\n" + "".join(f"1,2,on,{i / 8},3\n" for i in range(9)) + "1,2,,9,3\n",
        "# rate_hz=8\nt,x,y,z,label\n"
        + "".join(f"{i / 8},{row}" for i, row in enumerate(ROWS.splitlines(True))),
        "# units=m/s2\n# rate_hz=8\nx,y,z\n9.80665,-1e3,0\n",
        "# gap\n# rate_hz=8\nx,y,z\n# gap\n1,2,3\n# gap\n",
        "1, 2, 3\n\n4,5,6\n",
    ],
)
def test_ways_to_write_a_csv(text: str, tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    path.write_bytes(text.encode())
    rate_hz = None if "rate_hz" in text or "t," in text or ",t" in text else 8.0
    assert_same(open_recording(path, rate_hz=rate_hz), read_recording(path, rate_hz=rate_hz))


def test_the_rate_is_that_of_the_column_t_and_its_gaps_are_found(tmp_path: Path) -> None:
    times = np.concatenate([np.arange(50) / 8, 100 + np.arange(50) / 8])
    path = tmp_path / "r.csv"
    path.write_text("t,x,y,z\n" + "".join(f"{t},1,2,3\n" for t in times))
    (tmp_path / "r.labels.csv").write_text("start_s,stop_s,label\n1,2.1,a\n2.1,3,b\n5.9,101,a\n")
    stream = open_recording(path)
    assert (stream.rate_hz, stream.gaps.tolist()) == (8.0, [50])
    assert_same(stream, read_recording(path))
    (tmp_path / "r.labels.csv").write_text("start_s,stop_s,label\n7,8,a\n")
    for read in (open_recording, read_recording):
        with pytest.raises(RecordingError, match=r"holds no sample; the last one is at 106\.125 s"):
            read(path)


@quick
@given(
    rate_hz=st.sampled_from([119.0, 100.0, 3.0, 1 / 0.0084]),
    borders=st.sets(st.integers(0, 900), min_size=2, max_size=8),
)
def test_intervals_lie_as_in_memory(rate_hz: float, borders: set[int], tmp_path: Path) -> None:
    n = 300
    path = tmp_path / "r.npz"
    np.savez(path, samples=np.zeros((n, 3)), rate_hz=rate_hz)
    # Borders on samples, as exactly as a double can say, and between them.
    at_s = [b / 3 / rate_hz for b in sorted(borders)]
    pairs = [(a, b) for a, b in pairwise(at_s) if math.ceil(a * rate_hz + 1e-6) < b * rate_hz]
    lines = "".join(f"{a!r},{b!r},{'xyz'[i % 3]}\n" for i, (a, b) in enumerate(pairs))
    (tmp_path / "r.labels.csv").write_text("start_s,stop_s,label\n" + lines)
    found = [said_or(open_recording, path), said_or(read_recording, path)]
    if isinstance(found[0], str):
        assert found[0] == found[1]
    else:
        assert_same(*found)


def test_a_folder_is_its_files_joined(tmp_path: Path) -> None:
    folder = tmp_path / "fan_0_low_1_weight"
    folder.mkdir()
    for i in range(3):
        (folder / f"{i}.csv").write_text("".join(f"{i}, {k}, 0.5\n" for k in range(30)))
    assert_same(open_recording(folder), read_recording(folder))
    assert open_recording(folder).label_names == ("low_1",)
    (tmp_path / "fan_0_low_1_weight.labels.csv").write_text("start_s,stop_s,label\n0.1,0.2,a\n")
    assert_same(open_recording(folder), read_recording(folder))
    assert open_recording(folder).label_names == ("a",)


def test_an_edge_impulse_file_is_read_each_time(tmp_path: Path) -> None:
    path = tmp_path / "on.1.json"
    plain = Recording(np.ones((9, 3)), 100.0, np.zeros(9, int), ("on",), np.array([], int), "r")
    write_recording(plain, path)
    assert_same(open_recording(path), read_recording(path))


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("kind", ["<f4", ">f8", "<i2", "<f2"])
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_any_npz_that_numpy_writes(order: Any, kind: str, save: Any, tmp_path: Path) -> None:
    samples = np.asarray(np.arange(300).reshape(100, 3) / 4, kind, order=order)
    path = tmp_path / "r.npz"
    fields = {"labels": np.arange(100, dtype=">i8") // 40 - 1, "label_names": np.array(["a", "b"])}
    save(path, samples=samples, rate_hz=50, units="m/s2", gaps=[17], **fields)
    assert_same(open_recording(path), read_recording(path))
    save(path, samples=samples)
    assert_same(open_recording(path, rate_hz=9.0), read_recording(path, rate_hz=9.0))


@pytest.mark.parametrize(
    "changes",
    [
        {"samples": np.zeros((0, 3))},
        {"samples": np.zeros((9, 2))},
        {"samples": np.array(["a"])},
        {"labels": np.zeros(8, int)},
        {"labels": np.zeros(9)},
        {"labels": np.full(9, 1)},
        {"labels": np.full(9, -2)},
        {"labels": np.zeros((9, 1), int)},
        {"label_names": np.array(["a", "a"])},
        {"gaps": np.array([9])},
        {"gaps": np.array([3, 2])},
        {"gaps": np.array([0.5])},
        {"rate_hz": -1},
        {"units": "ft"},
        {"tinyol_recording": 2},
    ],
)
def test_what_is_refused_is_refused_in_the_same_words(
    changes: dict[str, Any], tmp_path: Path
) -> None:
    path = tmp_path / "r.npz"
    good = {"samples": np.zeros((9, 3)), "rate_hz": 9.0, "label_names": np.array(["a"])}
    np.savez(path, **{**good, **changes})
    messages = []
    for read in (read_recording, open_recording):
        with pytest.raises(RecordingError) as found:
            read(path)
        messages.append(str(found.value))
    assert messages[0] == messages[1]


def test_a_sample_that_is_not_finite_is_found_when_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "r.npz"
    samples = np.zeros((50, 3))
    samples[40, 1] = np.inf
    np.savez(path, samples=samples, rate_hz=9.0)
    stream = open_recording(path)
    with pytest.raises(RecordingError, match=r"samples\[40\]: \(0, inf, 0\) must be finite"):
        samples_of(stream)


@quick
@given(data=st.data(), compress=st.booleans())
def test_a_damaged_npz_is_refused_or_read_but_never_crashes(
    data: st.DataObject, compress: bool, tmp_path: Path
) -> None:
    path = tmp_path / "r.npz"
    save = np.savez_compressed if compress else np.savez
    save(path, samples=np.ones((30, 3), np.float32), rate_hz=9.0, labels=np.zeros(30, np.int16))
    raw = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    path.write_bytes(bytes(raw[: data.draw(st.integers(len(raw) // 2, len(raw)))]))
    said = said_or(lambda path: samples_of(open_recording(path)), path)
    assert not isinstance(said, str) or str(path) in said


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("1,2", "2 columns where x,y,z,label are 4"),
        ("1,2,,a", "z is empty"),
        ("1,2,3x,a", "z is '3x'; it must be a finite number"),
        ("1,2,nan,a", "z is 'nan'"),
        ("1,2,1e999,a", "z is '1e999'; it is too large"),
        ("1,2,1e300,a", "must be finite float32 numbers"),
        ("1,2,3,a name of 16 byte", "at most 15 fit"),
        ("1,2,3,a\x07", "cannot be printed"),
        ("1,2\r,3,a", "a carriage return within the line"),
        ('1,2,3,"a', "unexpected end of data"),
        ("1,2,3,\udcff", "not text (byte 0xff)"),
        ("# \udcff", "not text (byte 0xff)"),
        ("1,2,3,\0", "not text (byte 0x00)"),
    ],
)
@pytest.mark.parametrize("before", [0, 1, 30])
def test_the_line_of_an_error_is_named(before: int, line: str, says: str, tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    rows = "".join(f"{i},0,0,{'ab'[i // 7 % 2]}\n# tea\n" for i in range(before))
    text = f"# rate_hz=9\nx,y,z,label\n{rows}{line}\n1,2,3,b\n"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    for read in (read_recording, open_recording):
        with pytest.raises(RecordingError) as found:
            read(path)
        assert f"r.csv:{3 + 2 * before}: " in str(found.value)
        assert says in str(found.value)


def test_an_endless_line_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_blocks, "_LONGEST_LINE", 1000)
    path = tmp_path / "r.csv"
    path.write_text("# rate_hz=9\nx,y,z\n" + "1" * 5000)
    with pytest.raises(RecordingError, match=r"r\.csv:3: a line of more than 1,000 bytes"):
        open_recording(path)
