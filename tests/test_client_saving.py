"""A client has a board keep what it learned in the board's own flash."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from boards_with_flash import OWN_PAGES, MemoryFlash, SavingBoard, slot_pages
from cli_runner import Tinyol
from emulator_cases import needs_compiler, unicorn
from small_replay import small_bundle

from tinyol_host.device import Device, Effect
from tinyol_host.errors import RefusedError
from tinyol_host.session import Session
from tinyol_host.transports.sim import SimTransport
from tinyol_sim._core import ffi, lib


def test_save_and_what_info_says_of_it() -> None:
    flash = MemoryFlash(2 * slot_pages() + OWN_PAGES)

    async def main() -> bytes:
        transport = SimTransport(small_bundle())
        lib.tinyol_board_attach_flash(transport._board, flash.handle, ffi.NULL)
        device = Device(Session(transport))
        await device._session.open()
        info = await device.info()
        assert (info.has_store, info.unsaved, info.save_failed) == (True, False, False)
        await device.add_class("a")
        info = await device.info()
        assert (info.saves, info.wear, info.unsaved) == (0, 0, True)
        saved = SavingBoard(MemoryFlash(2 * slot_pages() + OWN_PAGES))
        saved.ask(13, b"\x01a")
        assert await device.save() == Effect(0, len(saved.state()))
        info = await device.info()
        assert (info.saves, info.wear, info.unsaved) == (1, 1, False)
        flash.cut_at(1)
        with pytest.raises(RefusedError, match="flash: the flash reports a failure"):
            await device.save()
        assert (await device.info()).save_failed
        await device._session.close()
        return saved.state()

    assert asyncio.run(main()) == SavingBoard(flash).state()


@pytest.fixture
def tinyol(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Tinyol:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "home"))
    small_bundle().save("small.tinyol")
    return Tinyol(capsys)


def test_a_board_without_flash_says_what_to_do_instead(tinyol: Tinyol) -> None:
    uri = "sim:?model=small.tinyol&source=none"
    said = tinyol.refused("state", "save", "-d", uri)
    assert "no flash to save in; pull its state to a file" in said
    assert "not by the board itself" in tinyol.done("info", "-d", uri)


@needs_compiler
@pytest.mark.parametrize("machine", [unicorn])
def test_the_command_line_saves(machine: str, tinyol: Tinyol) -> None:
    uri = f"emu:?model=small.tinyol&source=none&state=none&machine={machine}"
    said = tinyol.done("state", "save", "-d", uri)
    assert said == "saved: 1,396 bytes, as of sample 0; wear 1 of 10,000\n"
    facts = json.loads(tinyol.done("state", "save", "-d", uri, "--json"))
    assert facts == {"bytes": 1396, "at": 0, "saves": 1, "wear": 1}
    facts = json.loads(tinyol.done("info", "-d", uri, "--json"))["learned"]
    assert (facts["saved_by_the_board"], facts["save_failed"], facts["wear"]) == (True, False, 0)
    assert "all of it; 0 saves since boot, wear 0 of 10,000" in tinyol.done("info", "-d", uri)
