"""A board and its twin are given the same, and do the same: each kind of command by itself."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from tinyol_host.board import Board
from tinyol_host.verify import verify_recording
from tinyol_sim.bundle import Bundle
from tinyol_sim.commands import (
    AddClass,
    FineTune,
    Gap,
    Label,
    LabelBack,
    RemoveClass,
    RenameClass,
    Reset,
    SetSetting,
)
from tinyol_sim.errors import StateImageError
from tinyol_sim.recordings import concatenate
from tinyol_sim.script import script_of
from tinyol_sim.settings import SETTINGS
from tinyol_sim.synth import FIELD_FAN, FIELD_PLACEMENT, MODES, synthesize

from .live_board import InStep, LiveBoard, in_step

Array = NDArray[np.float32]


class Case:
    """One test's work, with samples that fit the model."""

    def __init__(self, live: LiveBoard, bundle: Bundle) -> None:
        self._live, self.bundle = live, bundle

    def run(self, work: Callable[[InStep], Awaitable[None]]) -> None:
        async def main(board: Board) -> None:
            async with in_step(board, self.bundle) as pair:
                await work(pair)

        self._live.run(main)

    def windows(self, n: int, mode: str = "normal", seed: int = 0) -> Array:
        """Samples of the simulated fan that complete n windows after a gap."""
        pipeline = self.bundle.pipeline
        samples = pipeline.window_len + (n - 1) * pipeline.hop
        seconds = (samples + 1) / pipeline.rate_hz
        return synthesize(
            mode,
            seconds,
            rate_hz=pipeline.rate_hz,
            seed=seed,
            fan=FIELD_FAN,
            placement=FIELD_PLACEMENT,
        ).samples[:samples]


@pytest.fixture
def case(live: LiveBoard, bundle: Bundle) -> Case:
    return Case(live, bundle)


def test_it_says_who_it_is_and_passes_its_self_test(live: LiveBoard, bundle: Bundle) -> None:
    async def work(board: Board) -> None:
        identity, pipeline = board.identity, bundle.pipeline
        assert identity.window_len == pipeline.window_len
        assert identity.hop == pipeline.hop
        assert identity.rate_hz == pytest.approx(pipeline.rate_hz)
        assert (identity.max_classes, identity.ring_len) == (
            pipeline.max_classes,
            pipeline.ring_len,
        )
        assert not board.warnings
        assert (await board.info()).self_test_ok
        assert (await board.self_test()).passed

    live.run(work)


def test_a_recording_with_labels(live: LiveBoard, bundle: Bundle, case: Case) -> None:
    rate_hz = bundle.pipeline.rate_hz
    n = len(case.windows(80))
    parts = [
        synthesize(mode, (n + 1) / rate_hz, rate_hz=rate_hz, seed=i).with_label(mode)
        for i, mode in enumerate((*MODES, *MODES))
    ]
    script = script_of(concatenate(parts), fine_tune=60)
    verdict = live.run(lambda board: verify_recording(board, bundle, script))
    assert verdict.identical, verdict.difference
    assert verdict.windows + verdict.unheard > 400
    assert verdict.updates > 400


def test_classes_and_labels(case: Case) -> None:
    async def work(pair: InStep) -> None:
        await pair.do(AddClass("a"), AddClass("größer"), Label("a", 20))
        await pair.feed(case.windows(30))
        await pair.do(Label("größer"))
        await pair.feed(case.windows(30, "stuck", 1), gap=True)
        await pair.do(RenameClass("a", "b b"), AddClass("c"), Label("c", 10))
        await pair.feed(case.windows(20, "tilted", 2))
        await pair.same_state()
        await pair.do(RemoveClass("größer"))
        await pair.feed(case.windows(20, "stuck", 3))
        await pair.do(Label("c"), RemoveClass("c"))
        await pair.feed(case.windows(10))
        for command in (
            AddClass("b b"),
            AddClass(""),
            AddClass("sixteen bytes..."),
            AddClass("a\nb"),
            RenameClass("b b", "\x07"),
            RenameClass("x", "y"),
            RemoveClass("x"),
            Label("x"),
            LabelBack("x", 3),
        ):
            await pair.refused(command)
        for i in range(case.bundle.pipeline.max_classes - 1):
            await pair.do(AddClass(f"more {i}"))
        await pair.refused(AddClass("one too many"))
        assert await pair.board.classes() == pair.twin.classes

    case.run(work)


