"""Calibration: the share of false alarms that was asked for, and a board left in order always."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

import numpy as np
import pytest
from client_boards import WatchedLink, connect_over
from faulty_link import QUICK, DeviceInProcess
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from small_replay import HOP, WINDOW_LEN

from tinyol_host import calibration, silence
from tinyol_host.board import Board
from tinyol_host.calibration import (
    THRESHOLD,
    Phase,
    Plan,
    calibrate,
)
from tinyol_host.calibration_outcome import Calibration
from tinyol_host.events import Event, Prediction
from tinyol_host.protocol import Opcode
from tinyol_host.reply_or_stop import StoppedError
from tinyol_host.threshold_rule import enough_windows, likely_share, windows_needed
from tinyol_sim.bundle import default_bundle
from tinyol_sim.errors import DeviceError
from tinyol_sim.synth import FIELD_FAN, FIELD_PLACEMENT, synthesize
from tinyol_sim.twin import Twin

Array = NDArray[np.float32]
PLAN = Plan(fine_tune=30, windows=60, false_alarms=0.05)
WAS = 5.0  # the small bundle's threshold


# --- the rule -----------------------------------------------------------------------------


@given(st.floats(1e-4, 0.5), st.integers(0, 500))
def test_the_rank_is_the_largest_that_keeps_the_share(share: float, more: int) -> None:
    least = windows_needed(share)
    assert 1 / share - 1 - 1e-3 <= least < 1 / share + 1e-3
    plan = Plan(0, least + more, share)
    assert plan.rank / (plan.windows + 1) <= share * (1 + 1e-6)
    assert (plan.rank + 1) / (plan.windows + 1) > share
    if least > 1:
        with pytest.raises(DeviceError, match=rf"that takes {least:,} or more"):
            Plan(0, least - 1, share)
    assert Plan(0, enough_windows(share), share).rank >= 4


@pytest.mark.parametrize("share", [0.0, 1e-320, 1.0, -0.1, math.nan])
def test_a_share_is_between_none_and_all(share: float) -> None:
    with pytest.raises(DeviceError, match="from 1e-05 to below 1"):
        Plan(0, 100, share)


def test_the_next_windows_lie_above_it_as_often_as_it_says() -> None:
    rng = np.random.default_rng(1)
    plan = Plan(0, 99, 0.04)
    errors = rng.exponential(1.0, (4000, 99))
    shares = np.exp(-np.sort(errors)[:, -plan.rank])  # of an exponential distribution, above it
    assert shares.mean() == pytest.approx(plan.rank / 100, rel=0.03)
    low, high = likely_share(plan.rank, 99, 1.0)
    assert np.mean((shares > low) & (shares < high)) == pytest.approx(0.9, abs=0.02)
    wider = likely_share(plan.rank, 99, 2.0)
    assert wider[0] < low < high < wider[1]


# --- a machine, and a board on it ---------------------------------------------------------


def noise(n: int, seed: int = 0, size: float = 0.2) -> Array:
    return np.random.default_rng(seed).normal(0, size, (n, 3)).astype(np.float32)


@asynccontextmanager
async def running(
    link: WatchedLink, samples: Callable[[int], Array] = lambda i: noise(40, i), gap: bool = False
) -> AsyncIterator[None]:
    """The board's own sensor gives them, stretch after stretch."""

    async def sense() -> None:
        number = 0
        while True:
            link.sense(samples(number), gap)
            number += 1
            await asyncio.sleep(0.002)

    task = asyncio.create_task(sense())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait({task})


def on_board(
    work: Callable[[Board, WatchedLink], Awaitable[None]], link: WatchedLink | None = None
) -> None:
    async def main() -> None:
        way = link or WatchedLink(DeviceInProcess(), device_notices=True)
        board = await connect_over(way, timing=replace(QUICK, give_up_s=0.3))
        async with board:
            await work(board, way)

    asyncio.run(main())


async def threshold_of(board: Board) -> float:
    return (await board.settings())[THRESHOLD]


async def in_order(board: Board, threshold: float = WAS) -> None:
    assert await threshold_of(board) == threshold
    assert (await board.info()).fine_tune_left == 0


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(silence, "SILENCE_S", 0.4)
    monkeypatch.setattr(calibration, "_POLL_S", 0.005)


