from __future__ import annotations

import io
import json
import os
import pty
import signal
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from rich.cells import cell_len
from rich.console import Console
from small_replay import in_gravity, recording, small_bundle
from told_device import identity_of

from tinyol_host.cli import main, monitor
from tinyol_host.cli.monitor_model import MonitorModel
from tinyol_host.cli.monitor_view import ABOVE, draw
from tinyol_host.cli.pace import Pace
from tinyol_host.errors import LinkError
from tinyol_host.events import Changed, Log, Lost, Prediction
from tinyol_host.link_health import LinkHealth
from tinyol_host.protocol import Opcode
from tinyol_host.replies import Info, StepCounts
from tinyol_sim.recordings import write_recording

BUNDLE = small_bundle()
URI = "sim:?model=small.tinyol&source=fan.npz&state=none&speed=4"
PROGRAM = [sys.executable, "-c", "import sys; from tinyol_host.cli import main; sys.exit(main())"]
INFO = Info(
    at=1000,
    windows=2345,
    gaps=3,
    refused_samples=0,
    refused_windows=0,
    classifier=StepCounts(100, 0, 2),
    reconstruction=StepCounts(900, 0, 0),
    clamped_targets=0,
    fine_tune_left=0,
    label=None,
    label_left=0,
    n_classes=2,
    feeding=True,
    malformed=0,
    repeated=0,
    refused=0,
    lost_peers=0,
    lost_events=0,
    self_test_ok=True,
    saves=0,
    wear=0,
    has_store=False,
    unsaved=False,
    save_failed=False,
)


def prediction(index: int, error: float = 0.02, **fields) -> Prediction:
    window = Prediction(
        sample_index=20 * index,
        window_index=index,
        error=error,
        tuned_error=error,
        log_variance=-3.0,
        confidence=0.75,
        loss=0.0,
        score=error / 0.05,
        novelty=0.0,
        predicted=0,
        label=-1,
        anomaly=error > 0.05,
        learned=False,
        fine_tuned=False,
        alarm=False,
        unknown=False,
    )
    return replace(window, **fields)


@pytest.fixture
def model() -> MonitorModel:
    """Of a board that has told nothing yet."""
    return MonitorModel("sim:", identity_of(BUNDLE), LinkHealth())


@pytest.fixture
def busy(model) -> MonitorModel:
    for index in range(300):
        model.pace.saw(model.seen, index / 10)
        model.take(prediction(index, 0.2 if index >= 290 else 0.02, predicted=index >= 275))
    model.asked(INFO, ["normal", "stuck"], {"anomaly.threshold": 0.05})
    model.stale = False
    return model


def text_of(model: MonitorModel, width: int = 80, encoding: str = "utf-8") -> str:
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding, newline="")
    Console(file=file, width=width, color_system=None).print(draw(model))
    file.flush()
    return file.buffer.getvalue().decode(encoding)


# --- the picture ---------------------------------------------------------------------------


def test_it_says_what_a_person_watches_for(busy):
    busy.health.round_trip_ms.extend([1.0, 1.5, 9.0])
    busy.health.repeats = 3
    text = text_of(busy)
    for part in (
        "10.0/s",
        "300 seen",
        "0.2  threshold 0.05, 10% above",
        "stuck  75%",
        "last 100 windows: normal 75%, stuck 25%",
        "2,345 windows, 1,000 steps, 3 gaps, 2 steps skipped",
        "round trip 1.5 ms, 3 repeats, 0 reconnects",
    ):
        assert part in text


def test_label_and_fine_tuning_with_what_is_left(busy):
    assert "label     none" in text_of(busy)
    busy.asked(replace(INFO, label=1, label_left=12, fine_tune_left=1))
    assert "stuck  12 windows left" in text_of(busy)
    assert "fine-tune 1 window left" in text_of(busy)
    busy.asked(replace(INFO, label=1, label_left=None, fine_tune_left=None))
    assert text_of(busy).count("until stopped") == 2


def test_the_newest_windows_are_at_the_right_and_marked_above_the_threshold(busy):
    lines = text_of(busy).splitlines()
    marks = next(line for line in lines if ABOVE in line)
    bars = lines[lines.index(marks) - 1]
    assert marks.rstrip().endswith(ABOVE * 10)
    assert marks.count(ABOVE) == 10
    assert len(marks.rstrip()) == len(bars.rstrip()) == 80
    low, high = bars.rstrip()[-11], bars.rstrip()[-1]
    assert "▁" <= low < high == "█"


@pytest.mark.parametrize("width", [20, 40, 80, 120])
@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_no_line_is_wider_than_the_terminal(busy, width, encoding):
    if encoding == "utf-8":
        busy.classes = ["名前の長いクラス", "\x1b[2J\u202eevil"]
    busy.device = "sim:?source=/a/very/long/path/to/a/recording/that/somebody/made.npz"
    busy.news.append("x" * 200)
    busy.asked(replace(INFO, label=1, label_left=5, fine_tune_left=70_000))
    text = text_of(busy, width, encoding)
    assert max(cell_len(line) for line in text.splitlines()) <= width
    assert "\x1b" not in text
    assert "\u202e" not in text


def test_before_anything_is_known(model):
    text = text_of(model, 40)
    assert "none yet" in text
    assert "no class known" in text


