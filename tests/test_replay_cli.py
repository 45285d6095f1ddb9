"""`tinyol replay`: calibrating, presets, and what it prints of what the device noticed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cli_runner import Tinyol
from small_replay import recording, small_bundle

from tinyol_sim.presets import PRESETS
from tinyol_sim.recordings import write_recording


@pytest.fixture
def tinyol(capsys: pytest.CaptureFixture[str]) -> Tinyol:
    return Tinyol(capsys)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder: Path = tmp_path_factory.mktemp("replayed")
    small_bundle().save(folder / "small.tinyol")
    parts = [("normal", 1000), ("loud", 300), ("normal", 300)]
    write_recording(recording(parts), folder / "fan.npz")
    return [str(folder / "fan.npz"), "-m", str(folder / "small.tinyol")]


def test_it_calibrates_behind_the_fine_tuning(tinyol: Tinyol, files: list[str]) -> None:
    words = ["replay", *files, "--fine-tune", "20", "--fine-tune-from", "start"]
    summary = json.loads(tinyol.done(*words, "--calibrate", "40", "--json"))
    (done,) = [notice for notice in summary["notices"] if notice["kind"] == "calibrated"]
    hop_s, window_s = 5 / 50, 12 / 50
    assert done["from_s"] == pytest.approx(window_s + 59 * hop_s - 1 / 50)
    assert summary["fine_tuning"]["calibrate_left"] == 0
    assert "calibrated" not in tinyol.done(*words)


def test_what_was_noticed_is_a_table(tinyol: Tinyol, files: list[str]) -> None:
    printed = tinyol.done("replay", *files, "--learn")
    summary = json.loads(tinyol.done("replay", *files, "--learn", "--json"))
    alarms = [notice for notice in summary["notices"] if notice["kind"] == "alarm"]
    assert len(alarms) >= 1
    loud_s = (1000 / 50, 1300 / 50)
    assert loud_s[0] < alarms[0]["from_s"] < loud_s[1]
    assert f"alarm {alarms[0]['from_s']:.1f} s" in " ".join(printed.split())
    assert "noticed" in printed


def test_the_preset_gives_way_to_what_is_set_beside_it(tinyol: Tinyol, files: list[str]) -> None:
    words = ["replay", *files, "--learn", "--json", "--preset", "paper"]
    in_force = json.loads(tinyol.done(*words))["settings"]
    expected = PRESETS["paper"].settings
    assert {name: in_force[name] for name in expected} == expected
    turned = json.loads(tinyol.done(*words, "--set", "classifier.head=1"))["settings"]
    assert turned["classifier.head"] == 1.0
    assert turned["anomaly.detector"] == 0.0


@pytest.mark.parametrize("words", [["--calibrate", "29"], ["--preset", "best"]])
def test_wrong_usage(tinyol: Tinyol, files: list[str], words: list[str]) -> None:
    status, out, err = tinyol("replay", *files, *words)
    assert (status, out) == (2, "")
    assert words[0] in err
