"""Calibration on the device: what is normal is taken over at its end, or not at all."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable

import numpy as np
import pytest
from client_boards import WatchedLink, connect_over
from small_replay import HOP
from test_calibration import noise, on_board, running

from tinyol_host import normal_calibration, silence
from tinyol_host.board import Board
from tinyol_host.normal_calibration import NormalPlan, calibrate_normal
from tinyol_host.protocol import Opcode
from tinyol_host.reply_or_stop import StoppedError
from tinyol_host.watch_replies import Watch
from tinyol_sim.errors import DeviceError
from tinyol_sim.twin import Twin

PLAN = NormalPlan(60, 30)
STANDS = "what was normal before still stands"


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(silence, "SILENCE_S", 0.4)
    monkeypatch.setattr(normal_calibration, "_POLL_S", 0.005)


def normal_of(watch: Watch) -> tuple[int, tuple[float, float], tuple[float, float, float]]:
    return watch.normal_windows, watch.mean, watch.covariance


async def begun(link: WatchedLink) -> None:
    while Opcode.CALIBRATE not in link.opcodes():
        await asyncio.sleep(0.001)


async def in_order(board: Board, before: Watch) -> None:
    now = await board.watch()
    assert (now.calibration_steps_left, now.calibration_windows_left) == (0, 0)
    assert (await board.info()).fine_tune_left == 0
    assert normal_of(now) == normal_of(before)


def test_too_few_windows() -> None:
    with pytest.raises(DeviceError, match=r"29 windows are too few .* 30 or more"):
        NormalPlan(29)


def test_it_is_what_a_twin_takes_for_normal() -> None:
    async def work(board: Board, link: WatchedLink) -> None:
        await board.set("anomaly.learn", 0.0)
        samples = [noise(40, i) for i in range(40)]
        async with running(link, lambda i: samples[i] if i < len(samples) else noise(1)[:0]):
            found = await calibrate_normal(board, NormalPlan(100, 20))
        assert found.steps == 20
        assert sum(found.predicted.values()) == 100
        assert found.unknown == 0

        twin, fed = Twin(link.device.bundle), np.concatenate(samples)
        begin = found.at - (100 + 20) * HOP
        twin.feed(fed[:begin])
        twin.calibrate(100, 20)
        twin.feed(fed[begin : found.at])
        assert twin.watch().normal_windows == 100
        assert np.array_equal(np.float32(twin.watch().mean), np.float32(found.after.mean))
        assert twin.watch().limit == found.after.limit

    on_board(work)


def test_false_alarms_set_the_rate() -> None:
    async def work(board: Board, link: WatchedLink) -> None:
        async with running(link):
            few = await calibrate_normal(board, NormalPlan(60, 0, 0.001))
            many = await calibrate_normal(board, NormalPlan(60, 0, 0.1))
        assert (await board.settings())["anomaly.false_rate"] == pytest.approx(0.1)
        assert 0 < many.after.limit < few.after.limit

    on_board(work)


@pytest.mark.parametrize("tuning", [False, True])
def test_stopped_it_leaves_the_board_in_order(tuning: bool) -> None:
    stop = asyncio.Event()

    def show(tunes: bool, done: int, total: int, later: int) -> None:
        if tunes is tuning and done:
            stop.set()

    async def work(board: Board, link: WatchedLink) -> None:
        await board.set("anomaly.learn", 0.0)
        before = await board.watch()
        async with running(link):
            with pytest.raises(StoppedError) as stopped:
                await calibrate_normal(board, NormalPlan(3000, 300), stop=stop, show=show)
        taken = (await board.info()).reconstruction.applied
        assert (taken == 300) is not tuning
        plural = "" if taken == 1 else "s"
        said = f"stopped; {STANDS}; {taken} fine-tuning step{plural} of it stay"
        assert str(stopped.value) == said
        await in_order(board, before)

    on_board(work)


def test_cancelled_too() -> None:
    async def work(board: Board, link: WatchedLink) -> None:
        await board.set("anomaly.learn", 0.0)
        before = await board.watch()
        async with running(link):
            task = asyncio.create_task(calibrate_normal(board, NormalPlan(3000)))
            await begun(link)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        await in_order(board, before)

    on_board(work)


def test_a_board_without_samples_is_told_as_one() -> None:
    async def work(board: Board, link: WatchedLink) -> None:
        before = await board.watch()
        with pytest.raises(DeviceError, match=rf"no window for .* nobody feeds it; {STANDS}$"):
            await calibrate_normal(board, NormalPlan(60))
        await in_order(board, before)

    on_board(work)


def test_values_that_stand_still_become_no_normal() -> None:
    async def work(board: Board, link: WatchedLink) -> None:
        before = await board.watch()
        still = np.full((40, 3), 0.25, np.float32)
        async with running(link, lambda i: still):
            with pytest.raises(DeviceError, match=rf"^the sensor's values do not .*; {STANDS}$"):
                await calibrate_normal(board, NormalPlan(60))
        assert (await board.watch()).normal_windows >= before.normal_windows

    on_board(work)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda other: other.calibrate(0), "somebody else calibrated it meanwhile"),
        (lambda other: other.fine_tune(5), "somebody else turned its fine-tuning"),
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
            task = asyncio.create_task(calibrate_normal(board, NormalPlan(3000, 30)))
            await begun(link)
            await change(other)
            with pytest.raises(DeviceError, match=says):
                await task
        now = await board.watch()
        assert now.calibration_windows_left == 0

    on_board(work)


def test_a_link_that_is_cut_for_good() -> None:
    async def work(board: Board, link: WatchedLink) -> None:
        async with running(link):
            task = asyncio.create_task(calibrate_normal(board, NormalPlan(3000)))
            await begun(link)
            link.vanish()
            with pytest.raises(
                DeviceError,
                match=r"cable is gone.*the board goes on .* 3,000 windows.*calibrate --stop",
            ):
                await task

    on_board(work)


def test_a_link_that_comes_back_costs_nothing() -> None:
    async def work(board: Board, link: WatchedLink) -> None:
        async with running(link):
            task = asyncio.create_task(calibrate_normal(board, PLAN))
            for _ in range(3):
                await asyncio.sleep(0.02)
                link.cut()
            found = await task
        assert found.steps == PLAN.fine_tune
        assert found.after.normal_windows >= PLAN.windows

    on_board(work)


def test_fine_tuning_that_diverged_is_told() -> None:
    async def work(board: Board, link: WatchedLink) -> None:
        await board.set("reconstruction.learning_rate", 30.0)
        async with running(link):
            with pytest.raises(DeviceError, match=r"has diverged.*is normal was replaced all the"):
                await calibrate_normal(board, NormalPlan(60, 100))

    on_board(work)


def test_the_share_of_anomalies_afterwards_is_near_what_was_asked() -> None:
    async def work(board: Board, link: WatchedLink) -> None:
        await board.set("anomaly.learn", 0.0)
        async with running(link):
            await calibrate_normal(board, NormalPlan(300, 0, 0.05))
            found = []
            async with board.stream(predictions=True) as events:
                async for event in events:
                    found.append(event.anomaly)  # type: ignore[union-attr]
                    if len(found) == 2000:
                        break
        # 300 windows tell the limit to about a third of the share; windows overlap.
        assert math.isclose(np.mean(found), 0.05, abs_tol=0.03)

    on_board(work)
