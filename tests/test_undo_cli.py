"""`tinyol undo`, and the warnings that name it, over sim: with a small bundle."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest
from cli_runner import PROGRAM, Tinyol, with_small_model

DEVICE = "sim:?model=small.tinyol&speed=50"
STUCK, TILTED = (f"{DEVICE}&source=synth:{mode}" for mode in ("stuck", "tilted"))


@pytest.fixture
def tinyol(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Tinyol:
    with_small_model(tmp_path, monkeypatch, DEVICE)
    return Tinyol(capsys)


def lessons(tinyol: Tinyol) -> dict[str, int]:
    return {row["name"]: row["lessons"] for row in json.loads(tinyol.done("classes", "--json"))}


def test_a_mistake_is_taken_back_by_the_next_command(tinyol: Tinyol) -> None:
    tinyol.done("label", "still", "--add", "--windows", "40", "-d", STUCK)
    status, out, warned = tinyol("label", "wrong", "--add", "--windows", "10", "-d", STUCK)
    assert status == 0
    assert out
    assert warned == ""  # a board that has just been started has seen no window
    assert lessons(tinyol) == {"still": 40, "wrong": 10}
    said = tinyol.done("undo", "--what")
    assert re.fullmatch(
        r"would be taken back: the label wrong, from sample [\d,]+; with it 10 lessons, and what"
        r" \d+ windows since told of normal, alarms and unknown states\n",
        said,
    )
    assert lessons(tinyol) == {"still": 40, "wrong": 10}
    done = tinyol.done("undo")
    assert re.fullmatch(
        r"taken back: the label wrong, from sample [\d,]+; with it 10 lessons\n"
        r"what is normal, alarms and unknown states are as they were \d+ windows ago; nothing is"
        r" under way from sample [\d,]+ on\n",
        done,
    )
    assert lessons(tinyol) == {"still": 40, "wrong": 0}
    assert "nothing to take back: the board remembers one step" in tinyol.refused("undo")
    assert "nothing to take back" in tinyol.refused("undo", "--what")


def test_a_reset_is_taken_back(tinyol: Tinyol) -> None:
    tinyol.done("label", "still", "--add", "--windows", "40", "-d", STUCK)
    tinyol.done("reset", "--yes")
    assert lessons(tinyol) == {}
    said = tinyol.done("undo")
    assert "taken back: the reset, from sample" in said
    assert "nothing was learned since" in said
    assert lessons(tinyol) == {"still": 40}


def test_as_json(tinyol: Tinyol) -> None:
    tinyol.done("set", "anomaly.raise_windows", "1000")
    tinyol.done("fine-tune", "20", "-d", STUCK)
    would = json.loads(tinyol.done("undo", "--what", "--json"))
    assert (would["undone"], would["class"], would["steps"]) == ("fine_tune", None, 20)
    assert would["lessons"] == would["other_changes"] == 0
    done = json.loads(tinyol.done("undo", "--json"))
    assert done.pop("at") == done["asked_at"]
    assert done == would


def test_a_name_cannot_reach_the_terminal_as_a_command(tinyol: Tinyol, tmp_path: Path) -> None:
    """A board refuses such a name; a file beside its state may have any."""
    tinyol.done("label", "still", "--add", "--windows", "4", "-d", STUCK)
    (path,) = (tmp_path / "home").rglob("*.before")
    found = json.loads(path.read_text())
    found["command"]["name"] = "\x1b[2J\u202e[red]x"
    path.write_text(json.dumps(found))
    for out in (tinyol.done("undo", "--what"), tinyol.done("undo")):
        assert "\x1b" not in out
        assert "\u202e" not in out
        assert "[red]x" in out


def test_an_alarm_that_stands_is_warned_of(tinyol: Tinyol) -> None:
    tinyol.done("set", "anomaly.detector", "0")
    tinyol.done("set", "anomaly.threshold", "0.000001")
    tinyol.done("set", "anomaly.clear_windows", "1000")
    tinyol.done("label", "any", "--add", "--windows", "20", "-d", STUCK)
    warning = (
        "warning: an alarm stands: what is learned as normal from now on was just called an"
        " anomaly; if it is one, `tinyol undo` takes it back\n"
    )
    status, out, warned = tinyol("fine-tune", "5", "-d", STUCK)
    assert (status, warned) == (0, warning)
    assert "5 steps taken" in out
    status, out, warned = tinyol("fine-tune", "5", "--json", "-d", STUCK)
    assert (status, warned) == (0, warning)
    assert json.loads(out)["taken"] == 5
    words = ("calibrate", "--windows", "40", "--fine-tune", "0", "--false-alarms", "0.1")
    assert "warning" not in tinyol(*words, "-d", STUCK)[2]  # it does not fine-tune: no lesson
    status, _, warned = tinyol("calibrate", "--windows", "40", "--fine-tune", "4",
                               "--false-alarms", "0.1", "-d", STUCK)  # fmt: skip
    assert (status, warned) == (0, warning)


def test_commands_typed_while_recording_are_warned_of_and_taken_back(
    tinyol: Tinyol,
) -> None:
    tinyol.done("label", "still", "--add", "--windows", "60", "-d", STUCK)
    tinyol.done("label", "other", "--add", "--windows", "60", "-d", TILTED)
    words = ["record", "--session", "-o", "record", "--interactive", "-d", STUCK]
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [*PROGRAM, *words], stdin=pipe, stdout=pipe, stderr=pipe, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None

        def typed(*lines: str) -> str:
            """What is said to the last one, on stdout."""
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write("".join(f"{line}\n" for line in lines))
            process.stdin.flush()
            return process.stdout.readline()

        typed("class weight still 1")
        time.sleep(1.0)  # 500 windows
        assert typed("label-back other 8").startswith("label-back other 8: from sample")
        assert "the late label other is taken back" in typed("undo")
        typed("undo", "class weight still 1")
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
    assert re.search(r"warning: the board is sure that \d+ windows? of these", err)
    assert "error: there is nothing to take back" in err
    assert "identical" in tinyol.done("verify", "record", "--model", "small.tinyol")


def test_it_is_in_the_table_of_contents(tinyol: Tinyol) -> None:
    assert "Take back the last label or fine-tuning." in tinyol.done("--help")
    assert "--what" in tinyol.done("undo", "--help")
