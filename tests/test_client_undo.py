"""Undo and warnings from a program: boards in this process and emulated, sessions on record."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytest
from emulator_cases import int8_bundle, needs_compiler, unicorn
from small_replay import recording, small_bundle
from test_undo import with_counters

from tinyol_host.board import Board, connect
from tinyol_host.live_recording import LiveRecording
from tinyol_host.lock_step import lock_step
from tinyol_host.verify import verify_session
from tinyol_sim.commands import (
    AddClass,
    Calibrate,
    Command,
    FineTune,
    Label,
    LabelBack,
    Relearn,
    RemoveClass,
    Reset,
    Undo,
)
from tinyol_sim.errors import DeviceError
from tinyol_sim.twin import Twin

T = TypeVar("T")
CALM, LOUD = (recording([(name, 600)], seed=i).samples for i, name in enumerate(("quiet", "loud")))


@pytest.fixture(autouse=True)
def _no_state_of_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("TINYOL_DEVICE", raising=False)


@pytest.fixture
def uri(tmp_path: Path) -> str:
    """A board that keeps its state in a file; no source."""
    small_bundle().save(tmp_path / "small.tinyol")
    return f"sim:?model={tmp_path / 'small.tinyol'}&source=none&state={tmp_path / 'kept.state'}"


def on_board(uri: str, work: Callable[[Board], Awaitable[T]]) -> T:
    async def main() -> T:
        async with await connect(uri) as board:
            return await work(board)

    return asyncio.run(main())


async def teach(board: Board) -> None:
    """Two classes with 50 lessons."""
    for name, samples in (("calm", CALM), ("loud", LOUD)):
        await board.add_class(name)
        await board.label(name, 50)
        async with board.feeding() as feeding:
            await feeding.feed(samples)
    await board.label(None)


async def feed(board: Board, samples: Any) -> None:
    async with board.feeding() as feeding:
        await feeding.feed(samples)


async def learned(board: Board) -> bytes:
    """The state without its counters."""
    return with_counters(await board.pull_state(), (0, 0, 0, 0, 0))


def test_a_label_is_taken_back_and_said(uri: str) -> None:
    async def work(board: Board) -> None:
        await teach(board)
        before = await learned(board)
        effect = await board.label("loud", 9)
        await feed(board, CALM[:200])
        await board.set("classifier.l2", 0.001)
        would = await board.would_undo()
        assert (would.what, would.class_name, would.at) == ("label", "loud", effect.at)
        assert (would.lessons, would.steps, would.other_changes) == (9, 0, 1)
        assert would.windows > 9
        assert (await board.undo()).undone == would
        assert await learned(board) == before
        with pytest.raises(DeviceError, match="nothing to take back"):
            await board.undo()

    on_board(uri, work)


def test_what_an_earlier_program_taught_is_taken_back(uri: str, tmp_path: Path) -> None:
    kept, before = tmp_path / "kept.state", tmp_path / "kept.state.before"
    on_board(uri, teach)
    untaught = kept.read_bytes()

    async def mistake(board: Board) -> None:
        await board.label("calm", 7)
        await feed(board, LOUD[:200])
        await board.set("classifier.l2", 0.001)

    on_board(uri, mistake)
    assert before.is_file()
    assert kept.read_bytes() != untaught
    would = on_board(uri, lambda board: board.would_undo())
    assert (would.what, would.class_name, would.lessons, would.steps) == ("label", "calm", 7, 0)
    assert would.other_changes == 1
    effect = on_board(uri, lambda board: board.undo())
    assert effect.undone == would
    assert effect.at == would.at
    assert not before.exists()
    assert kept.read_bytes() == untaught
    with pytest.raises(DeviceError, match="nothing to take back"):
        on_board(uri, lambda board: board.undo())


def test_what_this_program_has_taken_back_is_not_taken_back_again(uri: str, tmp_path: Path) -> None:
    on_board(uri, teach)

    async def work(board: Board) -> None:
        await board.label("calm", 7)
        await feed(board, LOUD[:200])
        await board.undo()

    on_board(uri, work)
    assert not (tmp_path / "kept.state.before").exists()
    with pytest.raises(DeviceError, match="nothing to take back"):
        on_board(uri, lambda board: board.would_undo())


def test_a_reset_by_an_earlier_program_is_taken_back(uri: str, tmp_path: Path) -> None:
    on_board(uri, teach)
    untaught = (tmp_path / "kept.state").read_bytes()
    on_board(uri, lambda board: board.reset())
    assert on_board(uri, lambda board: board.classes()) == []
    effect = on_board(uri, lambda board: board.undo())
    assert effect.undone is not None
    assert effect.undone.what == "reset"
    assert (tmp_path / "kept.state").read_bytes() == untaught


@pytest.mark.parametrize("how", ["pushed", "state file gone"])
def test_of_another_state_nothing_is_taken_back(uri: str, tmp_path: Path, how: str) -> None:
    on_board(uri, teach)

    async def push(board: Board) -> None:
        await board.push_state(await board.pull_state())

    if how == "pushed":
        on_board(uri, push)
    else:
        (tmp_path / "kept.state").unlink()
    with pytest.raises(DeviceError, match="nothing to take back"):
        on_board(uri, lambda board: board.undo())


def test_what_was_refused_takes_no_place(uri: str, tmp_path: Path) -> None:
    on_board(uri, teach)
    content = (tmp_path / "kept.state.before").read_bytes()

    async def work(board: Board) -> None:
        for request in (
            lambda: board.label("nobody", 5),
            lambda: board.relearn("calm", 5),
            lambda: board.calibrate(3),
            lambda: board.name_unknown(9, "x"),
        ):
            with pytest.raises(DeviceError):
                await request()
        await board.label(None)
        await board.fine_tune(0)

    on_board(uri, work)
    assert (tmp_path / "kept.state.before").read_bytes() == content


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{}",
        b"\xff\xfe",
        b'{"format": "tinyol-before", "command": {"do": "reset"}, "image": "AAAA"}',
        b'{"format": "tinyol-before", "command": {"do": "fly"}, "image": ""}',
        b'{"format": "tinyol-before", "command": 7, "image": 8}',
        b"[" * 100_000,
    ],
)
def test_a_damaged_file_is_named(uri: str, tmp_path: Path, content: bytes) -> None:
    on_board(uri, teach)
    kept = (tmp_path / "kept.state").read_bytes()
    (tmp_path / "kept.state.before").write_bytes(content)
    with pytest.raises(DeviceError, match=r"kept\.state\.before: damaged"):
        on_board(uri, lambda board: board.undo())
    assert (tmp_path / "kept.state").read_bytes() == kept


def test_the_file_says_what_it_is(uri: str, tmp_path: Path) -> None:
    on_board(uri, teach)
    found = json.loads((tmp_path / "kept.state.before").read_text())
    assert found["command"] == {"do": "label", "name": "loud", "windows": 50}


def test_where_nothing_is_kept_no_file_is_made(tmp_path: Path) -> None:
    small_bundle().save(tmp_path / "small.tinyol")
    uri = f"sim:?model={tmp_path / 'small.tinyol'}&source=none&state=none"
    on_board(uri, teach)
    assert not list(tmp_path.rglob("*.before"))


def test_while_nothing_is_meant_to_last_no_lesson_takes_its_place(uri: str, tmp_path: Path) -> None:
    on_board(uri, teach)
    content = (tmp_path / "kept.state.before").read_bytes()

    async def work(board: Board) -> None:
        async with lock_step(board, Twin(small_bundle())):
            image = await board.pull_state()
            await board.reset()
            await board.push_state(image)

    on_board(uri, work)
    assert (tmp_path / "kept.state.before").read_bytes() == content


# --- twin, lock-step, sessions -------------------------------------------------------------------

STEPS: list[tuple[Command, Any]] = [
    (AddClass("calm"), CALM),
    (Label("calm", 60), CALM),
    (Undo(), CALM[:70]),
    (Label("calm", 60), CALM),
    (AddClass("loud"), LOUD[:50]),
    (Label("loud", 60), LOUD),
    (Label(None), CALM[:50]),
    (Label("loud", 20), CALM[:200]),  # which contradicts
    (Undo(), LOUD[:60]),
    (LabelBack("calm", 6), LOUD[:60]),  # which contradicts too
    (Undo(), LOUD[:60]),
    (Relearn("loud", 9), CALM[:60]),
    (Undo(), CALM[:60]),
    (FineTune(20), LOUD[:60]),
    (Undo(), LOUD[:200]),
    (Calibrate(30, 5), LOUD[:20]),
    (Undo(), LOUD[:60]),
    (RemoveClass("calm"), LOUD[:60]),
    (Undo(), LOUD[:60]),
    (Reset(), CALM[:77]),
    (Undo(), CALM),
]


async def side_by_side(uri: str, twin: Twin) -> list[Any]:
    told = []
    async with await connect(uri) as board, lock_step(board, twin) as step:
        for command, samples in STEPS:
            if isinstance(command, Label | LabelBack) and command.name is not None:
                back = command.windows if isinstance(command, LabelBack) else None
                told.append(twin.contradiction(command.name, back))
            assert await step.execute(command) is None, command
            assert await step.compare_state() is None, command
            assert await step.feed(samples, False) is None
            assert await step.compare_state() is None
    return told


def test_twin_and_board_are_one_after_each_undo(uri: str) -> None:
    told = asyncio.run(side_by_side(uri, Twin(small_bundle())))
    assert sum(found is not None for found in told) >= 2


@needs_compiler
@pytest.mark.parametrize("machine", [unicorn])
def test_so_are_the_emulated_board_and_its_twin(tmp_path: Path, machine: str) -> None:
    int8_bundle().save(tmp_path / "int8.tinyol")
    uri = f"emu:?model={tmp_path / 'int8.tinyol'}&source=none&state=none&machine={machine}"
    asyncio.run(side_by_side(uri, Twin(int8_bundle())))


def test_a_session_on_record_with_undo_in_it_is_verified(uri: str, tmp_path: Path) -> None:
    async def work(board: Board) -> None:
        await board.add_class("before")
        await board.label("before", 3)
        async with LiveRecording(board, session=True) as live:
            with pytest.raises(DeviceError, match="nothing to take back"):
                await board.undo()  # the session began after what it would take back
            for command, samples in STEPS:
                await live.execute(command)
                await feed(board, samples)
            await live.finish()
        record = live.recorder.to_session(live.start.image, live.end_image)
        record.save(tmp_path / "session")
        assert sum(isinstance(command, Undo) for _, command in record.commands) == 8
        assert not record.lost
        verdict = verify_session(record, small_bundle())
        assert verdict.identical, verdict.difference

    on_board(uri, work)


# --- warnings ------------------------------------------------------------------------------------


def test_a_contradiction_is_told_and_the_label_is_learned(uri: str) -> None:
    async def work(board: Board) -> None:
        await teach(board)
        await feed(board, CALM[:100])
        assert (await board.label("calm", 5)).contradiction is None
        found = (await board.label_back("loud", 10)).contradiction
        assert found is not None
        assert found.class_index == 0
        assert 1 <= found.windows <= 10
        assert np.float32(0.9) <= found.confidence <= 1
        undone = (await board.undo()).undone
        assert undone is not None
        assert undone.lessons == 10

    on_board(uri, work)