def test_late_labels(case: Case) -> None:
    async def work(pair: InStep) -> None:
        ring = case.bundle.pipeline.ring_len
        await pair.do(AddClass("a"), AddClass("b"))
        await pair.feed(case.windows(ring + 5))
        await pair.do(LabelBack("a", 3), LabelBack("b", 10), LabelBack("b", 10))
        await pair.feed(case.windows(12, "stuck"))
        await pair.do(LabelBack("b", 65535), Gap(), LabelBack("a", 1))
        await pair.feed(case.windows(12, "tilted"))
        await pair.do(LabelBack("a", 5))

    case.run(work)


def test_fine_tuning(case: Case) -> None:
    async def work(pair: InStep) -> None:
        await pair.do(FineTune(30))
        await pair.feed(case.windows(40))
        assert pair.twin.counters()["reconstruction_steps"] == 30
        await pair.do(FineTune(None))
        await pair.feed(case.windows(25, seed=1))
        await pair.do(FineTune(0))
        await pair.feed(case.windows(10, seed=2))
        for loss in range(4):
            await pair.do(SetSetting("reconstruction.loss", loss), FineTune(12))
            await pair.feed(case.windows(15, seed=3 + loss))
            await pair.same_state()

    case.run(work)


def test_settings(case: Case) -> None:
    async def work(pair: InStep) -> None:
        await pair.do(AddClass("a"), AddClass("b"), FineTune(None))
        samples = [case.windows(6, mode) for mode in ("normal", "stuck")]
        for name, info in SETTINGS.items():
            before = pair.twin.get(name)
            middle = round((info.minimum + min(info.maximum, 2.0)) / 2, 0 if info.integral else 3)
            for value in (info.maximum, info.minimum, max(middle, info.minimum)):
                await pair.do(SetSetting(name, value))
                for label, rows in zip(("a", "b"), samples, strict=True):
                    await pair.do(Label(label))
                    await pair.feed(rows)
            await pair.refused(SetSetting(name, info.maximum * 1.01 + 1))
            await pair.refused(SetSetting(name, float("nan")))
            await pair.do(SetSetting(name, before))
        assert await pair.board.settings() == pair.twin.settings()

    case.run(work)


def test_samples_that_it_refuses(case: Case) -> None:
    async def work(pair: InStep) -> None:
        await pair.do(AddClass("a"), Label("a"), FineTune(None))
        for i, bad in enumerate((np.nan, np.inf, -np.inf, 2e4, 3e38)):
            samples = case.windows(10, seed=i).copy()
            samples[len(samples) // 2, i % 3] = bad
            await pair.feed(samples)
        for size in (0.0, 1e-30, 1000.0):
            await pair.feed(case.windows(6) * np.float32(size), gap=True)
        assert pair.twin.counters()["refused_samples"] > 0

    case.run(work)


def test_reset(case: Case) -> None:
    async def work(pair: InStep) -> None:
        fresh = pair.twin.state
        await pair.do(AddClass("a"), Label("a"), FineTune(None), SetSetting("classifier.l2", 0.5))
        await pair.feed(case.windows(20))
        await pair.do(Reset())
        assert pair.twin.state == fresh
        await pair.same_state()
        await pair.feed(case.windows(20))

    case.run(work)


def test_states_go_both_ways(case: Case) -> None:
    async def work(pair: InStep) -> None:
        await pair.do(AddClass("a"), Label("a"), FineTune(10))
        await pair.feed(case.windows(20))
        early = await pair.board.pull_state()
        assert early == pair.twin.state
        await pair.do(AddClass("b"), Label("b"))
        await pair.feed(case.windows(20, "stuck"))
        late = pair.twin.state

        for damaged in (early[:-1], early[:40] + bytes([early[40] ^ 4]) + early[41:]):
            with pytest.raises(StateImageError):
                await pair.board.push_state(damaged)
            await pair.same_state()

        for image in (early, late):
            pair.twin.state = image
            await pair.board.push_state(image)
            await pair.same_state()
            await pair.do(Label("a", 5), FineTune(5))
            await pair.feed(case.windows(12, "tilted"))

    case.run(work)


def test_a_difference_is_named(case: Case) -> None:
    async def work(pair: InStep) -> None:
        await pair.do(AddClass("a"), AddClass("b b"), Label("b b"))
        await pair.do(SetSetting("classifier.head", 0.0))  # the one that has a learning rate
        await pair.feed(case.windows(10))
        await pair.board.set("classifier.learning_rate", 0.75)  # behind the twin's back
        found = await pair.difference()
        assert found is not None
        assert "classifier.learning_rate" in found
        pair.twin.set("classifier.learning_rate", 0.5)
        with pytest.raises(AssertionError, match=r"window|weights"):
            await pair.feed(case.windows(10))
        await pair.board.set("classifier.learning_rate", 0.5)
        found = await pair.difference()
        assert found is not None
        assert "softmax.weights" in found
        await pair.board.push_state(pair.twin.state)

    case.run(work)
