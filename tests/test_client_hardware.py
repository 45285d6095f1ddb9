"""A client asks a board for its name, its sensor and its conditions, and sets and finds it."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import pytest
from cli_runner import Tinyol
from emulator_cases import needs_compiler, unicorn
from pty_board import PtyBoard
from small_replay import small_bundle
from told_device import identity_of

import tinyol_host.scan
from tinyol_host.board import connect
from tinyol_host.device import Device
from tinyol_host.errors import UNKNOWN_REQUEST, ProtocolError, RefusedError
from tinyol_host.hardware import Condition, Hardware, SensorState
from tinyol_host.ports import Port
from tinyol_sim.errors import DeviceError

SIM = "sim:?model=small.tinyol"


@pytest.fixture
def tinyol(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Tinyol:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "home"))
    small_bundle().save("small.tinyol")
    return Tinyol(capsys)


def test_a_name_is_set_and_taken_back(tinyol: Tinyol) -> None:
    async def main() -> None:
        async with await connect(SIM) as board:
            own = (await board.hardware()).name
            await board.set_name("pümp-3")
            assert (await board.hardware()).name == "pümp-3"
            with pytest.raises(DeviceError, match="no name for a board"):
                await board.set_name("a" * 21)
            assert (await board.hardware()).name == "pümp-3"
            await board.set_name("")
            assert (await board.hardware()).name == own

    asyncio.run(main())


@pytest.mark.parametrize("name", [" a", "a\n", "a" * 21, "ü" * 11, "\u202e"])
def test_what_is_no_name_does_not_reach_the_board(tinyol: Tinyol, name: str) -> None:
    status, _, err = tinyol("name", name, "-d", "serial:/dev/nowhere")
    assert status == 2
    assert "no name for a board" in err


def test_the_command_shows_what_it_set(tinyol: Tinyol) -> None:
    assert tinyol.done("name", "-d", SIM) == "no name\n"
    status, out, err = tinyol("name", "pump 3", "-d", SIM)
    assert (status, out) == (0, "pump 3\n")
    assert "ends with this command, and its name with it" in err
    assert json.loads(tinyol("name", "pump 3", "-d", SIM, "--json")[1]) == {"name": "pump 3"}
    assert tinyol.done("name", "--clear", "-d", SIM) == "no name\n"
    assert tinyol("name", "a", "--clear", "-d", SIM)[0] == 2
    assert tinyol("name", "", "-d", SIM)[0] == 2


@needs_compiler
@pytest.mark.parametrize("machine", [unicorn])
def test_a_name_that_a_flash_file_keeps_does_not_end(machine: str, tinyol: Tinyol) -> None:
    uri = f"emu:?model=small.tinyol&source=none&machine={machine}&flash=k.fl"
    assert tinyol.done("name", "pump-3", "-d", uri) == "pump-3\n"
    assert tinyol.done("name", "-d", uri) == "pump-3\n"


def test_a_board_without_an_led_cannot_be_located(tinyol: Tinyol) -> None:
    assert tinyol.refused("locate", "-d", SIM) == "error: this board has no LED that could blink\n"
    assert tinyol("locate", "--seconds", "256", "-d", SIM)[0] == 2


def test_a_healthy_board_without_a_sensor(tinyol: Tinyol) -> None:
    async def main() -> None:
        async with await connect(SIM) as board:
            found = await board.hardware()
            assert (found.sensor, found.sensor_hz) == (SensorState.NONE, 0.0)
            assert 0 < found.arena_used <= found.arena_bytes
            assert await board.conditions() == []
            assert board.identity.has_model
            assert not board.identity.has_led

    asyncio.run(main())
    info = tinyol.done("info", "-d", SIM)
    assert "no sensor: it is fed" in info
    assert "bytes of arena" in info


def test_scan_tells_the_name_of_a_board_that_it_asks(
    tinyol: Tinyol, monkeypatch: pytest.MonkeyPatch
) -> None:
    with PtyBoard(small_bundle()) as board:
        uri = f"serial:{board.path}"
        assert tinyol.done("name", "pump 3", "-d", uri) == "pump 3\n"
        port = Port(board.path, "sketch", "0123", "Nano 33 BLE")
        monkeypatch.setattr(tinyol_host.scan, "list_ports", lambda: [port])
        (row,) = (r for r in json.loads(tinyol.done("scan", "--json")) if r["uri"] == uri)
        assert (row["name"], row["ready"]) == ("pump 3", True)
        assert "pump 3: sim" in row["what"]


def test_older_firmware_has_a_model_though_it_does_not_say_so() -> None:
    old = replace(identity_of(small_bundle()), capabilities=1)
    assert old.has_model
    assert not replace(old, window_len=0).has_model
    assert replace(old, window_len=0, capabilities=17).has_model


def test_a_board_that_does_not_know_the_request_is_connected_all_the_same(
    tinyol: Tinyol, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def unknown(self: Device) -> Hardware:
        raise RefusedError(UNKNOWN_REQUEST, "")

    monkeypatch.setattr(Device, "hardware", unknown)
    with PtyBoard(small_bundle()) as board:
        assert tinyol.done("classes", "--json", "-d", f"serial:{board.path}") == "[]\n"
        assert "update the firmware" in tinyol.refused("name", "-d", f"serial:{board.path}")


def test_replies_are_checked() -> None:
    body = bytes([3, 1, 0, 0]) + bytes(16) + b"pump".ljust(24, b"\0")
    found = Hardware.from_bytes(body)
    assert (found.sensor, found.n_conditions, found.name) == (SensorState.SILENT, 1, "pump")
    assert found.sensor.failed
    for wrong in (body[:-1], b"\6" + body[1:]):
        with pytest.raises(ProtocolError):
            Hardware.from_bytes(wrong)
    assert Condition.from_bytes(b"\3\1\0\0gone") == Condition(3, 1, "gone")
    with pytest.raises(ProtocolError):
        Condition.from_bytes(b"\3\1")