def test_it_fine_tunes_then_sets_the_threshold_and_nothing_else() -> None:
    seen: list[tuple[Phase, int, int, int]] = []

    def show(phase: Phase, done: int, total: int, later: int, errors: Sequence[float]) -> None:
        assert len(errors) >= done
        seen.append((phase, done, total, later))

    async def work(board: Board, link: WatchedLink) -> None:
        await board.add_class("a")
        before = await board.settings()
        async with running(link), board.stream(predictions=True) as events:
            found = await calibrate(board, PLAN, show=show)
        after = await board.settings()
        assert after == {**before, THRESHOLD: found.after.threshold}
        assert await board.classes() == ["a"]
        info = await board.info()
        assert (info.fine_tune_left, info.reconstruction.applied) == (0, PLAN.fine_tune)
        told = [await anext(events) for _ in range(PLAN.fine_tune + PLAN.windows)]
        windows = [w for w in told if isinstance(w, Prediction)]
        assert sum(w.fine_tuned for w in windows) == found.steps == PLAN.fine_tune
        check(found, [w for w in await rest(events, windows, found.at) if not w.fine_tuned])

    async def rest(
        events: AsyncIterator[Event], windows: list[Prediction], at: int
    ) -> list[Prediction]:
        """All windows up to sample `at`, before which the threshold was set."""
        while windows[-1].sample_index < at - HOP:
            window = await anext(events)
            assert isinstance(window, Prediction)
            windows.append(window)
        return windows

    def check(found: Calibration, windows: list[Prediction]) -> None:
        """The windows watched are so many in a row; which, the mean of their errors says."""
        n = PLAN.windows
        for i in range(len(windows) - n + 1):
            errors = [window.tuned_error for window in windows[i : i + n]]
            if sum(errors) / n == found.tuned.mean_error:
                break
        frozen = [window.error for window in windows[i : i + n]]
        assert found.after.threshold == sorted(errors)[-3]
        assert (found.after.above, found.after.windows) == (2, n)
        assert found.expected == 3 / 61
        assert found.tuned.mean_error == found.after.mean_error == sum(errors) / n
        assert found.tuned.above == sum(error > WAS for error in errors)
        assert found.frozen
        assert found.before is not None
        assert found.before.mean_error == pytest.approx(np.mean(frozen))
        assert found.before.threshold == found.tuned.threshold == WAS

    on_board(work)
    assert seen[0][0] is Phase.FINE_TUNING
    assert seen[0][2:] == (PLAN.fine_tune, PLAN.windows)
    assert seen[-1] == (Phase.WATCHING, PLAN.windows, PLAN.windows, 0)


def test_without_fine_tuning_and_once_more() -> None:
    async def work(board: Board, link: WatchedLink) -> None:
        async with running(link):
            found = await calibrate(board, Plan(0, 60, 0.05))
            assert (found.steps, found.before) == (0, None)
            assert (await board.info()).reconstruction.applied == 0
            await calibrate(board, PLAN)
            again = await calibrate(board, PLAN)
        assert not again.frozen
        assert again.before is not None
        assert again.before.windows == 20
        assert (await board.info()).reconstruction.applied == 2 * PLAN.fine_tune

    on_board(work)


def test_gaps_and_refused_samples_are_told() -> None:
    def samples(number: int) -> Array:
        rows = noise(60, number)
        if number == 5:
            rows[7, 1] = np.nan
        return rows

    async def work(board: Board, link: WatchedLink) -> None:
        async with running(link, samples, gap=True):
            found = await calibrate(board, PLAN)
        assert any("gaps in the samples" in note for note in found.notes)
        assert "1 sample refused on the way" in found.notes

    on_board(work)


def test_a_machine_that_changes_meanwhile_is_told() -> None:
    async def work(board: Board, link: WatchedLink) -> None:
        async with running(link, lambda i: noise(40, i, 0.2 if i < 12 else 0.8)):
            found = await calibrate(board, Plan(0, 200, 0.05))
        assert any("the mean error went from" in note for note in found.notes)
        async with running(link, lambda i: noise(40, i, 0.2)):
            found = await calibrate(board, Plan(0, 200, 0.05))
        assert not found.notes

    on_board(work)


# --- what ends it before its time ---------------------------------------------------------


