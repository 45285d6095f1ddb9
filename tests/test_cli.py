from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import click
import pytest
from cli_runner import PROGRAM, Tinyol
from small_replay import recording, small_bundle

from tinyol_host.cli import CONTENTS, cli
from tinyol_sim.recordings import write_recording
from tinyol_sim.replay import Plan, replay

ROUNDS = [(label, 100) for _ in range(2) for label in ("normal", "loud")]


@pytest.fixture
def tinyol(tmp_path, monkeypatch, capsys) -> Tinyol:
    monkeypatch.chdir(tmp_path)
    small_bundle().save("small.tinyol")
    write_recording(recording([*ROUNDS, (None, 600)]), "fan.csv")
    return Tinyol(capsys)


def replay_words(*more: str) -> list[str]:
    return ["replay", "fan.csv", "--model", "small.tinyol", *more]


# --- the program ---------------------------------------------------------------------------


def test_help_is_a_table_of_contents(tinyol):
    status, out, err = tinyol("--help")
    assert (status, err) == (0, "")
    for title, section in CONTENTS.items():
        assert f"{title}:" in out
        for name, line in section.items():
            assert re.search(rf"^  {name} +{re.escape(line)}$", out, re.MULTILINE)


@pytest.mark.parametrize("name", [name for section in CONTENTS.values() for name in section])
def test_every_command_is_there_and_has_help(tinyol, name):
    command = cli.get_command(click.Context(cli), name)
    assert command.name == name
    status, out, _ = tinyol(name, "-h")
    assert status == 0
    assert "Usage: tinyol" in out


