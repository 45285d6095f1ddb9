"""The commands that talk to a board, over sim: with a bundle that a test can wait for."""

from __future__ import annotations

import io
import json
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cli_runner import PROGRAM, Tinyol
from small_replay import HOP, RATE_HZ, WINDOW_LEN, small_bundle

import tinyol_host.board
import tinyol_host.scan
from tinyol_host.cli import asking
from tinyol_host.ports import Port
from tinyol_host.replies import SelfTest
from tinyol_sim.state_image import StateImage
from tinyol_sim.synth import synthesize
from tinyol_sim.twin import Twin

DEVICE = "sim:?model=small.tinyol&speed=50"  # 500 windows a second


@pytest.fixture
def tinyol(tmp_path, monkeypatch, capsys) -> Tinyol:
    """In a folder of its own, with nothing learned; TINYOL_DEVICE is the small board."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TINYOL_DEVICE", DEVICE)
    small_bundle().save("small.tinyol")
    return Tinyol(capsys)


@pytest.fixture
def asked(monkeypatch):
    """Sits at a terminal and types the given answers."""

    def sit(*answers: str) -> None:
        monkeypatch.setattr(asking, "can_ask", lambda: True)
        monkeypatch.setattr("tinyol_host.cli.label.can_ask", lambda: True)
        monkeypatch.setattr(sys, "stdin", io.StringIO("".join(f"{word}\n" for word in answers)))

    return sit


@pytest.fixture
def lives_on(monkeypatch):
    """Boards then are like one at a port, which has run for a while and goes on without us."""
    connect = tinyol_host.board.connect

    async def connect_later(uri=None, **how):
        board = await connect(uri, **{**how, "source": False})
        async with board.feeding() as feeding:
            await feeding.feed(synthesize("normal", 20.0, rate_hz=RATE_HZ).samples)
        board.ends_with_link = False
        return board

    monkeypatch.setattr(tinyol_host.board, "connect", connect_later)


def classes(tinyol: Tinyol) -> list[str]:
    return [row["name"] for row in json.loads(tinyol.done("classes", "--json"))]


def info(tinyol: Tinyol) -> dict[str, dict[str, object]]:
    return json.loads(tinyol.done("info", "--json"))


# --- info, scan, self-test ------------------------------------------------------------------


def test_info_is_one_screen(tinyol):
    tinyol.done("classes", "add", "quiet")
    out = tinyol.done("info")
    assert len(out.splitlines()) <= 24
    assert max(map(len, out.splitlines())) <= 80
    assert re.search(r"^model +id +" + small_bundle().model_id, out, re.MULTILINE)
    for text in (f"{WINDOW_LEN} samples (0.24 s), every {HOP}, at 50 Hz", "quiet", "passed"):
        assert text in out


def test_info_in_json(tinyol):
    facts = info(tinyol)
    assert facts["model"]["id"] == small_bundle().model_id
    assert facts["model"]["fine_tuned_layer"] == {"inputs": 7, "outputs": 12}
    assert facts["board"]["uri"].startswith("sim:?model=small.tinyol")
    assert facts["board"]["self_test_at_boot"] is True
    assert facts["learned"]["classes"] == []
    assert facts["learned"]["label"] is None


def test_looking_at_a_board_changes_nothing(tinyol):
    tinyol.done("label", "a", "--add", "--windows", "20")
    tinyol.done("state", "pull", "before.state")
    for words in (["info"], ["classes"], ["metrics"], ["set"], ["self-test"]):
        tinyol.done(*words)
    tinyol.done("state", "pull", "after.state")
    assert Path("before.state").read_bytes() == Path("after.state").read_bytes()


@pytest.mark.parametrize("device", ["/dev/tinyol-none", "serial:/dev/tinyol-none"])
def test_a_port_that_is_not_there(tinyol, device):
    assert "/dev/tinyol-none" in tinyol.refused("info", "-d", device)


@pytest.mark.parametrize(
    ("device", "says"),
    [("usb:1", "sim:"), ("sim:?colour=red", "source"), ("emu:?machine=bochs", "unicorn, qemu")],
)
def test_an_address_that_is_none_is_wrong_usage(tinyol, device, says):
    status, out, err = tinyol("info", "-d", device)
    assert (status, out) == (2, "")
    assert err.startswith("error: ")
    assert says in err


def test_an_address_whose_model_is_not_there(tinyol):
    assert "gone.tinyol" in tinyol.refused("info", "-d", "sim:?model=gone.tinyol")


def test_what_is_given_counts_more_than_the_environment(tinyol, monkeypatch):
    monkeypatch.setenv("TINYOL_DEVICE", "/dev/tinyol-none")
    assert "class 0" in tinyol.done("classes", "-d", DEVICE, "add", "a")
    assert "class 1" in tinyol.done("classes", "add", "b", "-d", DEVICE)
    assert "/dev/tinyol-none" in tinyol.refused("classes")


def test_scan_says_what_answers_and_why_not(tinyol, monkeypatch):
    ports = [
        Port("/dev/tinyol-none", "sketch", "0123", "Nano 33 BLE"),
        Port("/dev/ttyBOOT", "bootloader", None, ""),
        Port("/dev/ttyS0", "other", None, "printer"),
    ]
    monkeypatch.setattr(tinyol_host.scan, "list_ports", lambda: ports)
    found = {row["uri"].partition("?")[0]: row for row in json.loads(tinyol.done("scan", "--json"))}
    assert list(found)[:3] == [f"serial:{port.device}" for port in ports]
    assert found["sim:"]["ready"]
    assert not any(found[f"serial:{port.device}"]["ready"] for port in ports)
    assert "/dev/tinyol-none" in found["serial:/dev/tinyol-none"]["what"]
    assert "bootloader" in found["serial:/dev/ttyBOOT"]["what"]
    assert "printer" in tinyol.done("scan")


def test_scan_says_what_the_emulated_board_lacks(tinyol, monkeypatch):
    monkeypatch.setattr(tinyol_host.scan, "list_ports", lambda: [])
    monkeypatch.setattr("shutil.which", lambda name: None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    (row,) = (r for r in json.loads(tinyol.done("scan", "--json")) if r["kind"] == "emu")
    assert not row["ready"]
    assert "pip install unicorn" in row["what"]
    assert "pip install ziglang" in row["what"]


def test_self_test(tinyol, monkeypatch):
    out = tinyol.done("self-test")
    assert re.fullmatch(r"learning +[0-9a-f]{8}  passed\nfrozen net +[0-9a-f]{8}  passed\n", out)
    assert json.loads(tinyol.done("self-test", "--json"))["passed"] is True

    async def other_bits(board):
        return SelfTest(1, 1, 2, 3)

    monkeypatch.setattr(tinyol_host.board.Board, "self_test", other_bits)
    status, out, _ = tinyol("self-test")
    assert status == 1
    assert "frozen net  00000003  FAILED, expected 00000002" in out
    status, out, _ = tinyol("self-test", "--json")
    assert status == 1
    assert json.loads(out)["frozen_net"]["passed"] is False


# --- labels and classes ---------------------------------------------------------------------


def test_label_waits_until_the_windows_are_taken(tinyol):
    out = tinyol.done("label", "normal", "--add", "--windows", "60")
    assert re.match(r"normal: from sample [\d,]+ on, the next 60 windows\n", out)
    assert re.search(r"^normal: 60 windows taken, \d+% predicted right", out, re.MULTILINE)
    facts = json.loads(tinyol.done("label", "normal", "--windows", "5", "--json"))
    assert facts["at"] >= 60 * HOP
    assert (facts["taken"], facts["learned"], facts["stopped_at"]) == (5, 5, None)
    assert json.loads(tinyol.done("metrics", "--json"))["labelled"] == 64  # the first was no guess
    assert info(tinyol)["learned"]["classifier"]["applied"] == 65


def test_an_unknown_class_is_refused_unless_it_may_be_added(tinyol):
    tinyol.done("classes", "add", "quiet", "loud")
    message = tinyol.refused("label", "lout", "--windows", "5")
    assert "'lout'; known: quiet, loud. --add adds it" in message
    assert classes(tinyol) == ["quiet", "loud"]
    assert "printable" in tinyol.refused("label", "x" * 16, "--add")


def test_at_a_terminal_it_asks_whether_a_class_is_new(tinyol, asked):
    asked("n", "y")
    words = ["label", "new", "--windows", "5"]
    status, out, err = tinyol(*words)
    assert (status, out) == (1, "")
    assert "There is no class 'new'" in err
    assert tinyol(*words)[0] == 0
    assert classes(tinyol) == ["new"]
    tinyol.done(*words)  # known now: nothing is asked


@contextmanager
def started(program: list[str], *words: str) -> Iterator[subprocess.Popen[str]]:
    """Beside this process, and killed if it is still there after 20 s."""
    process = subprocess.Popen(
        [*program, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    late = threading.Timer(20, process.kill)
    late.start()
    try:
        yield process
    finally:
        late.cancel()


def interrupt(*words: str) -> tuple[int, list[str], str]:
    """Ctrl-C after the command has said its first line."""
    with started(PROGRAM, *words) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate()
    return process.returncode, [first.rstrip(), *out.splitlines()], err


def test_ctrl_c_ends_a_label_until_stopped(tinyol):
    status, lines, err = interrupt("label", "a", "--add")
    assert (status, err) == (0, "")
    assert re.fullmatch(r"a: from sample [\d,]+ on, until stopped; Ctrl-C ends it", lines[0])
    assert re.fullmatch(r"a: [\d,]+ windows? taken.*; no label from sample [\d,]+ on", lines[1])
    assert classes(tinyol) == ["a"]


def test_ctrl_c_before_all_windows_are_taken_is_exit_130(tinyol):
    status, lines, err = interrupt("label", "a", "--add", "--windows", "100000")
    assert (status, err) == (130, "interrupted\n")
    assert "no label from sample" in lines[1]
    assert classes(tinyol) == ["a"]  # what was learned is kept


def test_the_end_of_a_label(tinyol):
    for words in (["label", "-"], ["label", "--stop"]):
        assert tinyol.done(*words) == "no label from sample 0 on\n"
    assert json.loads(tinyol.done("label", "-", "--json")) == {"label": None, "at": 0}


@pytest.mark.usefixtures("lives_on")
def test_a_board_with_a_life_of_its_own_is_not_waited_for(tinyol):
    out = tinyol.done("label", "a", "--add")
    assert out == "a: from sample 1,000 on, until stopped; `tinyol label -` ends it\n"
    out = tinyol.done("label", "a", "--windows", "7", "--no-wait")
    assert out == "a: from sample 2,000 on, the next 7 windows\n"
    facts = json.loads(tinyol.done("fine-tune", "9", "--no-wait", "--json"))
    assert facts == {"steps": 9, "at": 3000}
    assert "off` ends it" in tinyol.done("fine-tune", "on")


@pytest.mark.usefixtures("lives_on")
def test_the_last_seconds_can_be_labelled(tinyol):
    out = tinyol.done("label", "late", "--back", "1.5", "--add")
    lessons, windows = map(int, re.findall(r"(\d+) (?:lesson|window)s?", out)[:2])
    assert windows == round(1.5 * RATE_HZ / HOP)
    assert 0 < lessons <= windows
    assert "before sample 1,000" in out
    facts = json.loads(tinyol.done("label", "late", "--back", "3600", "--json"))
    kept = info(tinyol)["model"]["windows_for_late_labels"]
    assert facts["windows"] == kept
    assert 0 < facts["lessons"] <= kept


def test_a_board_just_started_remembers_no_windows(tinyol):
    assert "has just been started" in tinyol.refused("label", "late", "--back", "1", "--add")
    assert "late" not in tinyol.done("classes")


def test_a_board_that_is_not_fed_is_suspected(tinyol):
    impatient = "import tinyol_host.cli.countdown as c; c._SILENCE_S = 0.05;" + PROGRAM[-1]
    words = ["label", "a", "--add", "-d", f"{DEVICE}&source=none"]
    with started([*PROGRAM[:-1], impatient], *words) as process:
        assert process.stderr is not None
        assert "does the board get samples?" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        assert "0 windows taken" in process.communicate()[0]


def test_classes(tinyol):
    assert "no class yet, of 4 at most" in tinyol.done("classes")
    assert tinyol.done("classes", "add", "a", "b").splitlines() == [
        "a: class 0, from sample 0 on",
        "b: class 1, from sample 0 on",
    ]
    assert "c from sample 0 on" in tinyol.done("classes", "rename", "a", "c")
    tinyol.done("label", "c", "--windows", "20")
    rows = json.loads(tinyol.done("classes", "--json"))
    assert [row["name"] for row in rows] == ["c", "b"]
    assert 0 <= rows[0]["f1"] <= 1
    assert re.search(r"^c +0 +20 +1 +[\d.]+ +\d\.\d{3}$", tinyol.done("classes"), re.MULTILINE)
    gone = json.loads(tinyol.done("classes", "remove", "c", "--yes", "--json"))
    assert gone["removed"] == "c"
    assert gone["at"] >= 20 * HOP
    assert classes(tinyol) == ["b"]
    assert "'b' already" in tinyol.refused("classes", "add", "b")
    assert "no class 'x'; known: b" in tinyol.refused("classes", "rename", "x", "y")
    assert "no class 'x'; known: b" in tinyol.refused("classes", "remove", "x", "--yes")


# --- fine-tuning, metrics, settings ---------------------------------------------------------


def test_fine_tuning_brings_the_error_down(tinyol):
    tinyol.done("set", "anomaly.raise_windows", "1000")  # no alarm, of which it would warn
    words = ["fine-tune", "300", "--json", "-d", f"{DEVICE}&source=synth:normal"]
    facts = json.loads(tinyol.done(*words))
    assert (facts["steps"], facts["taken"]) == (300, 300)
    assert facts["error_now"] < facts["error_before"]
    assert facts["error_now"] < facts["frozen_error_now"]
    assert info(tinyol)["learned"]["reconstruction"]["applied"] == 300
    out = tinyol.done("fine-tune", "30")
    assert re.search(r"^fine-tuning: 30 steps taken$", out, re.MULTILINE)
    assert re.search(r"^reconstruction error: \S+ -> \S+, ", out, re.MULTILINE)


def test_fine_tuning_on_and_off(tinyol):
    status, lines, err = interrupt("fine-tune", "on")
    assert (status, err) == (0, "")
    assert re.fullmatch(r"fine-tuning: .* on, until stopped; Ctrl-C ends it", lines[0])
    assert ", off from sample" in lines[1]
    assert "off from sample" in tinyol.done("fine-tune", "off")
    assert interrupt("fine-tune", "100000")[0] == 130


def test_metrics(tinyol):
    assert re.search(r"^labelled +0 windows$", tinyol.done("metrics"), re.MULTILINE)
    tinyol.done("label", "a", "--add", "--windows", "20")
    found = json.loads(tinyol.done("metrics", "--json"))
    assert found["labelled"] == 19  # before the first there is nothing to guess from
    assert list(found["f1"]) == ["a"]
    assert list(found["error_quantiles"]) == ["0.5", "0.9", "0.99"]
    out = tinyol.done("metrics")
    assert re.search(rf"^F1 of a +{found['f1']['a']:.3f}$", out, re.MULTILINE)


def test_settings(tinyol):
    out = tinyol.done("set")
    assert re.search(r"^anomaly\.threshold +5 +0 to 1000000$", out, re.MULTILINE)
    assert re.search(r"^classifier\.schedule +0 +0 to 2, whole$", out, re.MULTILINE)
    assert re.search(r"weight_limit +1000 +0\.001 to 1000000$", out, re.MULTILINE)
    assert re.search(r"^anomaly\.false_rate .* 0\.0001 to 0\.2$", out, re.MULTILINE)
    out = tinyol.done("set", "anomaly.threshold", "0.25")
    assert out == "anomaly.threshold: 0.25 from sample 0 on\n"
    assert json.loads(tinyol.done("set", "anomaly.threshold", "--json")) == {
        "anomaly.threshold": {"value": 0.25, "minimum": 0, "maximum": 1e6, "whole": False}
    }
    for value in ("-1", "2000000", "nan"):
        assert "from 0 to 1e+06" in tinyol.refused("set", "anomaly.threshold", value)
    assert "a whole number" in tinyol.refused("set", "classifier.schedule", "0.5")


# --- what cannot be undone ------------------------------------------------------------------


def test_without_a_terminal_losing_something_takes_yes(tinyol):
    tinyol.done("label", "a", "--add", "--windows", "5")
    tinyol.done("state", "pull", "s.state")
    for words in (["reset"], ["classes", "remove", "a"], ["state", "push", "s.state"]):
        status, out, err = tinyol(*words)
        assert (status, out) == (2, "")
        assert "--yes" in err
    assert classes(tinyol) == ["a"]


def test_at_a_terminal_it_asks_and_says_what_is_lost(tinyol, asked):
    tinyol.done("label", "a", "--add", "--windows", "5")
    tinyol.done("state", "pull", "s.state")
    asked("n", "n", "n", "y")
    for words, says in (
        (["state", "push", "s.state"], "1 class (a), 5 lessons and 0 fine-tuning steps"),
        (["classes", "remove", "a"], "Remove 'a'? What it learned, F1"),
        (["reset"], "1 class (a), 5 lessons and 0 fine-tuning steps"),
    ):
        status, out, err = tinyol(*words)
        assert (status, out) == (1, "")
        assert says in err
        assert err.endswith("nothing was changed\n")
    assert classes(tinyol) == ["a"]
    assert tinyol("reset")[0] == 0
    assert classes(tinyol) == []


def test_reset_forgets_everything(tinyol):
    tinyol.done("label", "a", "--add", "--windows", "5")
    tinyol.done("set", "anomaly.threshold", "1")
    assert "nothing learned from sample 0 on" in tinyol.done("reset", "--yes")
    tinyol.done("state", "pull", "s.state")
    assert Path("s.state").read_bytes() == Twin(small_bundle()).state


def test_a_state_goes_to_a_file_and_back(tinyol):
    tinyol.done("label", "a", "--add", "--windows", "5")
    facts = json.loads(tinyol.done("state", "pull", "s.state", "--json"))
    image = Path("s.state").read_bytes()
    assert facts == {"file": "s.state", "bytes": len(image), "model_id": small_bundle().model_id}
    assert StateImage.from_bytes(image).fields["classes.names"] == ["a"]
    tinyol.done("reset", "-y")
    assert "taken over" in tinyol.done("state", "push", "s.state", "--yes")
    assert "replaced, " in tinyol.done("state", "pull", "s.state")
    assert Path("s.state").read_bytes() == image


def test_a_wrong_state_changes_nothing(tinyol):
    tinyol.done("classes", "add", "a")
    tinyol.done("state", "pull", "s.state")
    raw = bytearray(Path("s.state").read_bytes())
    raw[len(raw) // 2] ^= 1
    Path("bad.state").write_bytes(raw)
    Path("other.state").write_bytes(Twin(small_bundle(seed=1)).state)
    for file, says in (
        ("bad.state", "bad.state: "),
        ("gone.state", "gone.state: cannot be read"),
        ("small.tinyol", "small.tinyol: "),
        ("other.state", "model"),
    ):
        assert says in tinyol.refused("state", "push", file, "--yes")
    assert "gone/s: " in tinyol.refused("state", "pull", "gone/s")
    assert classes(tinyol) == ["a"]


# --- usage ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        ["label"],
        ["label", "a", "--windows", "0"],
        ["label", "a", "--windows", "1", "--back", "1"],
        ["label", "a", "--back", "0"],
        ["label", "a", "--back", "1", "--no-wait"],
        ["label", "a", "--stop"],
        ["label", "-", "--windows", "1"],
        ["label", "a", "--no-wait"],  # nobody is left to take the windows
        ["fine-tune"],
        ["fine-tune", "some"],
        ["fine-tune", "-1"],
        ["fine-tune", "1.5"],
        ["fine-tune", "5", "--no-wait"],
        ["set", "classifier.speed"],
        ["set", "classifier.l2", "much"],
        ["classes", "add"],
        ["classes", "rename", "a"],
        ["classes", "--json", "add", "a"],
        ["state", "pull"],
        ["bench", "-d", "sim:"],
        ["bench", "-d", "emu:?source=synth"],
        ["bench", "-d", "emu:?machine=bochs"],
        ["bench", "a.tinyol", "-d", "emu:?model=b.tinyol"],
        ["bench", "--only", "moon"],
        ["bench", "--only", "host", "net.tflite"],
        ["bench", "--only", "board", "--seconds", "5"],
        ["bench", "--only", "board", "--repeats", "1"],
        ["bench", "--only", "host", "-d", "emu:"],
        ["bench", "--seconds", "0"],
        ["bench", "--seconds", "nan"],
        ["bench", "--repeats", "0"],
        ["completion", "tcsh"],
    ],
)
def test_wrong_usage_is_exit_2_and_says_where_help_is(tinyol, words):
    status, out, err = tinyol(*words)
    assert (status, out) == (2, "")
    assert err.startswith("Usage: ")
    assert "Error: " in err
