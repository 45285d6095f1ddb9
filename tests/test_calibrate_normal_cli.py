"""`tinyol calibrate` on the device, over sim: with a bundle that a test can wait for."""

from __future__ import annotations

import json
import re
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
from cli_runner import PROGRAM, Tinyol, with_small_model

from tinyol_host import silence

DEVICE = "sim:?model=small.tinyol&speed=50"  # 500 windows a second


@pytest.fixture
def tinyol(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Tinyol:
    with_small_model(tmp_path, monkeypatch, DEVICE)
    return Tinyol(capsys)


def watch(tinyol: Tinyol) -> dict[str, Any]:
    facts: dict[str, Any] = json.loads(tinyol.done("info", "--json"))["watch"]
    return facts


def test_it_says_what_is_normal_now_and_what_was(tinyol: Tinyol) -> None:
    assert watch(tinyol)["normal_windows"] == 0
    lines = tinyol.done("calibrate", "--windows", "60").splitlines()
    assert lines[0] == "calibrating: watching 60 windows, about 1 s; Ctrl-C ends it"
    assert re.fullmatch(
        r"normal is what the last 60 windows \(6\.0 s\) were, from sample [\d,]+ on", lines[1]
    )
    assert lines[2].split() == ["before", "now"]
    rows = {line[:12].strip(): line.split()[-2:] for line in lines[3:7]}
    assert rows["windows"][0] == "0"
    assert int(rows["windows"][1]) >= 60
    now = watch(tinyol)
    assert now["normal_windows"] >= 60
    assert now["limit"] > 0
    assert now["calibration_windows_left"] == 0
    again = tinyol.done("calibrate", "--windows", "60")
    assert re.search(r"^windows +[\d,]+ +[\d,]+$", again, re.MULTILINE)


def test_seconds_are_windows_at_the_model_s_pace(tinyol: Tinyol) -> None:
    assert "watching 80 windows" in tinyol.done("calibrate", "--seconds", "8")  # 50 Hz, hop 5


def test_json_and_fine_tuning_before_it(tinyol: Tinyol) -> None:
    facts = json.loads(
        tinyol.done(
            "calibrate", "--windows", "50", "--fine-tune", "40", "--false-alarms", "0.02", "--json"
        )
    )
    assert (facts["windows"], facts["steps"], facts["steps_skipped"]) == (50, 40, 0)
    assert facts["before"]["error"] is None
    assert facts["after"]["windows"] >= 50
    assert facts["after"]["error"] > 0
    settings = json.loads(tinyol.done("set", "--json"))
    assert settings["anomaly.false_rate"]["value"] == pytest.approx(0.02)
    tuned = json.loads(tinyol.done("info", "--json"))["learned"]["reconstruction"]
    assert tuned["applied"] == 40


def test_what_it_taught_elsewhere_is_to_be_taught_anew(tinyol: Tinyol) -> None:
    assert "relearn" not in tinyol.done("calibrate", "--windows", "30")  # no class, no advice
    tinyol.done("label", "still", "--add", "--windows", "40", "-d", f"{DEVICE}&source=synth:stuck")
    words = ("calibrate", "--windows", "60", "-d", f"{DEVICE}&source=synth:tilted")
    status, strange, warned = tinyol(*words)
    assert status == 0
    assert warned.startswith("warning: an alarm stands: what is learned as normal")
    found = re.search(r"note: (\d+)% of these windows fit no class.* For each of still:", strange)
    assert found is not None
    assert int(found[1]) > 20
    assert "`tinyol relearn NAME --seconds 10`" in strange
    tinyol.done("relearn", "still", "-d", f"{DEVICE}&source=synth:tilted")
    familiar = tinyol.done("calibrate", "--windows", "60", "-d", f"{DEVICE}&source=synth:tilted")
    assert "note: it took these windows for still 100%" in familiar


def test_wrong_usage(tinyol: Tinyol) -> None:
    for words, says in (
        (("--windows", "29"), "29 windows are too few .* takes 30 or more"),
        (("--seconds", "1"), "10 windows are too few"),
        (("--seconds", "1", "--windows", "40"), "exclude"),
        (("--seconds", "nan"), "not a number"),
        (("--false-alarms", "0.3"), "anomaly.false_rate is from 0.0001 to 0.2"),
        (("--false-alarms", "nan"), "not a number"),
        (("--fine-tune", "-1"), "-1"),
        (("--stop", "--windows", "40"), "alone"),
    ):
        status, out, err = tinyol("calibrate", *words)
        assert (status, out) == (2, ""), words
        assert re.search(says, err)
    assert watch(tinyol)["normal_windows"] == 0


def test_nobody_feeds_it(tinyol: Tinyol, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(silence, "SILENCE_S", 0.1)
    said = tinyol.refused("calibrate", "--json", "-d", f"{DEVICE}&source=none")
    assert "nobody feeds it; what was normal before still stands" in said


def test_none_to_end(tinyol: Tinyol) -> None:
    assert "calibrating: off from sample 0 on" in tinyol.done("calibrate", "--stop")
    assert json.loads(tinyol.done("calibrate", "--stop", "--json")) == {"at": 0}


def test_a_board_that_is_being_fine_tuned_is_left_alone(
    tinyol: Tinyol, monkeypatch: pytest.MonkeyPatch
) -> None:
    import tinyol_host.board

    connect = tinyol_host.board.connect

    async def connect_and_tune(uri: str | None = None, **how: Any) -> tinyol_host.board.Board:
        board = await connect(uri, **how)
        await board.fine_tune(None)
        return board

    monkeypatch.setattr(tinyol_host.board, "connect", connect_and_tune)
    status, _, err = tinyol("calibrate", "--windows", "40")
    assert status == 1
    assert "end that with `tinyol fine-tune off`" in err


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("tuning", [False, True])
def test_told_to_end_the_board_keeps_what_was_normal(
    tinyol: Tinyol, number: signal.Signals, status: int, tuning: bool
) -> None:
    tinyol.done("calibrate", "--windows", "40")
    before = watch(tinyol)
    words = ["calibrate", "--windows", "100000", *(["--fine-tune", "100000"] if tuning else [])]
    with subprocess.Popen(
        [*PROGRAM, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("calibrating: ")
        process.send_signal(number)
        out, err = process.communicate()
    assert (process.returncode, out) == (status, "")
    left, ended = err.splitlines()
    steps = r"; [\d,]+ fine-tuning steps? of it stay" if tuning else ""
    assert re.fullmatch(rf"stopped; what was normal before still stands{steps}", left)
    assert ended in ("interrupted", "terminated")
    after = watch(tinyol)
    # Normal windows go on teaching what is normal once it has ended.
    assert after["normal_windows"] >= before["normal_windows"]
    assert after["normal_error"] == pytest.approx(before["normal_error"], rel=0.5)
    assert (after["calibration_steps_left"], after["calibration_windows_left"]) == (0, 0)
    learned = json.loads(tinyol.done("info", "--json"))["learned"]
    assert learned["fine_tuning_steps_left"] == 0