def test_help_needs_none_of_the_heavy_modules():
    code = (
        "import sys; from tinyol_host.cli import main; main(['--help']);"
        "print([m for m in ('numpy', 'matplotlib', 'rich', 'cffi') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.rstrip().endswith("[]")


def test_replay_without_a_report_does_not_load_matplotlib(tinyol):
    code = (
        f"import sys; from tinyol_host.cli import main; main({replay_words()!r});"
        "print('matplotlib' in sys.modules)"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.rstrip().endswith("False")


def test_version(tinyol):
    status, out, _ = tinyol("--version")
    assert status == 0
    assert re.fullmatch(r"tinyol \d+\.\d+\.\d+\n", out)


@pytest.mark.parametrize(
    "words",
    [
        ["nonsense"],
        ["replay", "--nonsense"],
        ["replay", "--fine-tune", "-1"],
        ["replay", "--fine-tune", "many"],
        ["replay", "--rate-hz", "0"],
        ["replay", "--set", "classifier.learning_rate"],
        ["replay", "--set", "classifier.learning_rate=fast"],
        ["replay", "--set", "classifier.speed=1"],
        ["replay", "--set", "classifier.learn=0"],
        ["replay", "fan.csv", "--label", "a", "--label", "b"],
        ["model", "import", "x.tflite", "-o", "x.tinyol"],
        ["model", "import", "x", "-o", "y", "--rate-hz", "1", "--window", "9", "--scale", "1,2"],
        ["model", "import", "x", "-o", "y", "--rate-hz", "1", "--window", "9", "--taps", "1"],
        ["model", "import", "x", "-o", "y", "--rate-hz", "1", "--window", "9", "--taps", "1,2,-1"],
        ["fine-tune", "9" * 5000],
        ["state", "diff", "one"],
    ],
)
def test_wrong_usage_is_exit_2_and_says_where_help_is(tinyol, words):
    status, out, err = tinyol(*words)
    assert (status, out) == (2, "")
    assert err.startswith("Usage: ")
    assert "Error: " in err


def test_ctrl_c_is_exit_130_and_one_line(tmp_path):
    pipe = tmp_path / "slow.csv"
    os.mkfifo(pipe)
    process = subprocess.Popen([*PROGRAM, "replay", str(pipe)], stderr=subprocess.PIPE, text=True)
    with open(pipe, "w"):  # returns when the program has opened it to read
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
    assert (process.returncode, err) == (130, "interrupted\n")


@pytest.mark.parametrize("more", [[], ["--json"]])
def test_a_reader_that_goes_away_is_nothing_to_complain_about(tinyol, more):
    readable, writable = os.pipe()
    os.close(readable)
    command = [*PROGRAM, *replay_words(*more)]
    done = subprocess.run(command, stdout=writable, stderr=subprocess.PIPE, text=True)
    os.close(writable)
    assert (done.returncode, done.stderr) == (1, "")


# --- replay --------------------------------------------------------------------------------


def test_replay_prints_a_table_and_stays_quiet_in_a_pipe(tinyol):
    status, out, err = tinyol(*replay_words("--learn", "--fine-tune", "20"))
    assert (status, err) == (0, "")
    for text in ("20 steps from 8.0 s", "macro F1", "end of fine-tuning", "after: no label"):
        assert text in out
    table = [line for line in out.splitlines() if not line.startswith("note: ")]
    assert max(map(len, table)) <= 80
    assert not [line for line in out.splitlines() if line != line.rstrip()]


def test_json_is_the_result_and_nothing_else(tinyol):
    words = replay_words("--learn", "--fine-tune", "20", "--json", "--save-state", "s.state")
    status, out, err = tinyol(*words)
    assert (status, err) == (0, "")
    summary = json.loads(out)
    plan = Plan(learn=True, fine_tune=20)
    expected = replay(small_bundle(), [recording([*ROUNDS, (None, 600)])], plan)
    assert Path("s.state").read_bytes() == expected.state
    assert summary["windows"] == len(expected.windows)
    assert summary["classifier"]["confusion"] == expected.metrics.confusion.tolist()
    assert summary["state"]["file"] == "s.state"
    assert "report" not in summary


def test_out_writes_the_report_and_says_where(tinyol):
    status, out, _ = tinyol(*replay_words("--learn", "--out", "deep/out", "--label", "a b"))
    assert status == 0
    assert "report: deep/out/report.html" in out
    names = {path.name for path in Path("deep/out").iterdir()}
    assert {"report.html", "windows.csv", "timeline.png", "error.png"} <= names
    page = Path("deep/out/report.html").read_text(encoding="utf-8")
    assert "--out deep/out --label &#x27;a b&#x27;</pre>" in page


def test_settings_and_state_reach_the_device(tinyol):
    first = replay_words("--learn", "--set", "classifier.learning_rate=0.5", "--save-state", "a")
    assert tinyol(*first)[0] == 0
    status, out, _ = tinyol(*replay_words("--state", "a", "--json"))
    assert status == 0
    summary = json.loads(out)
    assert summary["settings"]["classifier.learning_rate"] == 0.5
    assert summary["classifier"]["steps"] == 0
    assert summary["classifier"]["macro_f1"] > 0


def test_labels_can_be_given_once_or_for_each_recording(tinyol):
    write_recording(recording([(None, 100)], seed=1), "other.csv")
    words = ["replay", "fan.csv", "other.csv", "-m", "small.tinyol", "--learn", "--json"]
    once = json.loads(tinyol(*words, "--label", "x")[1])
    assert [c["name"] for c in once["classifier"]["classes"]] == ["x"]
    each = json.loads(tinyol(*words, "--label", "x", "--label", "y")[1])
    assert [c["name"] for c in each["classifier"]["classes"]] == ["x", "y"]
    none = json.loads(tinyol(*words, "--label", "x", "--label", "-")[1])
    assert [c["name"] for c in none["classifier"]["classes"]] == ["x"]


def test_the_shipped_recording_shows_fine_tuning_and_learning(tinyol):
    status, out, _ = tinyol("replay", "--fine-tune", "400", "--learn", "--json")
    assert status == 0
    summary = json.loads(out)
    errors = {row["group"]: row for row in summary["errors"]}
    drifted = errors["end of fine-tuning"]
    assert drifted["mean_frozen"] > 3 * errors["before: normal"]["mean_frozen"]
    assert drifted["mean_tuned"] < 0.5 * drifted["mean_frozen"]
    assert summary["classifier"]["macro_f1"] > 0.8
    (note,) = summary["notes"]
    assert "the sensor hangs otherwise than it did" in note
    assert "`tinyol calibrate`" in note


def test_a_recording_at_another_rate_is_refused(tinyol):
    write_recording(recording([("normal", 100)], rate_hz=25.0), "slow.csv")
    message = tinyol.refused("replay", "slow.csv", "--model", "small.tinyol")
    assert "slow has 25 Hz" in message
    assert "50 Hz" in message
    message = tinyol.refused("replay", "fan.csv")
    assert "no model ships for 50 Hz, only for 119 and 100 Hz" in message
    assert "50 Hz, not 25 Hz" in tinyol.refused(*replay_words("--rate-hz", "25"))


def test_a_recording_that_is_wrong_is_refused_by_name_and_line(tinyol):
    lines = Path("fan.csv").read_text(encoding="utf-8").splitlines()
    cells = lines[20].split(",")
    bad = [*lines[:20], ",".join([cells[0], "nan", *cells[2:]]), *lines[21:]]
    Path("nan.csv").write_text("\n".join(bad) + "\n", encoding="utf-8")
    assert "nan.csv:21" in tinyol.refused("replay", "nan.csv", "--model", "small.tinyol")
    assert "gone.csv" in tinyol.refused("replay", "gone.csv")
    message = tinyol.refused(*replay_words("--fine-tune", "1", "--fine-tune-from", "noon"))
    assert "'noon'" in message
    assert "normal, loud" in message


def test_a_wrong_bundle_is_refused_by_name(tinyol):
    raw = Path("small.tinyol").read_bytes()
    Path("cut.tinyol").write_bytes(raw[: len(raw) // 2])
    Path("bare.tinyol").write_bytes(small_bundle().tflite)
    for name, says in (
        ("gone.tinyol", "No such file"),
        ("cut.tinyol", "truncated"),
        ("fan.csv", "not a TinyOL bundle"),
        ("bare.tinyol", "tinyol model import"),
    ):
        for words in (["replay", "fan.csv", "--model", name], ["model", "show", name]):
            message = tinyol.refused(*words)
            assert name in message
            assert says in message


def test_a_setting_out_of_range_is_refused(tinyol):
    message = tinyol.refused(*replay_words("--set", "classifier.learning_rate=-1"))
    assert "from 0 to 100" in message


def test_places_that_cannot_be_written_are_refused(tinyol):
    assert "fan.csv" in tinyol.refused(*replay_words("--out", "fan.csv/deep"))
    assert "gone/s" in tinyol.refused(*replay_words("--save-state", "gone/s"))
    assert not list(Path().glob("**/report.html"))


# --- state and model -----------------------------------------------------------------------


def save_states() -> None:
    for name, seed in (("a.state", 0), ("b.state", 1)):
        plan = Plan(learn=True, fine_tune=3, fine_tune_from="start")
        result = replay(small_bundle(), [recording([("normal", 200)], seed=seed)], plan)
        Path(name).write_bytes(result.state)


def test_state_diff(tinyol):
    save_states()
    Path("c.state").write_bytes(Path("a.state").read_bytes())
    status, out, _ = tinyol("state", "diff", "a.state", "c.state")
    assert status == 0
    assert out.startswith("the same")
    status, out, err = tinyol("state", "diff", "a.state", "b.state")
    assert (status, err) == (1, "")
    assert re.fullmatch(r"different: statistics\.mean\[0\]: \S+ \(0x\w+\) against .*\n", out)
    status, out, err = tinyol("state", "diff", "--json", "a.state", "b.state")
    assert (status, err) == (1, "")
    told = json.loads(out)
    assert not told["identical"]
    assert told["difference"].startswith("statistics.mean[0]: ")
    same = json.loads(tinyol.done("state", "diff", "--json", "a.state", "a.state"))
    assert same == {"identical": True, "difference": None}


def test_state_show(tinyol):
    save_states()
    status, out, _ = tinyol("state", "show", "a.state")
    assert status == 0
    assert re.search(r"^classes\.names +normal *$", out, re.MULTILINE)
    whole = json.loads(tinyol("state", "show", "a.state", "--json")[1])
    assert whole["model_id"] == small_bundle().model_id
    assert len(whole["reconstruction.weights"]) == 12
    assert len(whole["reconstruction.weights"][0]) == 7
    assert whole["reconstruction.steps"] == 3


def test_state_show_names_the_features(tinyol):
    save_states()
    out = tinyol("state", "show", "a.state")[1]
    assert re.search(r"^statistics \[6\] +mean \S+, variance \S+$", out, re.MULTILINE)
    assert "metrics.quantile_0.99.heights" in out
    out = tinyol("state", "show", "a.state", "-m", "small.tinyol")[1]
    for name in ("embedding[2]", "log_error", "axis_log_variance[2]"):
        assert f"statistics {name} " in out
    small_bundle(seed=1).save("other.tinyol")
    message = tinyol.refused("state", "show", "a.state", "-m", "other.tinyol")
    assert small_bundle().model_id in message


def test_a_file_that_is_written_over_is_said_to_be(tinyol):
    for words in (["data", "convert", "fan.csv", "x.npz"], ["synth", "normal", "-o", "fan.npz"]):
        assert "replaced" not in tinyol(*words)[1]
        assert ": replaced, " in tinyol(*words)[1]


def test_a_damaged_state_is_refused(tinyol):
    save_states()
    raw = bytearray(Path("a.state").read_bytes())
    raw[len(raw) // 2] ^= 1
    Path("bad.state").write_bytes(raw)
    for words in (
        ["state", "show", "bad.state"],
        ["state", "diff", "a.state", "bad.state"],
        replay_words("--state", "bad.state"),
    ):
        assert "damaged" in tinyol.refused(*words)
    for words in (["state", "show", "gone"], replay_words("--state", "gone")):
        assert "gone: cannot be read" in tinyol.refused(*words)


def test_model_show(tinyol):
    status, out, _ = tinyol("model", "show", "small.tinyol")
    assert status == 0
    assert out.startswith("small.tinyol\n")
    assert re.search(r"^net +12-7-3-7-12, fully connected, int8; [\d,]+ bytes", out, re.MULTILINE)
    assert re.search(r"^made_by +<b>tests</b>$", out, re.MULTILINE)
    assert "alarm           by the distance from normal, which a board learns first\n" in out
    shipped = tinyol("model", "show")[1]
    assert shipped.startswith("fan-119hz.tinyol, shipped\n")
    assert "normal windows of 7 recordings" in shipped
    assert len(shipped.splitlines()) < 20
    facts = json.loads(tinyol("model", "show", "small.tinyol", "--json")[1])
    assert facts["model_id"] == small_bundle().model_id
    assert facts["pipeline"]["window_len"] == 12
    assert facts["fine_tuned_layer"] == {"inputs": 7, "outputs": 12}


def test_model_import_makes_a_bundle_that_replays(tinyol):
    Path("foreign.tflite").write_bytes(small_bundle().tflite)
    words = ["model", "import", "foreign.tflite", "--rate-hz", "50", "--window", "12"]
    more = ["--hop", "5", "--scale", "2", "--max-classes", "4", "-o", "made.tinyol"]
    status, out, _ = tinyol(*words, *more)
    assert status == 0
    assert small_bundle().model_id in out
    assert tinyol("replay", "fan.csv", "--model", "made.tinyol")[0] == 0


def test_model_import_refuses_what_does_not_fit(tinyol):
    Path("foreign.tflite").write_bytes(small_bundle().tflite)
    for file, window, says in (
        ("foreign.tflite", "13", "takes 12 values"),
        ("fan.csv", "12", "not a .tflite"),
        ("gone", "12", "cannot be read"),
    ):
        words = ["model", "import", file, "-o", "x", "--rate-hz", "50", "--window", window]
        message = tinyol.refused(*words)
        assert file in message
        assert says in message
    assert not Path("x").exists()
