"""What the commands are given: odd numbers and names, closed streams, full disks."""

from __future__ import annotations

import asyncio
import errno
import io
import subprocess
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cli_runner import PROGRAM, Tinyol
from small_replay import recording, small_bundle

from tinyol_host.board import connect
from tinyol_host.cli.record_target import save_recording, save_session
from tinyol_host.cli.replay import replay
from tinyol_host.cli.setting_pairs import parse_setting_pairs
from tinyol_host.cli.terminal import is_terminal
from tinyol_host.verify import verify_recording
from tinyol_sim.commands import AddClass
from tinyol_sim.errors import DeviceError, RecordingError
from tinyol_sim.recordings import read_recording, write_recording
from tinyol_sim.script import Script
from tinyol_sim.session_record import SessionRecord
from tinyol_sim.twin import Twin

DEVICE = "sim:?model=small.tinyol&source=none&state=none"
STREAM = recording([("normal", 100), ("loud", 100)])


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("TINYOL_DEVICE", DEVICE)
    small_bundle().save("small.tinyol")
    return tmp_path


@pytest.fixture
def tinyol(capsys: pytest.CaptureFixture[str]) -> Tinyol:
    return Tinyol(capsys)


# --- numbers and names -----------------------------------------------------------------------


@pytest.mark.parametrize("seconds", ["nan", "inf", "-inf", "1e300", "1e308"])
def test_seconds_to_label_back_are_a_number_that_may_be(tinyol: Tinyol, seconds: str) -> None:
    status, out, err = tinyol("label", "x", f"--back={seconds}", "--add")
    assert (status, out) == (2, "")
    assert "--back" in err


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        (" a", "begins or ends with a space"),
        ("\u200b", "cannot be printed"),
        ("\udcff", "cannot be printed"),
        ("-", "stands for no label"),
        ("größer als früher", "1 to 15 bytes of UTF-8, printable; it has 20"),
        ("", "it has 0"),
    ],
)
def test_a_class_gets_no_name_that_makes_trouble(tinyol: Tinyol, name: str, reason: str) -> None:
    assert reason in tinyol.refused("classes", "add", "--", name)
    write_state(["a"])
    device = DEVICE.replace("state=none", "state=kept.state")
    assert reason in tinyol.refused("classes", "rename", "-d", device, "--", "a", name)


def write_state(names: list[str]) -> None:
    twin = Twin(small_bundle())
    for name in names:
        twin.add_class(name)
    Path("kept.state").write_bytes(twin.state)


def test_a_name_that_only_the_host_refuses_is_not_blamed_on_the_board() -> None:
    script = Script(STREAM.samples, steps=((0, AddClass("-")),))

    async def main() -> None:
        async with await connect(DEVICE, source=False) as board:
            with pytest.raises(DeviceError, match="stands for no label"):
                await verify_recording(board, small_bundle(), script)

    asyncio.run(main())


def test_an_unknown_class_in_a_recording_is_told_how_to_add() -> None:
    write_recording(STREAM, "fan.npz")
    device = "sim:?model=small.tinyol&source=fan.npz&state=none&speed=40"
    ended = subprocess.run(
        [*PROGRAM, "record", "-o", "a.npz", "-d", device, "-i", "--seconds", "40"],
        input="label tilted\nlabel-back 'two words' 3\nremove tilted\nclass remove tilted\n",
        capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    told = [line for line in ended.stderr.splitlines() if not line.startswith("the board: ")]
    first, second, *others = told
    assert first == "error: no class 'tilted'; known: none yet. `class add tilted` first"
    assert second.endswith(". `class add 'two words'` first")
    assert len(others) == 2
    assert not any(" first" in line for line in others)
    assert ended.returncode == 0


def test_replay_takes_settings_as_the_other_commands_do(tinyol: Tinyol) -> None:
    (option,) = (option for option in replay.params if option.name == "settings")
    assert option.callback is parse_setting_pairs
    for pair, reason in {
        "classifier.learn=0": "is what --learn is for",
        "x": "is not NAME=VALUE",
        "x=1": "no setting 'x'",
        "classifier.l2=x": "is not a number",
    }.items():
        status, _, err = tinyol("replay", "--set", pair)
        assert (status, reason in err) == (2, True), err


def test_the_help_names_the_device_that_is_taken(tinyol: Tinyol) -> None:
    def words(command: str) -> str:
        return " ".join(tinyol.done(command, "--help").split())

    assert "[default: emu: where it can run, else sim:]" in words("verify")
    assert "[default: sim:]" in words("info")
    assert "[default: sim:]" not in words("verify")


# --- closed streams --------------------------------------------------------------------------


def test_a_stream_that_is_not_there_is_no_terminal() -> None:
    closed = io.StringIO()
    closed.close()
    assert not is_terminal(None)
    assert not is_terminal(closed)
    assert not is_terminal(io.StringIO())


@pytest.mark.parametrize(
    ("command", "closed"),
    [
        ("monitor --seconds 0.2", ">&-"),
        ("monitor --seconds 0.2", ">&- 2>&-"),
        ("replay a.npz -m small.tinyol --save-state left", "2>&-"),
        ("replay a.npz -m small.tinyol --save-state left", ">&- 2>&-"),
        ("data show a.npz", "2>&-"),
    ],
)
def test_a_closed_stream_is_no_error(folder: Path, command: str, closed: str) -> None:
    write_recording(recording([("normal", 6000)]), "a.npz")
    ended = subprocess.run(
        ["sh", "-c", f'exec "$@" {closed}', "sh", *PROGRAM, *command.split()],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, (ended.stdout, ended.stderr)
    assert ended.stderr == ""


def test_a_set_is_fetched_without_stderr(tinyol: Tinyol, monkeypatch: pytest.MonkeyPatch) -> None:
    def fetched(to: Path, progress: Any) -> Path:
        progress(1, 2)
        return to

    monkeypatch.setattr("tinyol_host.cli.data.datasets.fetch_ceiling_fan", fetched)
    monkeypatch.setattr("sys.stderr", None)
    assert tinyol("data", "fetch", "ceiling-fan", "--to", "x")[:2] == (0, "x\n")


def test_a_model_is_trained_without_stderr(tinyol: Tinyol, monkeypatch: pytest.MonkeyPatch) -> None:
    reached = []

    def train(recordings: Any, options: Any, progress: Any) -> Any:
        progress("training", 1, 2)
        reached.append(options)
        raise DeviceError("of the test")

    write_recording(STREAM, "a.npz")
    monkeypatch.setattr("tinyol_host.cli.train.train_bundle", train)
    monkeypatch.setattr("sys.stderr", None)
    assert tinyol("train", "a.npz", "-o", "b.tinyol")[0] == 1
    assert reached


# --- recordings of another kind --------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("samples", np.full((200, 3), "1.0")),
        ("samples", np.zeros((200, 3), np.complex64)),
        ("label_names", np.array("normal")),
        ("label_names", np.empty(0, np.complex64)),
        ("labels", np.zeros(200, np.complex64)),
        ("gaps", np.empty(0, np.complex64)),
        ("gaps", np.empty(0, [("a", "i4")])),
        ("rate_hz", np.complex64(50)),
        ("rate_hz", np.str_("50")),
        ("units", np.complex64(1)),
        ("tinyol_recording", np.str_("one")),
    ],
)
def test_arrays_of_another_kind_are_refused(tinyol: Tinyol, name: str, value: Any) -> None:
    write_recording(STREAM, "a.npz")
    with np.load("a.npz") as archive:
        arrays = dict(archive)
    np.savez("a.npz", **{**arrays, name: value})
    assert name in tinyol.refused("data", "show", "a.npz")


