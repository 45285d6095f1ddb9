"""How long things take over the air, in connection events: this machine's speed has no part in it.

An event every 30 ms with four packets each way, as phones and computers grant it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator

import numpy as np
import pytest
from ble_radio_cases import Range, bundle_of_4_kb, in_range
from radio.air import Pace
from small_models import vibration

from tinyol_host.board import Board
from tinyol_host.events import Event, Lost, Prediction, Samples
from tinyol_sim.twin import Twin

PACE = Pace(interval_ms=30.0, packets_per_event=4)
HOP, RATE_HZ = 10, 100  # of bundle_of_4_kb: ten windows a second
LENGTH = 150
TRIES = 3  # the best counts: a machine that is busy for more than an interval only adds events


@pytest.fixture(scope="module")
def radio_range() -> Iterator[Range]:
    with in_range(PACE) as where:
        yield where


@pytest.fixture
def near(radio_range: Range) -> Range:
    radio_range.fresh(bundle_of_4_kb())
    return radio_range


async def least_events(near: Range, work: Callable[[], Awaitable[object]]) -> int:
    """Connection events that it takes."""
    taken = []
    for _ in range(TRIES):
        first = near.air.events
        await work()
        taken.append(near.air.events - first)
    return min(taken)


@pytest.mark.parametrize(("max_mtu", "pull_ms", "push_ms"), [(247, 300, 400), (23, 3000, 3000)])
def test_a_state_image_of_4_kb_comes_and_goes_in_time(
    near: Range, max_mtu: int, pull_ms: int, push_ms: int
) -> None:
    near.fresh(bundle_of_4_kb(), max_mtu)
    twin = Twin(near.bundle)
    twin.feed(vibration(500))
    assert len(twin.state) >= 4096

    async def work(board: Board) -> tuple[int, int]:
        push = await least_events(near, lambda: board.push_state(twin.state))
        pull = await least_events(near, board.pull_state)
        assert await board.pull_state() == twin.state
        return push, pull

    push, pull = near.do(work)
    assert pull * PACE.interval_ms < pull_ms
    assert push * PACE.interval_ms < push_ms


@pytest.mark.parametrize("max_mtu", [23, 247])
def test_live_predictions_never_fall_behind(near: Range, max_mtu: int) -> None:
    near.fresh(bundle_of_4_kb(), max_mtu)
    n_windows = 40
    x = vibration(LENGTH + HOP * n_windows)

    async def work(board: Board) -> list[int]:
        taken = []
        near.sense(x[: LENGTH - HOP])
        async with board.stream(predictions=True) as events:
            for i in range(n_windows):
                first = near.air.events
                start = LENGTH - HOP + HOP * i
                near.sense(x[start : start + HOP])
                event = await asyncio.wait_for(anext(events), 10.0)
                assert isinstance(event, Prediction)
                assert event.window_index == i
                # All of it is through before the next window, 100 ms later.
                assert near.radio.run(lambda: near.air.waiting) == 0
                taken.append(near.air.events - first)
        return taken

    taken = near.do(work)
    assert max(taken) <= 2


@pytest.mark.parametrize("max_mtu", [23, 247])
def test_samples_and_predictions_of_five_seconds_go_in_less(near: Range, max_mtu: int) -> None:
    near.fresh(bundle_of_4_kb(), max_mtu)
    seconds = 5
    x = vibration(LENGTH + seconds * RATE_HZ)

    async def work(board: Board) -> int:
        near.sense(x[:LENGTH])
        windows = samples = 0
        async with board.stream(predictions=True, samples=True) as events:
            first = near.air.events
            near.sense(x[LENGTH:])
            while windows < seconds * RATE_HZ // HOP or samples < seconds * RATE_HZ // 8 * 8:
                event: Event = await asyncio.wait_for(anext(events), 20.0)
                assert not isinstance(event, Lost)
                windows += isinstance(event, Prediction)
                samples += len(event.samples) if isinstance(event, Samples) else 0
            return near.air.events - first

    taken = near.do(work)
    assert taken * PACE.interval_ms < 1000 * seconds


@pytest.mark.parametrize("max_mtu", [23, 24, 60, 182, 183, 185, 247])
def test_no_notification_is_longer_than_the_link_carries(near: Range, max_mtu: int) -> None:
    near.fresh(bundle_of_4_kb(), max_mtu)
    near.air.longest_value = 0
    x = vibration(LENGTH + 40)

    async def work(board: Board) -> None:
        for name in ("a", "b", "fifteen letters"):
            await board.add_class(name)
        async with board.stream(predictions=True, samples=True, changes=True, log=True) as events:
            near.sense(np.vstack([x, [[np.nan, 0, 0]]]).astype(np.float32))
            await board.label("a", 5)
            assert len((await board.metrics()).f1) == 3
            assert len(await board.classes()) == 3
            await board.settings()
            await board.alarms()
            async with board.feeding() as feeding:
                await feeding.feed(x[:40])
            image = await board.pull_state()
            seen: list[Event] = []
            while not any(isinstance(event, Prediction) for event in seen):
                seen.append(await asyncio.wait_for(anext(events), 10.0))
        assert image == near.state()
        assert board.health.bad_frames == 0
        assert (await board.info()).lost_events == 0

    near.do(work)
    assert max_mtu - 23 <= near.air.longest_value <= max_mtu - 3
