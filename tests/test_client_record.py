from __future__ import annotations

import asyncio
import json
import os
import pty
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from small_replay import RATE_HZ, in_gravity, recording, small_bundle

from tinyol_host import board as board_module
from tinyol_host.board import connect
from tinyol_host.cli import main
from tinyol_host.cli.record import record
from tinyol_host.cli.record_target import summary
from tinyol_host.errors import LinkError
from tinyol_host.live_recording import LiveRecording
from tinyol_host.protocol import EventType, Kind
from tinyol_host.timing import Timing
from tinyol_host.transports.sim import SimTransport
from tinyol_host.verify import verify_session
from tinyol_sim.commands import AddClass, FineTune, Label, Reset, apply_to_twin
from tinyol_sim.errors import DeviceError, RecordingError
from tinyol_sim.recordings import read_recording, write_recording
from tinyol_sim.session_record import SessionRecord
from tinyol_sim.twin import Twin

PROGRAM = [sys.executable, "-c", "import sys; from tinyol_host.cli import main; sys.exit(main())"]
BUNDLE = small_bundle()
STREAM = in_gravity(recording([(None, 3000)]))
URI = "sim:?model=small.tinyol&source=fan.npz&state=none&speed={speed}"
FAST, LEISURELY = URI.format(speed=40), URI.format(speed=4)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.delenv("TINYOL_DEVICE", raising=False)
    BUNDLE.save("small.tinyol")
    write_recording(STREAM, "fan.npz")
    return tmp_path


@pytest.fixture
def tinyol(capsys):
    def call(*words: str) -> tuple[int, str, str]:
        status = main(["record", *words])
        out, err = capsys.readouterr()
        assert "Traceback" not in out + err
        return status, out, err

    return call