def test_what_is_no_array_is_refused(tinyol: Tinyol) -> None:
    with zipfile.ZipFile("a.npz", "w") as archive:
        archive.writestr("samples", b"none at all")
    assert "samples is no array" in tinyol.refused("data", "show", "a.npz")


# --- a full disk -----------------------------------------------------------------------------


@pytest.fixture
def full(folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Nothing can be written into these folders; temporary files go to `tmp`."""
    full_ones = [folder / "full"]
    (folder / "full").mkdir()
    (folder / "tmp").mkdir()
    write = Path.write_bytes

    def write_if_room(path: Path, data: Any) -> int:
        if any(one in path.absolute().parents for one in full_ones):
            write(path, bytes(data)[:5])
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(path, data)

    monkeypatch.setattr(Path, "write_bytes", write_if_room)
    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(folder / "tmp"))
    return full_ones


def a_session() -> SessionRecord:
    state = Twin(small_bundle()).state
    return SessionRecord(
        small_bundle().model_id, "sim", 50.0, state, state, STREAM.samples, np.empty(0, int)
    )


def test_a_recording_is_rescued_from_a_full_disk(folder: Path, full: list[Path]) -> None:
    with pytest.raises(RecordingError) as error:
        save_recording(folder / "full" / "x.csv", STREAM)
    rescue = folder / "tmp" / "x.npz"
    for text in ("x.csv: cannot be written: No space", "x.npz: cannot be written: No space"):
        assert text in str(error.value)
    assert f"The recording is in {rescue} instead" in str(error.value)
    np.testing.assert_array_equal(read_recording(rescue).samples, STREAM.samples)
    full.append(folder / "tmp")
    with pytest.raises(RecordingError, match=r"full/x\.csv: .*tmp/x-2\.npz: .*is lost"):
        save_recording(folder / "full" / "x.csv", STREAM)
    assert [path.name for path in folder.rglob("x*")] == ["x.npz"]


def test_a_session_is_rescued_from_a_full_disk(folder: Path, full: list[Path]) -> None:
    target = folder / "full" / "deep" / "s.1"
    with pytest.raises(RecordingError) as error:
        save_session(target, a_session())
    rescue = folder / "tmp" / "s.1"
    assert "start.state: cannot be written: No space" in str(error.value)
    assert f"The session is in {rescue} instead" in str(error.value)
    assert SessionRecord.load(rescue).n_samples == 200
    assert list((folder / "full").iterdir()) == []
    full.append(folder / "tmp")
    with pytest.raises(RecordingError, match=r"full/deep/s\.1/.*tmp/s\.1-2/.*is lost"):
        save_session(target, a_session())
    assert list((folder / "full").iterdir()) == []
    assert list((folder / "tmp").iterdir()) == [rescue]


def test_what_was_in_a_sessions_folder_before_stays(folder: Path, full: list[Path]) -> None:
    (folder / "full" / "s").mkdir()
    (folder / "full" / "s" / "note.txt").touch()
    with pytest.raises(RecordingError, match="instead"):
        save_session(folder / "full" / "s", a_session())
    assert [path.name for path in (folder / "full" / "s").iterdir()] == ["note.txt"]
