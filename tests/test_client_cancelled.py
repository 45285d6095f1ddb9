"""Cancelled, cut, restarted: what is left behind is in order."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import Any

import pytest
from client_boards import WatchedLink, connect_over, free, teach, watched
from faulty_link import Fault
from small_models import vibration

from tinyol_host.errors import LinkError, RebootedError
from tinyol_host.kept_state import KeptState
from tinyol_host.protocol import Message, Opcode

ALONE = "sim:?state=none&source=none"
IMAGE_REQUESTS = (Opcode.IMAGE_GET, Opcode.IMAGE_READ)
PUT_REQUESTS = (Opcode.IMAGE_PUT, Opcode.IMAGE_WRITE, Opcode.IMAGE_COMMIT)


async def cancel_at(link: WatchedLink, opcode: Opcode, task: asyncio.Task[Any]) -> None:
    """Cancels a task while its next request of that kind is under way, executed or not."""
    reached = asyncio.Event()

    def stop(request: Message) -> Fault:
        if request.opcode == opcode and not reached.is_set():
            reached.set()
            return Fault.LOSE  # executed; no reply ever comes
        return Fault.NONE

    link.fault_of = stop
    await reached.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize("opcode", [Opcode.FEED_BEGIN, Opcode.FEED, Opcode.FEED_END])
def test_a_cancelled_feeding_is_ended(opcode: Opcode) -> None:
    link = watched()

    async def main() -> None:
        async with await connect_over(link) as board:

            async def feed() -> None:
                async with board.feeding() as feeding:
                    await feeding.feed(vibration(200))

            await cancel_at(link, opcode, asyncio.create_task(feed()))
            assert not (await board.info()).feeding
            async with board.feeding() as feeding:  # it may begin again
                await feeding.feed(vibration(10))

    asyncio.run(main())


@pytest.mark.parametrize("count", [1, 2])
def test_a_cancelled_stream_is_switched_off(count: int) -> None:
    link = watched()

    async def main() -> None:
        async with await connect_over(link) as board:

            async def listen() -> None:
                async with board.stream(samples=True) as events:
                    async for _ in events:
                        pass

            task = asyncio.create_task(listen())
            if count == 1:
                await cancel_at(link, Opcode.STREAM, task)
            else:
                while not link.payloads(Opcode.STREAM):
                    await asyncio.sleep(0)
                await board.ping()
                task.cancel()
                await cancel_at(link, Opcode.STREAM, task)  # once more, while it cleans up
            await board.ping()
            assert link.payloads(Opcode.STREAM)[-1] == b"\0"
            received = link.counts.copy()
            link.sense(vibration(50))
            assert link.counts == received

    asyncio.run(main())


@pytest.mark.parametrize("opcode", [Opcode.IMAGE_READ, Opcode.IMAGE_WRITE, Opcode.IMAGE_COMMIT])
def test_a_cancelled_transfer_is_superseded(opcode: Opcode) -> None:
    link = watched()

    async def main() -> None:
        async with await connect_over(link) as board:
            await teach(board)
            image = await board.pull_state()
            work = board.pull_state() if opcode == Opcode.IMAGE_READ else board.push_state(image)
            await cancel_at(link, opcode, asyncio.ensure_future(work))
            assert await board.pull_state() == image
            await board.reset()
            await board.push_state(image)
            assert link.device.state() == image

    asyncio.run(main())


def test_a_cancelled_connect_lets_go(tmp_path: Path) -> None:
    link = watched()
    kept = KeptState(tmp_path / "kept.state")

    async def main() -> None:
        task = asyncio.ensure_future(connect_over(link, kept=kept))
        await cancel_at(link, Opcode.INFO, task)
        assert link.opcodes()[-1] == Opcode.GOODBYE
        await asyncio.wait_for(link_is_closed(link), 5)
        free(kept)

    asyncio.run(main())


async def link_is_closed(link: WatchedLink) -> None:
    while link.is_open:
        with contextlib.suppress(LinkError):
            await link.receive()


def test_ctrl_c_in_a_feeding_leaves_the_board_in_order() -> None:
    link = watched()

    async def main() -> None:
        async with (
            await connect_over(link) as board,
            board.stream(predictions=True),
            board.feeding() as feeding,
        ):
            while True:
                await feeding.feed(vibration(40))
                if len(link.sent) > 20:
                    raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        asyncio.run(main())
    assert link.opcodes()[-3:] == [Opcode.FEED_END, Opcode.STREAM, Opcode.GOODBYE]


def test_a_restart_is_told_at_the_end_of_a_block() -> None:
    link = watched()

    async def main() -> None:
        async with await connect_over(link) as board:

            async def feed(error: Exception | None) -> None:
                async with board.feeding() as feeding:
                    await feeding.feed(vibration(10))
                    link.reboots_when_cut = True
                    link.cut()
                    if error is not None:
                        raise error

            with pytest.raises(RebootedError):
                await feed(None)
            await board.ping()  # told once
            link.reboots_when_cut = False
            with pytest.raises(ZeroDivisionError):  # what went wrong first is what is told
                await feed(ZeroDivisionError())

    asyncio.run(main())