@contextmanager
def program(*words: str, **more):
    """`tinyol record` as a process with pipes."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = subprocess.Popen([*PROGRAM, "record", *words], text=True, **{**pipes, **more})
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()


def is_part_of_the_stream(samples: np.ndarray) -> bool:
    """Whether they follow one another in what was fed, which is fed in turns."""
    twice = np.concatenate([STREAM.samples, STREAM.samples])
    starts = np.flatnonzero((twice[: len(STREAM.samples)] == samples[0]).all(axis=1))
    return any(twice[at : at + len(samples)].tobytes() == samples.tobytes() for at in starts)


# --- recordings ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["run.csv", "run.npz", "run.json"])
def test_seconds_of_signal_in_the_format_of_the_suffix(tinyol, name):
    status, out, err = tinyol("-o", name, "-d", FAST, "--seconds", "8")
    assert (status, err) == (0, "")
    assert out == f"{name}: 400 samples, 8.0 s, 0 gaps\n"
    found = read_recording(name, label=None if name != "run.json" else "x")
    assert found.n_samples == 400
    assert found.rate_hz == RATE_HZ
    if name != "run.json":
        assert is_part_of_the_stream(found.samples)
        assert found.label_names == ()


def test_a_label_from_the_start(tinyol):
    status, out, _ = tinyol("-o", "a.npz", "-d", FAST, "--seconds", "4", "--label", "half stuck")
    found = read_recording("a.npz")
    assert (status, found.label_names) == (0, ("half stuck",))
    assert (found.labels == 0).all()
    assert "labels half stuck" in out


def test_what_the_command_labelled_ends_with_it(tinyol):
    device = FAST.replace("state=none", "state=kept.state")
    assert tinyol("-o", "a.npz", "-d", device, "--seconds", "4", "--label", "a")[0] == 0
    twin = Twin(BUNDLE)
    twin.load("kept.state")
    assert twin.classes == ["a"]
    learned = twin.counters()["classifier_steps"]
    assert 0 < learned <= 4 * RATE_HZ + 400
    assert tinyol("-o", "b.npz", "-d", device, "--seconds", "4")[0] == 0
    again = Twin(BUNDLE)
    again.load("kept.state")
    assert again.counters()["classifier_steps"] == learned


def test_a_gap_of_the_source_is_a_gap_of_the_recording(tinyol):
    write_recording(recording([(None, 100)]), "fan.npz")
    status, out, _ = tinyol("-o", "a.npz", "-d", FAST, "--seconds", "10", "--json")
    facts = json.loads(out)
    found = read_recording("a.npz")
    assert status == 0
    assert facts["gaps"] == len(found.gaps) >= 4
    assert np.diff(found.gaps).tolist() == [100] * (len(found.gaps) - 1)
    assert (facts["samples"], facts["lost_samples"]) == (500, 0)


def test_gaps_that_the_format_cannot_hold_cost_nothing_recorded(tinyol):
    write_recording(recording([(None, 100)]), "fan.npz")
    status, _, err = tinyol("-o", "a.json", "-d", FAST, "--seconds", "6")
    assert status == 1
    assert "a.npz instead" in err
    assert read_recording("a.npz").n_samples == 300
    assert not Path("a.json").exists()


# --- refusals ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["-o", "fan.npz"], "is there already; --force"),
        (["-o", "a.txt"], "suffix must be"),
        (["-o", "nowhere/a.csv"], "no such folder"),
        (["-o", "s", "--session"], "not empty; --force"),
        (["-o", "fan.npz", "--session"], "is a file; a session is a folder"),
        (["-o", "b.csv"], "b.labels.csv is there"),
        (["-o", "a.csv", "--label", "x" * 16], "at most 15 fit"),
    ],
)
def test_what_could_not_be_written_is_not_recorded(tinyol, words, reason):
    Path("s").mkdir()
    Path("s/note.txt").write_text("mine")
    Path("b.labels.csv").write_text("start_s,stop_s,label\n0,1,a\n")
    before = sorted(Path().rglob("*"))
    status, out, err = tinyol(*words, "-d", "sim:?model=no-such-file-is-opened")
    assert (status, out) == (1, "")
    assert reason in err
    assert sorted(Path().rglob("*")) == before


@pytest.mark.parametrize("seconds", ["0", "-1", "nan", "inf", "x"])
def test_seconds_that_are_none(tinyol, seconds):
    assert tinyol("-o", "a.csv", f"--seconds={seconds}")[0] == 2


def test_force_replaces(tinyol):
    write_recording(recording([("a", 5)]), "a.csv")
    assert tinyol("-o", "a.csv", "-d", FAST, "--seconds", "2", "--force")[0] == 0
    assert read_recording("a.csv").n_samples == 100


def test_a_class_too_many_is_said_and_nothing_is_written(tinyol):
    small_bundle(max_classes=1).save("small.tinyol")
    device = FAST.replace("state=none", "state=kept.state")
    assert tinyol("-o", "a.npz", "-d", device, "--seconds", "1", "--label", "a")[0] == 0
    status, out, err = tinyol("-o", "b.npz", "-d", device, "--seconds", "1", "--label", "b")
    assert (status, out) == (1, "")
    assert "all 1 classes" in err
    assert not Path("b.npz").exists()


# --- a person beside it --------------------------------------------------------------------


def test_commands_through_a_pipe():
    with program("-o", "a.npz", "-d", LEISURELY, "-i", "--json") as process:
        assert process.stdin is not None
        assert process.stdout is not None
        said = []
        for line in ("class add tilted", "label tilted 3", "# a note", "label-back tilted 1"):
            process.stdin.write(line + "\n")
            process.stdin.flush()
            if not line.startswith("#"):
                said.append(json.loads(process.stdout.readline()))
                time.sleep(0.2)
        process.stdin.write("label nobody\nnonsense\nset no.such 1\n")
        process.stdin.close()
        assert process.stderr is not None
        errors = [process.stderr.readline() for _ in range(3)]
        process.send_signal(signal.SIGINT)
        facts = json.loads(process.stdout.read())
        assert process.wait(10) == 0
    assert [entry["command"] for entry in said] == [
        "class add tilted",
        "label tilted 3",
        "label-back tilted 1",
    ]
    assert all(error.startswith("error: ") for error in errors)
    assert "no class 'nobody'; known: tilted" in errors[0]
    found = read_recording("a.npz")
    assert facts["samples"] == found.n_samples
    assert found.label_names == ("tilted",)
    first = int(np.flatnonzero(found.labels >= 0)[0])
    assert first <= said[1]["at"]  # or earlier, by the late label
    assert found.labels[said[1]["at"]] == 0


def test_commands_from_a_terminal():
    master, slave = pty.openpty()
    try:
        with program("-o", "a.npz", "-d", LEISURELY, "-i", stdin=slave) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            assert "Ctrl-C" in process.stderr.readline()
            os.write(master, b"class add a\n\n")
            assert process.stdout.readline().startswith("class add a: from sample ")
            assert "/s" in process.stderr.readline()
            time.sleep(0.2)  # for samples
            process.send_signal(signal.SIGINT)
            assert process.wait(10) == 0
    finally:
        os.close(master)
        os.close(slave)
    assert Path("a.npz").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_recording_and_saves_it(number):
    with program("-o", "a.csv", "-d", LEISURELY, "-i") as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write("class add a\n")
        process.stdin.flush()
        process.stdout.readline()  # it records
        time.sleep(0.2)
        process.send_signal(number)
        out, err = process.communicate(timeout=10)
        assert (process.returncode, err) == (0, "")
    assert f"a.csv: {read_recording('a.csv').n_samples} samples" in out
    assert is_part_of_the_stream(read_recording("a.csv").samples)


def test_a_second_ctrl_c_aborts(monkeypatch):
    code = (
        "import asyncio, sys; from tinyol_host.live_recording import LiveRecording;"
        "LiveRecording.finish = lambda self: asyncio.sleep(60);"
        "from tinyol_host.cli import main; sys.exit(main())"
    )
    monkeypatch.setattr(sys.modules[__name__], "PROGRAM", [sys.executable, "-c", code])
    with program("-o", "a.csv", "-d", LEISURELY, "-i") as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write("class add a\n")
        process.stdin.flush()
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=10)
        assert (process.returncode, err) == (130, "interrupted\n")
    assert not Path("a.csv").exists()


@pytest.mark.parametrize("session", [True, False])
def test_a_link_that_is_lost_costs_nothing_recorded(tinyol, monkeypatch, session):
    received, receive = 0, SimTransport.receive

    async def receive_some(self):
        nonlocal received
        received += 1
        if received > 150:
            monkeypatch.setattr(SimTransport, "open", receive_some)
            raise LinkError("the cable was pulled")
        return await receive(self)

    monkeypatch.setattr(SimTransport, "receive", receive_some)
    monkeypatch.setattr(board_module, "Timing", lambda: Timing(reply_s=0.05, give_up_s=0.1))
    target = ["-o", "s", "--session"] if session else ["-o", "a.npz"]
    status, out, err = tinyol(*target, "-d", FAST, "--seconds", "1000")
    assert status == 1
    assert "the cable was pulled" in err
    assert "is saved in" in err
    if session:
        assert "this session cannot be verified" in out
        assert SessionRecord.load("s").n_samples > 100
    else:
        assert is_part_of_the_stream(read_recording("a.npz").samples)


def test_samples_that_get_lost_are_counted_and_make_a_gap(tinyol, monkeypatch):
    events, receive = 0, SimTransport.receive

    async def receive_most(self):
        nonlocal events
        while True:
            message = await receive(self)
            if message[1] == Kind.EVENT and message[2] == EventType.SAMPLES:
                events += 1
                if events in (10, 11):
                    continue
            return message

    monkeypatch.setattr(SimTransport, "receive", receive_most)
    words = ["-d", FAST, "--seconds", "8", "--json"]
    status, out, _ = tinyol("-o", "a.npz", *words)
    facts = json.loads(out)
    found = read_recording("a.npz")
    assert status == 0
    assert facts["lost_samples"] == 400 - found.n_samples
    assert 0 < facts["lost_samples"] <= 16
    assert len(found.gaps) == 1
    assert "got lost on the way" in summary(facts)
    events = 0
    status, out, _ = tinyol("-o", "s", "--session", *words)
    facts = json.loads(out)
    assert not facts["verifiable"]
    with pytest.raises(RecordingError, match="not complete"):
        verify_session(SessionRecord.load("s"), BUNDLE)


def test_nothing_recorded_is_an_error(tinyol, monkeypatch):
    monkeypatch.setattr(sys.modules[record.callback.__module__], "_SILENCE_S", 0.2)
    device = FAST.replace("source=fan.npz", "source=none")
    status, out, err = tinyol("-o", "a.csv", "-d", device, "--seconds", "5")
    assert (status, out) == (1, "")
    assert "no samples for 0.2 s" in err
    assert not Path("a.csv").exists()


# --- sessions ------------------------------------------------------------------------------


def test_a_session_ends_as_the_twin_does(tinyol):
    status, out, err = tinyol("-o", "s", "--session", "-d", FAST, "--seconds", "20", "--label", "a")
    assert (status, err) == (0, "")
    assert "`tinyol verify s`" in out
    record = SessionRecord.load("s")
    assert record.n_samples >= 1000
    assert record.commands[-1][1] == Label(None)
    twin = Twin(BUNDLE)
    twin.state = record.start
    steps = [*record.commands, (record.n_samples, None)]
    at = 0
    for index, command in steps:  # the twin, by hand
        inside = record.gaps[(record.gaps >= at) & (record.gaps < index)] - at
        twin.feed(record.samples[at:index], gaps=inside)
        at = index
        if command is not None:
            apply_to_twin(command, twin)
    assert twin.state == record.end
    assert twin.counters()["classifier_steps"] > 50
    assert verify_session(record, BUNDLE).identical


def test_a_session_is_not_overwritten_without_force(tinyol):
    words = ["-o", "s", "--session", "-d", FAST, "--seconds", "2"]
    assert tinyol(*words)[0] == 0
    first = SessionRecord.load("s")
    assert tinyol(*words)[0] == 1
    assert SessionRecord.load("s").samples.tobytes() == first.samples.tobytes()
    assert tinyol(*words, "--force")[0] == 0
    assert verify_session(SessionRecord.load("s"), BUNDLE).identical


def live_session(work, **options) -> tuple[LiveRecording, SessionRecord]:
    """A session through the Python API: `work(board, live)` while it records."""

    async def whole():
        async with await connect(FAST, **options) as board:
            async with LiveRecording(board, session=True) as live:
                await work(board, live)
                await live.finish()
            assert live.start is not None
            return live, live.recorder.to_session(live.start.image, live.end_image)

    return asyncio.run(whole())


def test_a_reset_in_the_middle_of_a_session():
    async def work(board, live):
        async with board.feeding() as feeding:
            await feeding.feed(STREAM.samples[:203])
            await live.execute(AddClass("a"))
            await live.execute(Label("a"))
            await feeding.feed(STREAM.samples[203:509])
            await live.execute(Reset())
            await feeding.feed(STREAM.samples[509:600], gap=True)
            effect = await live.execute(FineTune(20))
            assert effect.at == 600
            await feeding.feed(STREAM.samples[600:777])

    live, record = live_session(work, source=False)
    assert live.error is None
    assert record.lost == ()
    assert record.samples.tobytes() == STREAM.samples[:777].tobytes()
    assert verify_session(record, BUNDLE).difference is None


def test_feeding_by_the_program_itself_with_every_kind_of_gap():
    async def work(board, live):
        for start in (0, 100, 101):
            async with board.feeding() as feeding:
                await feeding.feed(STREAM.samples[start : start + 37], gap=True)
                await feeding.feed([[np.nan, 0, 0]])
                await feeding.feed(STREAM.samples[start : start + 25])

    _, record = live_session(work, source=False)
    assert record.lost == ()
    assert record.n_samples == 3 * 63
    assert verify_session(record, BUNDLE).difference is None


def test_a_refused_command_leaves_no_trace():
    async def work(board, live):
        with pytest.raises(DeviceError, match="nobody"):
            await live.execute(Label("nobody"))
        async with board.feeding() as feeding:
            await feeding.feed(STREAM.samples[:50])

    _, record = live_session(work, source=False)
    assert not [command for _, command in record.commands if isinstance(command, Label)]
    assert verify_session(record, BUNDLE).identical
