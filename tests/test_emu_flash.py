"""`emu:?flash=FILE`: an emulated board that keeps its own flash, as one of hardware does."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from cli_runner import Tinyol
from emulator_cases import needs_compiler, on_each_machine, unicorn
from small_replay import small_bundle

from tinyol_host.board import connect
from tinyol_host.errors import LinkError
from tinyol_host.transports import emu
from tinyol_host.transports.opening import transport_for
from tinyol_host.uri import parse_uri
from tinyol_sim.emulator.machine import Machine
from tinyol_sim.errors import DeviceError


@pytest.fixture
def tinyol(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Tinyol:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "home"))
    small_bundle().save("small.tinyol")
    return Tinyol(capsys)


def address(machine: str, flash: str = "board.flash") -> str:
    return f"emu:?model=small.tinyol&source=none&machine={machine}&flash={flash}"


def classes(tinyol: Tinyol, uri: str) -> list[str]:
    return [row["name"] for row in json.loads(tinyol.done("classes", "-d", uri, "--json"))]


@needs_compiler
@on_each_machine
def test_what_was_saved_is_there_the_next_time(machine: str, tinyol: Tinyol) -> None:
    uri = address(machine)
    tinyol.done("state", "push", "--yes", "-d", uri, taught("push.state"))
    facts = json.loads(tinyol.done("state", "save", "-d", uri, "--json"))
    assert facts["wear"] >= 1
    tinyol.done("state", "pull", "-d", uri, "pulled.state")
    assert Path("pulled.state").read_bytes() == Path("push.state").read_bytes()
    # Nothing is kept beside the flash, and another flash knows nothing of it.
    assert not Path("home").exists()
    assert classes(tinyol, address(machine, "other.flash")) == []


@needs_compiler
@pytest.mark.parametrize("machine", [unicorn])
def test_it_saves_when_its_peer_leaves_but_not_when_its_power_is_cut(
    machine: str, tinyol: Tinyol, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = address(machine, "board.flash")
    machines: list[Machine] = []

    def remembered(*arguments: Any, **options: Any) -> Machine:
        machines.append(new_machine(*arguments, **options))
        return machines[-1]

    new_machine = emu.new_machine
    monkeypatch.setattr(emu, "new_machine", remembered)
    tinyol.done("classes", "add", "learned", "-d", uri)
    assert classes(tinyol, uri) == ["learned"]

    async def cut() -> None:
        board = await connect(uri)
        await board.add_class("lost")
        machines[-1].stop()
        await board.close()

    asyncio.run(cut())
    assert classes(tinyol, uri) == ["learned"]


@needs_compiler
@pytest.mark.parametrize("machine", [unicorn])
def test_a_file_that_it_cannot_have_is_named(machine: str, tinyol: Tinyol) -> None:
    Path("notes").write_bytes(b"something of mine")
    said = tinyol.refused("info", "-d", address(machine, "notes"))
    assert "notes: not an emulated board's flash: 17 bytes" in said
    assert Path("notes").read_bytes() == b"something of mine"
    assert "cannot be opened" in tinyol.refused("info", "-d", address(machine, "no/where"))

    async def twice() -> None:
        async with await connect(address(machine)):
            with pytest.raises(LinkError, match="another emulated board runs with it"):
                await connect(address(machine))

    asyncio.run(twice())


def test_flash_and_a_kept_state_exclude_each_other(tmp_path: Path) -> None:
    way = transport_for(parse_uri(f"emu:?source=none&flash={tmp_path}/f"))
    assert way.kept_state is None
    assert parse_uri("emu:?flash=f&state=none").options["flash"] == "f"
    with pytest.raises(DeviceError, match=r"either in its own flash.*or by this program"):
        parse_uri("emu:?state=a.state&flash=f")
    with pytest.raises(DeviceError, match="sim: has no option 'flash'"):
        parse_uri("sim:?flash=f")


def taught(path: str) -> str:
    """A file with a state of the small model that is not the first one."""
    from tinyol_sim.twin import Twin

    twin = Twin(small_bundle())
    twin.add_class("kept")
    twin.save(path)
    return path


@needs_compiler
@on_each_machine
def test_its_key_outlives_its_power(
    machine: str, tinyol: Tinyol, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TINYOL_KEYS", "keys.json")
    uri = address(machine)
    key_id = json.loads(tinyol.done("pair", "-d", uri, "--json"))["key_id"]
    facts = json.loads(tinyol.done("access", "-d", uri, "--json"))
    assert (facts["key_id"], facts["authenticated"]) == (key_id, True)
    assert facts["random_numbers"] == "host"  # named as what it is
    tinyol.done("classes", "add", "a", "-d", uri)
    monkeypatch.setenv("TINYOL_KEYS", "none.json")
    assert f"({key_id})" in tinyol.refused("classes", "add", "b", "-d", uri)
    assert classes(tinyol, uri) == ["a"]
    tinyol.done("reset", "--factory", "-y", "-d", uri)
    assert classes(tinyol, uri) == []
    again = json.loads(tinyol.done("pair", "-d", uri, "--json"))
    assert again["new"]
    assert again["key_id"] != key_id
