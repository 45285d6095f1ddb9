"""What a board tells those who listen."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import numpy as np
import pytest
from client_boards import connect_over, nth, teach, watched
from faulty_link import Fault
from small_models import vibration

from tinyol_host.events import Changed, Lost, Prediction, Samples
from tinyol_host.protocol import Opcode
from tinyol_sim.errors import DeviceError
from tinyol_sim.twin import Twin

ALONE = "sim:?state=none&source=none"
IMAGE_REQUESTS = (Opcode.IMAGE_GET, Opcode.IMAGE_READ)
PUT_REQUESTS = (Opcode.IMAGE_PUT, Opcode.IMAGE_WRITE, Opcode.IMAGE_COMMIT)


def test_listeners_get_what_they_asked_for() -> None:
    link = watched()

    async def main() -> None:
        async with await connect_over(link) as board:
            async with board.stream(predictions=True) as first:
                async with board.stream(samples=True, changes=True) as second:
                    assert link.payloads(Opcode.STREAM)[-1] == b"\x07"
                    async with board.feeding() as feeding:
                        await feeding.feed(vibration(24))
                    changed = await anext(second)
                    assert isinstance(changed, Changed)
                    assert (changed.opcode, changed.own) == (Opcode.FEED_BEGIN, True)
                    heard = [await anext(second) for _ in range(4)]
                    assert all(isinstance(event, Samples) for event in heard[:3])
                    assert isinstance(heard[3], Changed)
                    told = np.concatenate([e.samples for e in heard if isinstance(e, Samples)])
                    assert np.array_equal(told, vibration(24))
                assert link.payloads(Opcode.STREAM)[-1] == b"\x01"
                for window in range(3):  # 12, then every 5
                    event = await anext(first)
                    assert isinstance(event, Prediction)
                    assert event.window_index == window
            assert link.payloads(Opcode.STREAM) == [b"\x01", b"\x07", b"\x01", b"\0"]
            async with board.stream(log=True), board.stream(log=True):
                pass
            assert link.payloads(Opcode.STREAM)[4:] == [b"\x08", b"\0"]

    asyncio.run(main())


def test_every_listener_hears_of_a_loss() -> None:
    link = watched()

    async def main() -> None:
        async with (
            await connect_over(link) as board,
            board.stream(predictions=True) as first,
            board.stream(log=True) as second,
        ):
            link.cut()
            await board.ping()
            assert isinstance(await anext(first), Lost)
            assert isinstance(await anext(second), Lost)
            async with board.feeding() as feeding:  # and what was streamed is again
                await feeding.feed(vibration(12))
            assert isinstance(await anext(first), Prediction)

    asyncio.run(main())


@pytest.mark.parametrize("number", [0, 1, 3])
def test_a_twin_lives_a_session_again(number: int) -> None:
    link = watched()
    # number: which of these requests is cut; the device drops the transfer, and the session begins
    # anew.
    cut = nth(number, (Opcode.SESSION_BEGIN, Opcode.IMAGE_READ), Fault.CUT_BEFORE)
    heard: list[Samples | Changed] = []

    async def main() -> bytes:
        async with await connect_over(link) as board:
            await teach(board)  # with a label and fine-tuning under way
            async with board.stream(samples=True, changes=True) as events, board.stream(log=True):
                link.sense(vibration(30, seed=2))
                link.fault_of = cut
                start = await board.begin_session(predictions=True)
                assert link.payloads(Opcode.SESSION_BEGIN)[-1] == b"\x0f"
                assert start.at == 330
                link.sense(vibration(95, seed=3))
                await board.label("a", 4)
                link.sense(vibration(70, seed=4), gap=True)
                await board.set("anomaly.threshold", 2.0)
                link.sense(vibration(7, seed=5))  # fewer than an event has
                await board.label(None)
                end = await board.pull_state()
            # Closed, and with it what was kept back has come.
            async for event in events:
                if (isinstance(event, Samples) and event.first >= start.at) or (
                    isinstance(event, Changed) and event.opcode in CHANGES
                ):
                    heard.append(event)
            assert link.payloads(Opcode.STREAM)[-1] == b"\0"
            live_again(twin := Twin(link.device.bundle), start.image, heard)
            assert twin.state == end
            assert twin.counters()["samples"] == 330 + 95 + 70 + 7
            return end

    asyncio.run(main())
    assert [event.opcode for event in heard if isinstance(event, Changed)] == [16, 9, 16]


CHANGES: dict[int, Callable[[Twin], None]] = {
    Opcode.LABEL: lambda twin: twin.label("a", 4),  # the second one comes after all samples
    Opcode.SETTING_SET: lambda twin: twin.set("anomaly.threshold", 2.0),
}


def live_again(twin: Twin, image: bytes, events: list[Samples | Changed]) -> None:
    """Each change goes before the sample of its index, wherever it stands among the events."""
    twin.state = image
    changes = [event for event in events if isinstance(event, Changed)]
    for event in events:
        if isinstance(event, Samples):
            for _ in range(event.gaps):
                twin.gap()
            for index, sample in enumerate(event.samples, event.first):
                while changes and changes[0].at <= index:
                    CHANGES[changes.pop(0).opcode](twin)
                twin.feed(sample[None])


def test_a_session_needs_somebody_who_listens() -> None:
    link = watched()

    async def main() -> None:
        async with await connect_over(link) as board, board.stream(samples=True):
            with pytest.raises(DeviceError, match="within stream"):
                await board.begin_session()
        assert Opcode.SESSION_BEGIN not in link.opcodes()

    asyncio.run(main())
