"""What a board has saved is there when its power is back."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tinyol_host.board import Board, connect
from tinyol_host.transports import emu
from tinyol_host.uri import parse_uri
from tinyol_sim.bundle import Bundle
from tinyol_sim.emulator.machine import Machine

from .live_board import LiveBoard


def test_it_saves_on_request(live: LiveBoard) -> None:
    async def work(board: Board) -> None:
        before = await board.info()
        if not before.has_store:
            pytest.skip("this board has no flash to save in")
        await board.set("classifier.l2", 0.25)
        assert (await board.info()).unsaved
        effect = await board.save()
        after = await board.info()
        assert (after.saves, after.unsaved, after.save_failed) == (before.saves + 1, False, False)
        assert effect.value == len(await board.pull_state())

    live.run(work)


def test_a_saved_state_survives_a_cut_of_the_power(
    uri: str, scheme: str, bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a board of its own, with the same options."""
    if scheme != "emu":
        pytest.skip("only the power of an emulated board can be cut from here")
    given = parse_uri(uri)
    options = {name: value for name, value in given.options.items() if name != "state"}
    address = str(replace(given, options={**options, "flash": str(tmp_path / "flash")}))
    machines: list[Machine] = []

    def remembered(*arguments: Any, **how: Any) -> Machine:
        machines.append(new_machine(*arguments, **how))
        return machines[-1]

    new_machine = emu.new_machine
    monkeypatch.setattr(emu, "new_machine", remembered)

    async def learn_and_lose() -> bytes:
        board = await connect(address, source=False)
        await board.add_class("kept")
        await board.save()
        state = await board.pull_state()
        await board.add_class("lost")
        machines[-1].stop()
        await board.close()
        return state

    async def found() -> bytes:
        async with await connect(address, source=False) as board:
            return await board.pull_state()

    state = asyncio.run(learn_and_lose())
    assert asyncio.run(found()) == state
    assert b"kept" in state
