"""Samples from a program into a board."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest
from client_boards import WatchedLink, connect_over, every, watched
from faulty_link import DeviceInProcess, Fault
from small_models import vibration

from tinyol_host.board import connect
from tinyol_host.errors import RefusedError
from tinyol_host.events import Lost, Samples
from tinyol_host.feeding import FeedingEndedError
from tinyol_host.protocol import Kind, Message, Opcode
from tinyol_host.requests import hello
from tinyol_sim.errors import DeviceError
from tinyol_sim.twin import Twin

ALONE = "sim:?state=none&source=none"
IMAGE_REQUESTS = (Opcode.IMAGE_GET, Opcode.IMAGE_READ)
PUT_REQUESTS = (Opcode.IMAGE_PUT, Opcode.IMAGE_WRITE, Opcode.IMAGE_COMMIT)


def test_over_a_bad_link_the_board_is_still_the_twin() -> None:
    link = WatchedLink(DeviceInProcess())
    twin = Twin(link.device.bundle)
    rng = np.random.default_rng(4)
    link.fault_of = every(7, Fault.LOSE)
    cut = every(11, Fault.CUT_AFTER)

    async def main() -> None:
        async with await connect_over(link) as board:
            lose = link.fault_of
            link.fault_of = lambda request: max(
                lose(request), cut(request), key=lambda fault: fault is not Fault.NONE
            )
            for round_ in range(6):
                name = "abcd"[round_ % 4]
                if name not in twin.classes:
                    twin.add_class(name)
                    await board.add_class(name)
                windows = int(rng.integers(1, 20))
                twin.label(name, windows)
                await board.label(name, windows)
                twin.gap()
                async with board.feeding() as feeding:
                    for _ in range(3):
                        samples = vibration(int(rng.integers(1, 130)), seed=round_)
                        gap = bool(rng.integers(2))
                        fed = twin.feed(samples, gaps=[0] if gap else None)
                        assert await feeding.feed(samples, gap) == len(fed)
                twin.gap()
            assert await board.pull_state() == twin.state
            assert board.health.reconnects > 3
            assert board.health.repeats > 3

    asyncio.run(main())


def test_samples_of_another_shape_are_refused() -> None:
    async def main() -> None:
        async with await connect(ALONE) as board, board.feeding() as feeding:
            with pytest.raises(DeviceError, match=r"shape \(n, 3\), not \(4, 2\)"):
                await feeding.feed(np.zeros((4, 2)))
            assert await feeding.feed(np.empty((0, 3))) == 0
            await feeding.feed([[0.0, 0.0, 1e300]])
            assert (await board.info()).refused_samples == 1

    asyncio.run(main())


def test_the_source_makes_way_and_goes_on() -> None:
    async def main() -> None:
        async with (
            await connect("sim:?state=none&speed=100") as board,
            board.stream(samples=True) as events,
        ):
            await anext(events)  # the source feeds
            async with board.feeding() as feeding:
                before = (await board.info()).at
                for _ in range(5):
                    await feeding.feed(vibration(100))
                    await asyncio.sleep(0.02)
                assert (await board.info()).at == before + 500
                with pytest.raises(DeviceError, match="feeds the board already"):
                    async with board.feeding():
                        pass
            while True:
                event = await anext(events)
                assert not isinstance(event, Lost)
                if isinstance(event, Samples) and event.first >= before + 500:
                    assert event.gap
                    return

    asyncio.run(main())


def test_another_link_that_feeds_is_named() -> None:
    link = watched()

    async def main() -> None:
        async with await connect_over(link) as board:
            begin_feeding_on_another_link(link.device)
            with pytest.raises(RefusedError, match="another link feeds"):
                await board.add_class("a")
            with pytest.raises(RefusedError, match="another link feeds"):
                async with board.feeding():
                    pytest.fail("must not be entered")
            assert Opcode.FEED_END not in link.opcodes()
            assert (await board.info()).feeding

    asyncio.run(main())


def begin_feeding_on_another_link(device: DeviceInProcess) -> None:
    device.receive(Message(Kind.REQUEST, Opcode.HELLO, 0, 0, 0, hello(5)).to_bytes(), link=1)
    session = Message.from_bytes(device.take(link=1)[0]).session
    begin = Message(Kind.REQUEST, Opcode.FEED_BEGIN, session, 1, device.boot_id, b"")
    device.receive(begin.to_bytes(), link=1)


def test_a_feeding_that_the_board_ended_says_so() -> None:
    link = watched()

    async def main() -> None:
        async with await connect_over(link) as board:
            async with board.feeding() as feeding:
                await feeding.feed(vibration(50))
                link.cut()  # which the device notices
                with pytest.raises(FeedingEndedError, match="after 50 samples"):
                    await feeding.feed(vibration(50))
            async with board.feeding() as feeding:
                await feeding.feed(vibration(50))
            assert (await board.info()).at == 100

    asyncio.run(main())
