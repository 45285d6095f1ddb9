"""Whatever a board is given, in whatever order, its twin is in the same state after every step."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from emulator_cases import int8_bundle, needs_compiler, unicorn
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from small_replay import small_bundle

from tinyol_host.board import connect
from tinyol_host.lock_step import lock_step
from tinyol_sim.bundle import Bundle
from tinyol_sim.commands import (
    AddClass,
    Calibrate,
    ClassWeight,
    Command,
    FineTune,
    Gap,
    Label,
    LabelBack,
    NameUnknown,
    Relearn,
    RemoveClass,
    RenameClass,
    Reset,
    SetSetting,
    Undo,
)
from tinyol_sim.errors import DeviceError
from tinyol_sim.settings import SETTINGS
from tinyol_sim.twin import Twin


@dataclass(frozen=True)
class Feed:
    n: int
    spread: float
    seed: int
    gap: bool
    bad: bool  # one sample that a device refuses

    @property
    def samples(self) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        rng = np.random.default_rng(self.seed)
        samples = rng.normal(0, self.spread, (self.n, 3)).astype(np.float32)
        if self.bad and self.n:
            samples[self.n // 2, self.seed % 3] = [np.nan, np.inf, 2e4][self.seed % 3]
        return samples


NAMES = st.sampled_from(["a", "b", "größer", "a b", "fifteen bytes..", "", "sixteen bytes..."])
COUNTS = st.none() | st.integers(0, 30)
VALUES = {name: st.floats(i.minimum, i.maximum, width=32) for name, i in SETTINGS.items()}
SET = st.sampled_from(sorted(VALUES)).flatmap(
    lambda name: st.builds(SetSetting, st.just(name), VALUES[name] | st.sampled_from([0.0, 2.0]))
)
COMMANDS: st.SearchStrategy[Command] = st.one_of(
    st.builds(AddClass, NAMES),
    st.builds(RenameClass, NAMES, NAMES),
    st.builds(RemoveClass, NAMES),
    st.builds(Label, st.none() | NAMES, COUNTS),
    st.builds(LabelBack, NAMES, st.integers(0, 40)),
    st.builds(FineTune, COUNTS),
    st.builds(Relearn, NAMES, st.integers(0, 40)),
    st.builds(NameUnknown, st.integers(0, 4), NAMES),
    st.builds(ClassWeight, NAMES, st.sampled_from([0.0, 1e-6, 0.5, 1.0, 1e6])),
    st.builds(Calibrate, st.sampled_from([0, 29, 30, 45]), st.integers(0, 8)),
    SET,
    st.just(Gap()),
    st.just(Reset()),
    st.just(Undo()),
)
FEEDS = st.builds(
    Feed,
    st.integers(0, 150),
    st.sampled_from([0.0, 1e-3, 0.3, 5.0, 3000.0]),
    st.integers(0, 5),
    st.booleans(),
    st.booleans(),
)
SCRIPTS = st.lists(
    st.one_of(FEEDS, FEEDS, COMMANDS, st.builds(AddClass, NAMES), st.just(Undo())), max_size=25
)


async def live(uris: list[str], bundle: Bundle, script: list[Feed | Command]) -> None:
    """Each board with a twin of its own; all of them end alike."""
    async with AsyncExitStack() as stack:
        boards = [await stack.enter_async_context(await connect(u, source=False)) for u in uris]
        twins = [Twin(bundle) for _ in uris]
        steps = [
            await stack.enter_async_context(lock_step(board, twin))
            for board, twin in zip(boards, twins, strict=True)
        ]
        for what in script:
            for step in steps:
                if isinstance(what, Feed):
                    assert await step.feed(what.samples, what.gap) is None, what
                else:
                    with suppress(DeviceError):  # both refuse it
                        assert await step.execute(what) is None, what
                assert await step.compare_state() is None, what
        assert len({twin.state for twin in twins}) == 1
        assert all(step.unheard == 0 for step in steps)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    small_bundle().save(folder / "small.tinyol")
    int8_bundle().save(folder / "int8.tinyol")
    return folder


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(script=SCRIPTS)
def test_the_board_in_this_process_and_the_twin(models: Path, script: list[Feed | Command]) -> None:
    path = models / "small.tinyol"
    asyncio.run(live([f"sim:?model={path}&source=none&state=none"], small_bundle(), script))


@needs_compiler
@pytest.mark.parametrize("machine", [unicorn])
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(script=SCRIPTS)
def test_the_emulated_board_too(models: Path, machine: str, script: list[Feed | Command]) -> None:
    options = f"model={models / 'int8.tinyol'}&source=none&state=none"
    uris = [f"sim:?{options}", f"emu:?{options}&machine={machine}"]
    asyncio.run(live(uris, int8_bundle(), script))
