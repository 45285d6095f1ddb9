"""`tinyol calibrate` with the paper's fixed threshold, over sim: with a bundle that a test can wait
for.
"""

from __future__ import annotations

import json
import re
import signal
import subprocess
from pathlib import Path

import pytest
from cli_runner import PROGRAM, Tinyol, with_small_model

from tinyol_host import silence

DEVICE = "sim:?model=small.tinyol&speed=50"  # 500 windows a second
SHORT = ("--fine-tune", "40", "--windows", "60", "--false-alarms", "0.05")


@pytest.fixture
def tinyol(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Tinyol:
    with_small_model(tmp_path, monkeypatch, DEVICE)
    run = Tinyol(capsys)
    run.done("set", "anomaly.detector", "0")
    return run


def threshold(tinyol: Tinyol) -> float:
    value = json.loads(tinyol.done("set", "anomaly.threshold", "--json"))
    return float(value["anomaly.threshold"]["value"])


def test_before_and_after(tinyol: Tinyol) -> None:
    lines = tinyol.done("calibrate", *SHORT).splitlines()
    assert lines[0] == (
        "calibrating: fine-tuning over 40 windows, then watching 60 windows, about 1 s; Ctrl-C"
        " ends it"
    )
    found = re.fullmatch(r"anomaly.threshold: ([\d.]+) from sample [\d,]+ on, before 5", lines[1])
    assert found is not None
    assert threshold(tinyol) == pytest.approx(float(found[1]), rel=1e-3)
    assert re.fullmatch(r" +mean error +threshold +windows above it", lines[2])
    rows = [re.split(r" {2,}", line) for line in lines[3:6]]
    assert [row[0] for row in rows] == [
        "as it was, the same windows",
        "after 40 steps",
        "calibrated",
    ]
    assert [row[2] for row in rows] == ["5", "5", found[1]]
    assert rows[2][3] == "2 of 60 (3.3%)"
    assert re.match(r"expected above it: 4.92% of the next normal windows; ", lines[6])


def test_json(tinyol: Tinyol) -> None:
    facts = json.loads(tinyol.done("calibrate", *SHORT, "--json"))
    assert facts["threshold"] == pytest.approx(threshold(tinyol))
    assert (facts["steps"], facts["windows"], facts["rank"]) == (40, 60, 3)
    assert facts["expected_share"] == 3 / 61
    assert facts["likely_share"][0] < facts["expected_share"] < facts["likely_share"][1]
    assert facts["before_by_the_frozen_net"] is True
    assert facts["after"]["above"] == 2
    assert facts["fine_tuned"]["threshold"] == facts["before"]["threshold"] == 5
    facts = json.loads(tinyol.done("calibrate", "--json", *SHORT, "--fine-tune", "0"))
    assert (facts["steps"], facts["before"]) == (0, None)


def test_wrong_usage(tinyol: Tinyol) -> None:
    for words, says in (
        (("--windows", "98"), "98 windows cannot tell .*0.01 .* takes 99 or more, better 500"),
        (("--windows", "1", "--false-alarms", "0.5"), "1 window cannot tell .* takes 2 or more"),
        (("--false-alarms", "0"), "0"),
        (("--false-alarms", "nan"), "number"),
        (("--fine-tune", "-1"), "-1"),
    ):
        status, out, err = tinyol("calibrate", *words)
        assert (status, out) == (2, "")
        assert re.search(says, err)
    assert threshold(tinyol) == 5


def test_nobody_feeds_it(tinyol: Tinyol, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(silence, "SILENCE_S", 0.1)
    said = tinyol.refused("calibrate", "--json", "-d", f"{DEVICE}&source=none")
    assert "nobody feeds it; anomaly.threshold is as it was, 5; fine-tuning is off" in said


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_told_to_end_it_says_how_the_board_is_left(
    tinyol: Tinyol, number: signal.Signals, status: int
) -> None:
    words = ["calibrate", "--fine-tune", "100000"]
    with subprocess.Popen(
        [*PROGRAM, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("calibrating: ")
        process.send_signal(number)
        out, err = process.communicate()
    assert (process.returncode, out) == (status, "")
    left, ended = err.splitlines()
    assert re.fullmatch(
        r"stopped; anomaly.threshold is as it was, 5; fine-tuning is off, [\d,]+ steps? of it stay",
        left,
    )
    assert ended in ("interrupted", "terminated")
    assert threshold(tinyol) == 5
    learned = json.loads(tinyol.done("info", "--json"))["learned"]
    assert learned["fine_tuning_steps_left"] == 0