@pytest.mark.parametrize("error", [0.0, 1e-30, 1e30, float("inf"), float("nan")])
def test_errors_of_any_size_can_be_drawn(model, error):
    model.take(prediction(0, error))
    model.take(prediction(1, 0.0))
    model.asked(INFO, ["a", "b"], {"anomaly.threshold": 1e6})
    assert "windows" in text_of(model)


# --- what it knows -------------------------------------------------------------------------


def test_a_change_makes_it_ask_again(busy):
    assert not busy.stale
    busy.take(Changed(Opcode.CLASS_RENAME, False, 9, b""))
    assert busy.stale
    assert "another host: class rename" in text_of(busy)


def test_lost_news_make_it_ask_again(busy):
    busy.take(Lost(2))
    assert busy.stale


def test_more_classes_than_known_make_it_ask_again(busy):
    busy.asked(replace(INFO, n_classes=3))
    assert busy.stale
    assert busy.class_name(2) == "class 2"


def test_the_board_s_own_words_are_shown(busy):
    busy.take(Log(2, 1, "step skipped: \x1b[31mweight limit"))
    assert "warning: step skipped: \\x1b[31mweight limit" in text_of(busy)


def test_pace_is_of_the_last_seconds():
    pace = Pace()
    assert pace.per_s == 0
    for second in range(100):
        pace.saw(10 * second if second < 50 else 490 + 2 * (second - 49), float(second))
    assert pace.per_s == pytest.approx(2)
    assert pace.silent_s == 0
    pace.saw(590, 103.0)
    assert pace.silent_s == pytest.approx(4)


# --- the command ---------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.delenv("TINYOL_DEVICE", raising=False)
    BUNDLE.save("small.tinyol")
    write_recording(in_gravity(recording([(None, 3000)])), "fan.npz")
    return tmp_path


@contextmanager
def program(*words: str, **more):
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = subprocess.Popen([*PROGRAM, "monitor", *words], **{**pipes, **more})
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()


def test_in_a_pipe_each_prediction_is_a_line(capsys):
    assert main(["monitor", "-d", URI, "--seconds", "1"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    windows = [json.loads(line) for line in out.splitlines()]
    assert len(windows) > 5
    first = windows[0]["window"]
    assert [window["window"] for window in windows] == [*range(first, first + len(windows))]
    assert windows[0]["threshold"] is None  # the alarm goes by the distance from normal
    assert windows[0]["predicted"] is None
    assert (windows[0]["score"], windows[0]["anomaly"]) == (0.0, False)  # it settles
    assert not any(window["alarm"] or window["unknown"] for window in windows)


def test_with_the_paper_s_alarm_it_is_the_error_against_the_threshold(capsys):
    where = URI.replace("&state=none", "")
    assert main(["set", "anomaly.detector", "0", "-d", where]) == 0
    capsys.readouterr()
    assert main(["monitor", "-d", where, "--seconds", "1"]) == 0
    first = json.loads(capsys.readouterr().out.splitlines()[0])
    assert first["threshold"] == 5.0
    assert first["anomaly"] == (first["tuned_error"] > 5.0)
    assert first["score"] == pytest.approx(first["tuned_error"] / 5.0)


def test_ctrl_c_ends_it_in_order():
    with program("-d", URI) as process:
        assert json.loads(process.stdout.readline())["window"] >= 0
        process.send_signal(signal.SIGINT)
        rest, err = process.communicate(timeout=10)
    assert (process.returncode, err) == (0, b"")
    assert all(json.loads(line) for line in rest.splitlines())


def test_a_reader_that_has_gone_ends_it():
    with program("-d", URI) as process:
        process.stdout.readline()
        process.stdout.close()
        assert process.wait(10) == 1
        assert process.stderr.read() == b""


def test_on_a_terminal_it_is_a_picture():
    master, slave = pty.openpty()
    try:
        environment = {**os.environ, "COLUMNS": "60", "TERM": "xterm"}
        with program("-d", URI, "--seconds", "0.8", stdout=slave, env=environment) as process:
            os.close(slave)
            seen = b""
            while chunk := _read(master):
                seen += chunk
            assert process.wait(10) == 0
            assert process.stderr.read() == b""
    finally:
        os.close(master)
    assert b"settling" in seen
    assert "▁".encode() in seen


def _read(fd: int) -> bytes:
    try:
        return os.read(fd, 65536)
    except OSError:  # the other end is closed
        return b""


@pytest.mark.parametrize("as_json", [True, False])
def test_a_board_that_goes_is_told(as_json, capsys, monkeypatch):
    class Gone:
        async def __aenter__(self):
            async def events():
                yield prediction(0)
                raise LinkError("the cable was pulled")

            return events()

        async def __aexit__(self, *error):
            return None

    from tinyol_host.board import Board

    monkeypatch.setattr(Board, "stream", lambda self, **wanted: Gone())
    if not as_json:
        monkeypatch.setattr(monitor.sys.stdout, "isatty", lambda: True)
    assert main(["monitor", "-d", URI, *(["--json"] if as_json else [])]) == 1
    out, err = capsys.readouterr()
    assert err.startswith("error: ")
    assert "the cable was pulled" in err
    assert ('"window": 0' in out) == as_json
