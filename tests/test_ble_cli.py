"""The command line on a board in radio range: programs of their own, and the radio is all they see.

They know it by DBUS_SYSTEM_BUS_ADDRESS alone, as they would know the system's.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from ble_cases import BUS, Peripheral, Radio, sensing, until, virtual_radio
from cli_runner import PROGRAM
from small_replay import RATE_HZ, small_bundle

from tinyol_sim.recordings import write_recording
from tinyol_sim.state_image import StateImage
from tinyol_sim.synth import synthesize

LIMIT_S = 30.0
DEVICE = "ble:bench"
Outcomes = dict[str, tuple[int, str, str]]  # exit status, stdout and stderr of a command


@dataclass
class Programs:
    """Runs the command line beside this process."""

    radio: Radio
    board: Peripheral
    folder: Path
    device: str = DEVICE

    def start(self, *words: str) -> subprocess.Popen[str]:
        environment = {
            **os.environ,
            BUS: self.radio.bus_address,
            "TINYOL_DEVICE": self.device,
            "XDG_STATE_HOME": str(self.folder / "home"),
            "COLUMNS": "120",
        }
        return subprocess.Popen(
            [*PROGRAM, *words],
            env=environment,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def end(self, program: subprocess.Popen[str]) -> tuple[int, str, str]:
        """Exit status, stdout and stderr."""
        with program:
            try:
                out, err = program.communicate(timeout=LIMIT_S)
            except BaseException:
                program.kill()
                raise
        assert "Traceback" not in out + err
        return program.returncode, out, err

    def __call__(self, *words: str) -> str:
        """What a command prints that must succeed, and be quiet on stderr."""
        status, out, err = self.end(self.start(*words))
        # The noise that the board senses is no fan's, and it says so.
        said = ("the board: warning: ", "warning: an alarm stands: ")
        own = [line for line in err.splitlines() if not line.startswith(said)]
        assert (status, own) == (0, []), (words, out, err)
        return out

    def is_free(self) -> bool:
        return bool(self.board.device.is_advertising)


@pytest.fixture(scope="module")
def radio() -> Iterator[Radio]:
    with virtual_radio() as radio:
        radio.add("bench", small_bundle().model_image)
        yield radio


@pytest.fixture
def tinyol(radio: Radio, tmp_path: Path) -> Iterator[Programs]:
    """In a folder of its own; the board has learned nothing, and is free again afterwards."""
    board = radio.boards["bench"]
    radio.wait(board.restart())
    small_bundle().save(tmp_path / "small.tinyol")
    programs = Programs(radio, board, tmp_path)
    yield programs
    until(programs.is_free)


@pytest.fixture(scope="module", autouse=True)
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outcomes]:
    """What takes as long as a scan, beside everything else, on radios of their own: a board that
    one program is connected to, another does not see.
    """
    commands = {
        "info": ("info", "-d", "ble:nobody"),
        "scan": ("scan", "--json"),
        "alone": ("classes", "-d", "ble:", "--json"),
    }
    with virtual_radio() as searched, virtual_radio() as quiet:
        started: dict[str, tuple[Programs, subprocess.Popen[str]]] = {}
        folder = tmp_path_factory.mktemp("elsewhere")
        for radio in (searched, quiet):
            radio.add("pump", small_bundle().model_image)
        for name, words in commands.items():
            radio = quiet if name == "alone" else searched
            programs = Programs(radio, radio.boards["pump"], folder)
            started[name] = programs, programs.start(*words)

        class Ended(Outcomes):
            def __missing__(self, name: str) -> tuple[int, str, str]:
                programs, program = started.pop(name)
                self[name] = programs.end(program)
                return self[name]

        ended = Ended()
        try:
            yield ended
        finally:
            for name in list(started):
                ended[name]


def test_info_is_what_the_board_says(tinyol: Programs) -> None:
    facts = json.loads(tinyol("info", "--json"))
    assert facts["board"]["uri"] == DEVICE
    assert facts["model"]["id"] == small_bundle().model_id
    assert facts["link"]["max_message"] == 244
    assert facts["learned"]["classes"] == []
    assert small_bundle().model_id in tinyol("info", "-d", f"ble:{tinyol.board.address}")


def test_a_lesson_from_beginning_to_end(tinyol: Programs) -> None:
    with sensing(tinyol.radio, tinyol.board):
        out = tinyol("label", "a", "--add", "--windows", "20")
        assert "a: 20 windows taken" in out
        assert "class 1" in tinyol("classes", "add", "b")
        tinyol("fine-tune", "30", "--wait")
    assert "19 windows" in tinyol("metrics")  # the first was no guess
    learned = json.loads(tinyol("info", "--json"))["learned"]
    assert learned["classes"] == ["a", "b"]
    assert learned["classifier"]["applied"] == 20
    assert learned["reconstruction"]["applied"] == 30


def test_states_are_pulled_compared_and_pushed(tinyol: Programs) -> None:
    tinyol("state", "pull", "before.state")
    tinyol("classes", "add", "a")
    assert "bytes" in tinyol("state", "pull", "after.state")
    before, after = ((tinyol.folder / f"{name}.state").read_bytes() for name in ("before", "after"))
    assert StateImage.from_bytes(after).fields["classes.names"] == ["a"]
    assert after == tinyol.radio.run(tinyol.board.state)
    status, out, _ = tinyol.end(tinyol.start("state", "diff", "before.state", "after.state"))
    assert status in (0, 1)
    assert "class" in out
    tinyol("state", "push", "before.state", "--yes")
    assert tinyol.radio.run(tinyol.board.state) == before


def test_a_session_on_record_is_verified(tinyol: Programs) -> None:
    tinyol("classes", "add", "a")
    with sensing(tinyol.radio, tinyol.board, 200.0):
        out = tinyol("record", "-o", "run", "--session", "--label", "a", "--seconds", "2", "--json")
    facts = json.loads(out)
    assert facts["lost_samples"] == facts["lost_events"] == 0
    assert "identical" in tinyol("verify", "run", "--model", "small.tinyol")


def test_verify_compares_the_board_with_its_twin(tinyol: Programs) -> None:
    recording = synthesize("normal", 6.0, rate_hz=RATE_HZ)
    write_recording(recording, tinyol.folder / "short.npz")
    tinyol("classes", "add", "kept")
    model = ("--model", "small.tinyol")
    out = tinyol("verify", "short.npz", "-d", DEVICE, *model, "--fine-tune", "20", "--json")
    verdict = json.loads(out)
    assert verdict["identical"]
    assert verdict["device"] == DEVICE
    assert verdict["windows"] > 50
    image = StateImage.from_bytes(tinyol.radio.run(tinyol.board.state))
    assert image.fields["classes.names"] == ["kept"]
    assert image.fields["counters.samples"] == 0


def test_monitor_prints_each_prediction(tinyol: Programs) -> None:
    with sensing(tinyol.radio, tinyol.board, 200.0):
        lines = [
            json.loads(x) for x in tinyol("monitor", "--json", "--seconds", "0.6").splitlines()
        ]
    windows = [line["window"] for line in lines if "window" in line]  # others are notices
    assert len(windows) > 3
    assert windows == list(range(windows[0], windows[0] + len(windows)))


def test_ctrl_c_lets_the_board_go(tinyol: Programs) -> None:
    with sensing(tinyol.radio, tinyol.board, 200.0):
        monitor = tinyol.start("monitor", "--json")
        assert monitor.stdout is not None
        json.loads(monitor.stdout.readline())
        monitor.send_signal(signal.SIGINT)
        assert tinyol.end(monitor)[0] in (0, 130)
        until(tinyol.is_free)

        label = tinyol.start("label", "a", "--add", "--wait")
        assert label.stdout is not None
        assert "Ctrl-C ends it" in label.stdout.readline()
        label.send_signal(signal.SIGINT)
        status, out, err = tinyol.end(label)
    assert (status, err) == (0, "")
    assert "no label from" in out
    until(tinyol.is_free)
    assert json.loads(tinyol("info", "--json"))["learned"]["label"] is None


# --- who is there (these were started with the first test) -----------------------------------


def test_a_wrong_name_is_one_line(elsewhere: Outcomes) -> None:
    status, out, err = elsewhere["info"]
    assert (status, out) == (1, "")
    assert err.startswith("error: ble: no board 'nobody' is advertising")
    assert err.count("\n") == 1
    assert "there is ble:pump" in err


def test_scan_lists_the_board(elsewhere: Outcomes) -> None:
    status, out, err = elsewhere["scan"]
    assert (status, err) == (0, "")
    (found,) = [row for row in json.loads(out) if row["kind"] == "ble"]
    assert (found["uri"], found["ready"]) == ("ble:pump", True)


def test_the_only_board_needs_no_name(elsewhere: Outcomes) -> None:
    status, out, err = elsewhere["alone"]
    assert (status, json.loads(out), err) == (0, [], "")