@pytest.mark.parametrize("phase", list(Phase))
def test_stopped_it_leaves_the_board_in_order(phase: Phase) -> None:
    stop = asyncio.Event()

    def show(now: Phase, done: int, total: int, later: int, errors: Sequence[float]) -> None:
        if now is phase and done:
            stop.set()

    async def work(board: Board, link: WatchedLink) -> None:
        async with running(link):
            with pytest.raises(StoppedError) as stopped:
                await calibrate(board, Plan(300, 3000, 0.05), stop=stop, show=show)
        await in_order(board)
        taken = (await board.info()).reconstruction.applied
        assert 0 < taken <= 300
        assert (taken == 300) == (phase is Phase.WATCHING)
        plural = "" if taken == 1 else "s"
        assert str(stopped.value) == (
            f"stopped; {THRESHOLD} is as it was, 5; fine-tuning is off, {taken} step{plural} of it"
            " stay"
        )

    on_board(work)


def test_cancelled_too() -> None:
    async def work(board: Board, link: WatchedLink) -> None:
        async with running(link):
            task = asyncio.create_task(calibrate(board, Plan(3000, 60, 0.05)))
            while Opcode.FINE_TUNE not in link.opcodes():
                await asyncio.sleep(0.001)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        await in_order(board)

    on_board(work)


async def fails(board: Board, says: str, plan: Plan = PLAN) -> None:
    with pytest.raises(DeviceError, match=says):
        await calibrate(board, plan)
    await in_order(board)


def test_a_board_without_samples_is_told_as_one() -> None:
    async def work(board: Board, link: WatchedLink) -> None:
        await fails(board, r"no window for .* no sensor, and nobody feeds it; .* as it was, 5; fin")
        await fails(board, r"nobody feeds it; .* as it was, 5$", Plan(0, 60, 0.05))

    on_board(work)


def test_samples_that_make_no_window_are_told() -> None:
    async def work(board: Board, link: WatchedLink) -> None:
        async with running(link, lambda i: noise(WINDOW_LEN - 1, i), gap=True):
            await fails(
                board, r"no window for .* 0 were refused, with [\d,]+ gaps; a window takes 12"
            )
        async with running(link, lambda i: np.full((HOP, 3), np.nan, np.float32)):
            await fails(board, r"samples came, of which [\d,]+ were refused")

    on_board(work)


def test_a_sensor_whose_values_stand_still_sets_no_threshold() -> None:
    async def work(board: Board, link: WatchedLink) -> None:
        async with running(link, lambda i: np.ones((40, 3), np.float32)):
            await fails(board, "have the same error.*do not move", Plan(0, 60, 0.05))

    on_board(work)


def test_fine_tuning_that_diverged_sets_no_threshold() -> None:
    says = r"has diverged: .* mean error is .*, the frozen net's .* skipped; .*`tinyol reset`"

    async def work(board: Board, link: WatchedLink) -> None:
        await board.set("reconstruction.learning_rate", 10)
        async with running(link):
            await fails(board, says + ".*smaller reconstruction.learning_rate; .* as it was, 5; fi")
            await fails(board, says, Plan(0, 60, 0.05))  # nor does it later
            await board.reset()
            found = await calibrate(board, PLAN)
        assert found.skipped == 0
        assert await threshold_of(board) == found.after.threshold

    on_board(work)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda other: other.set("classifier.l2", 0.1), "somebody else turned a setting meanwhile"),
        (lambda other: other.fine_tune(0), "somebody else turned its fine-tuning"),
        (lambda other: other.reset(), "somebody else reset the board"),
    ],
)
def test_what_somebody_else_changes_spoils_it(
    change: Callable[[Board], Awaitable[None]], says: str
) -> None:
    async def work(board: Board, link: WatchedLink) -> None:
        theirs = WatchedLink(link.device)
        theirs._link = 1

        def relay(message: bytes) -> None:
            asyncio.get_running_loop().call_soon(link.pump)  # what the board has to say to us

        theirs.on_send = relay
        async with await connect_over(theirs) as other, running(link):
            task = asyncio.create_task(calibrate(board, Plan(30, 3000, 0.05)))
            while Opcode.FINE_TUNE not in link.opcodes():
                await asyncio.sleep(0.001)
            await change(other)
            with pytest.raises(DeviceError, match=says):
                await task
        await in_order(board)

    on_board(work)


