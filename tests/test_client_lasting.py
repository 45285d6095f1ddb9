"""What lasts, asked of a board: relearned classes, unknown events, weights, calibration.

Board and twin get the same, and must say the same, bit for bit.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import numpy as np
import pytest
from cli_runner import Tinyol
from emulator_cases import needs_compiler, unicorn

from tinyol_host.board import connect
from tinyol_host.lock_step import lock_step
from tinyol_sim.commands import AddClass, Calibrate, ClassWeight, Label, NameUnknown, Relearn
from tinyol_sim.errors import DeviceError
from tinyol_sim.synth import synthesize
from tinyol_sim.twin import Twin

DEVICES = [
    "sim:?source=none&state=none",
    pytest.param(
        f"emu:?source=none&state=none&machine={unicorn.values[0]}",
        marks=[needs_compiler, *unicorn.marks],
    ),
]


@pytest.mark.parametrize("device", DEVICES)
def test_a_board_and_its_twin_agree(device: str) -> None:
    async def main() -> None:
        async with await connect(device) as board:
            assert board.bundle is not None
            twin = Twin(board.bundle)
            async with lock_step(board, twin) as step:
                for command in (AddClass("a"), Label("a", 40)):
                    assert await step.execute(command) is None
                assert await step.feed(synthesize("normal", 15.0).samples, False) is None
                assert await step.feed(synthesize("stuck", 10.0).samples, True) is None
                seen = await board.unknowns()
                for command in (
                    NameUnknown(1, "b"),
                    Relearn("a", 10),
                    ClassWeight("b", 0.5),
                    Calibrate(40, 10),
                ):
                    assert await step.execute(command) is None
                assert await step.feed(synthesize("tilted", 15.0).samples, False) is None
                assert await step.compare_state() is None
                assert step.windows > 200
                with pytest.raises(DeviceError, match="named before"):
                    await step.execute(NameUnknown(1, "c"))

            assert seen.latest[0].number == 1
            assert 0 < seen.latest[0].kept <= seen.latest[0].windows
            (a, b) = await board.class_status()
            assert (a.lessons, b.lessons) == (10, seen.latest[0].kept)
            assert [one.weight for one in (a, b)] == [1.0, 0.5]
            assert [np.float32(one.limit) for one in (a, b)] == [
                np.float32(one.limit) for one in twin.class_status()
            ]
            watch, own = await board.watch(), twin.watch()
            assert watch.normal_windows == own.normal_windows
            assert watch.mean == tuple(own.mean)
            assert (watch.limit, watch.tilt_deg) == (own.limit, own.tilt_deg)

    asyncio.run(main())


@needs_compiler
@pytest.mark.parametrize("machine", [unicorn])
def test_the_command_line_on_an_emulated_board(
    machine: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "home"))
    tinyol = Tinyol(capsys)
    stuck, tilted = (
        f"emu:?machine={machine}&speed=20&source=synth:{mode}" for mode in ("stuck", "tilted")
    )
    tinyol.done("label", "still", "--add", "--windows", "30", "-d", stuck)
    status, said, warned = tinyol("calibrate", "--windows", "60", "-d", tilted)
    assert (status, "relearn" in said, "an alarm stands" in warned) == (0, True, True)
    found = json.loads(tinyol.done("unknown", "--json", "-d", tilted))
    assert found["events"] >= 1
    assert "a new class" in tinyol.done("unknown", "name", "last", "leaning", "-d", tilted)
    assert "begun anew" in tinyol.done("relearn", "still", "--seconds", "3", "-d", stuck)