def test_a_board_that_is_being_fine_tuned_has_no_threshold_yet() -> None:
    async def work(board: Board, link: WatchedLink) -> None:
        await board.fine_tune(None)
        with pytest.raises(DeviceError, match=r"is being fine-tuned.*fine-tune off"):
            await calibrate(board, Plan(0, 60, 0.05))
        assert (await board.info()).fine_tune_left is None  # theirs

    on_board(work)


def test_a_link_that_is_cut_for_good() -> None:
    async def work(board: Board, link: WatchedLink) -> None:
        async with running(link):
            task = asyncio.create_task(calibrate(board, Plan(3000, 60, 0.05)))
            while Opcode.FINE_TUNE not in link.opcodes():
                await asyncio.sleep(0.001)
            link.vanish()
            with pytest.raises(
                DeviceError, match=r"cable is gone.*as it was, 5; the board goes on"
            ):
                await task

    on_board(work)


def test_a_link_that_comes_back_costs_nothing() -> None:
    async def work(board: Board, link: WatchedLink) -> None:
        async with running(link):
            task = asyncio.create_task(calibrate(board, PLAN))
            for _ in range(3):
                await asyncio.sleep(0.02)
                link.cut()
            found = await task
        assert found.steps == PLAN.fine_tune
        assert await threshold_of(board) == found.after.threshold

    on_board(work)


def test_a_long_cut_is_no_silence_of_the_board() -> None:
    async def main() -> None:
        link = WatchedLink(DeviceInProcess(), device_notices=True)
        async with await connect_over(link, timing=QUICK) as board:
            identity = board.identity
            window_s = (identity.window_len + identity.hop) / identity.rate_hz
            async with running(link):
                task = asyncio.create_task(calibrate(board, Plan(0, 1000, 0.05)))
                await asyncio.sleep(0.05)
            await asyncio.sleep(0.05)  # every window so far was counted
            link.vanish()
            await asyncio.sleep(max(silence.SILENCE_S, 3 * window_s) + 0.2)
            link.refuse_open = None
            await asyncio.sleep(0.1)  # the link is back before the first window
            async with running(link):
                found = await task
        assert found.after.windows == 1000

    asyncio.run(main())


def test_a_board_that_restarts() -> None:
    async def work(board: Board, link: WatchedLink) -> None:
        async with running(link):
            task = asyncio.create_task(calibrate(board, PLAN))
            await asyncio.sleep(0.02)
            link.reboots_when_cut = True
            link.cut()
            with pytest.raises(
                DeviceError, match=r"has restarted.*; it is now as it was saved last"
            ):
                await task
        await in_order(board)

    on_board(work)


# --- the re-mounted fan -------------------------------------------------------------------


def fan(seconds: float, seed: int) -> Array:
    return synthesize(
        "normal", seconds, seed=seed, fan=FIELD_FAN, placement=FIELD_PLACEMENT
    ).samples


def test_false_alarms_on_the_remounted_fan_are_near_what_was_asked() -> None:
    bundle = default_bundle(119.0)
    plan = Plan(fine_tune=300, windows=400, false_alarms=0.03)
    samples = fan((plan.fine_tune + plan.windows + 100) * 20 / 119, seed=41)

    async def work(board: Board, link: WatchedLink) -> None:
        await board.set("anomaly.detector", 0)
        async with running(link, lambda i: samples[100 * i : 100 * (i + 1)]):
            found = await calibrate(board, plan)
        assert found.before is not None
        assert found.before.share_above > 0.9  # the trained threshold is of no use here
        assert found.tuned.mean_error < found.before.mean_error / 2
        assert found.tuned.share_above > 0.25  # nor is it after fine-tuning
        twin = Twin(bundle)
        twin.state = await board.pull_state()
        later = twin.feed(fan(200, seed=42))
        assert 0.01 < later.anomaly.mean() < 0.08
        untouched = Twin(bundle)
        untouched.set("anomaly.detector", 0)
        assert untouched.feed(fan(100, seed=42)).anomaly.mean() > 0.9

    on_board(work, WatchedLink(DeviceInProcess(bundle), device_notices=True))


def test_it_waits_long_enough_for_a_slow_models_window(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(silence, "SILENCE_S", 0.0)

    async def work(board: Board, link: WatchedLink) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        with pytest.raises(DeviceError, match="no window for"):
            await calibrate(board, Plan(0, 60, 0.05))
        assert loop.time() - began > 2 * (WINDOW_LEN + HOP) / board.identity.rate_hz

    on_board(work)
