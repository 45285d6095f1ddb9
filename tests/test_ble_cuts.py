"""A radio link may break anywhere: every request is executed exactly once, and nothing is lost."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import numpy as np
import pytest
from ble_radio_cases import Range, bundle_of_4_kb, in_range
from board_in_process import OK, feed
from numpy.typing import NDArray
from small_models import vibration

from tinyol_host.board import Board
from tinyol_host.errors import LinkError, RebootedError
from tinyol_host.events import Changed, Lost, Prediction
from tinyol_host.feeding import FeedingEndedError
from tinyol_host.protocol import Opcode
from tinyol_host.timing import Timing
from tinyol_host.transports.ble import BleTransport
from tinyol_sim._core import lib
from tinyol_sim.twin import Twin

IMPATIENT = Timing(
    reply_s=0.5, give_up_s=0.6, backoff_first_s=0.001, backoff_most_s=0.05, heartbeat_s=60.0
)
DEAF = Timing(
    reply_s=0.05, give_up_s=20.0, backoff_first_s=0.001, backoff_most_s=0.02, heartbeat_s=60.0
)
X = vibration(400)


@pytest.fixture(scope="module")
def radio_range() -> Iterator[Range]:
    with in_range() as where:
        yield where


@pytest.fixture
def near(radio_range: Range) -> Range:
    """A board in range that has learned nothing yet."""
    radio_range.fresh()
    return radio_range


async def session(near: Range, board: Board) -> bytes:
    """A short life; what was pulled."""
    await board.add_class("a")
    await board.label("a", 6)
    near.sense(X[:60])
    await board.fine_tune(5)
    near.sense(X[60:120])
    await board.add_class("b")
    assert (await board.label_back("b", 3)).value == 3
    image = await board.pull_state()
    near.sense(X[120:200])
    await board.push_state(image)
    await board.label("b")
    near.sense(X[200:240])
    await board.set("anomaly.threshold", 7.0)
    await board.rename_class("a", "c")
    assert await board.classes() == ["c", "b"]
    return image


def twins_session(near: Range) -> tuple[bytes, bytes]:
    """What is pulled, and the state at the end."""
    twin = Twin(near.bundle)
    twin.add_class("a")
    twin.label("a", 6)
    twin.feed(X[:60])
    twin.fine_tune(5)
    twin.feed(X[60:120])
    twin.add_class("b")
    twin.label_back("b", 3)
    image = twin.state
    twin.feed(X[120:200])
    twin.state = image
    twin.label("b")
    twin.feed(X[200:240])
    twin.set("anomaly.threshold", 7.0)
    twin.rename_class("a", "c")
    return image, twin.state


@pytest.mark.parametrize(("max_mtu", "step"), [(247, 1), (23, 17)])
def test_a_cut_at_every_packet_of_a_session_changes_nothing(
    near: Range, max_mtu: int, step: int
) -> None:
    near.fresh(max_mtu=max_mtu)
    usb = near.usb()
    pulled, end = twins_session(near)

    async def work(board: Board) -> int:
        first = near.air.packets
        assert await session(near, board) == pulled
        n_packets = near.air.packets - first
        assert near.state() == end
        executed = [(change.opcode, change.payload) for change in usb.changes()]
        assert len(executed) == 9
        for n in range(0, n_packets, step):
            await board.reset()
            usb.changes()
            near.cut_after(n)
            assert await session(near, board) == pulled, n
            assert near.cuts == 1, n
            assert near.state() == end, n
            assert [(change.opcode, change.payload) for change in usb.changes()] == executed, n
        assert board.health.reconnects == len(range(0, n_packets, step))
        return n_packets

    assert near.do(work) > 60


@pytest.mark.parametrize(("max_mtu", "rounds"), [(23, 1), (247, 2)])
def test_images_arrive_whole_through_several_cuts(near: Range, max_mtu: int, rounds: int) -> None:
    near.fresh(bundle_of_4_kb(), max_mtu)
    twin = Twin(near.bundle)
    twin.add_class("a")
    twin.label("a")
    twin.feed(X)
    choose = random.Random(max_mtu)

    async def work(board: Board) -> int:
        first = near.air.packets
        plain, cuts = await board.pull_state(), 0
        most = near.air.packets - first
        for _ in range(rounds):
            for image in (twin.state, plain):
                near.cut_after(*(choose.randrange(most) for _ in range(4)))
                await board.push_state(image)
                assert near.state() == image
                cuts += near.cuts
                near.cut_after(*(choose.randrange(most) for _ in range(4)))
                assert await board.pull_state() == image
                cuts += near.cuts
        near.restore()
        assert (await board.info()).malformed == 0
        return cuts

    assert near.do(work) >= 5 * rounds


@pytest.mark.parametrize("every", [4, 7])
def test_a_notification_that_gets_lost_is_asked_for_again(
    near: Range, monkeypatch: pytest.MonkeyPatch, every: int
) -> None:
    """As where a Bluetooth stack has no room for it; the link stays."""
    usb = near.usb()
    pulled, end = twins_session(near)
    notify, count = near.board._notify, itertools.count()

    async def lossy(connection: Any, uuid: str, value: bytes) -> None:
        if next(count) % every:
            await notify(connection, uuid, value)

    async def work(board: Board) -> None:
        monkeypatch.setattr(near.board, "_notify", lossy)
        for _ in range(2):
            await board.reset()
            usb.changes()
            assert await session(near, board) == pulled
            assert near.state() == end
            assert len(usb.changes()) == 9
        assert board.health.repeats >= 8 - every
        assert board.health.reconnects == 0

    near.do(work, DEAF)


# --- feeding ---------------------------------------------------------------------------------


async def feed_all(board: Board, samples: NDArray[np.float32]) -> None:
    """Each of them once, in as many blocks as it takes; the board's first is its sample 0."""
    done = 0
    while done < len(samples):
        try:
            async with board.feeding() as feeding:
                done = feeding.at
                await feeding.feed(samples[done:])
        except FeedingEndedError:
            pass
        done = feeding.at


def fed_twin(near: Range, samples: NDArray[np.float32], told: list[Changed]) -> Twin:
    """The twin that had a gap wherever a feeding began or ended, as another link was told."""
    twin, done = Twin(near.bundle), 0
    for change in told:
        assert change.opcode in (Opcode.FEED_BEGIN, Opcode.FEED_END)
        twin.feed(samples[done : change.at])
        twin.gap()
        done = change.at
    assert done == len(samples)
    return twin


def test_each_sample_is_fed_once_through_a_cut_at_every_packet(near: Range) -> None:
    x = X[:47]

    async def work(board: Board) -> None:
        n_packets, n = 1, -1
        while n < n_packets:
            await board.reset()
            usb.changes()
            first = near.air.packets
            if n >= 0:
                near.cut_after(n)
            await feed_all(board, x)
            if n < 0:
                n_packets = near.air.packets - first
            told = usb.changes()
            assert len(told) in ((2,) if n < 0 else (2, 4)), n
            assert near.state() == fed_twin(near, x, told).state, n
            n += 1
        assert n_packets >= 15

    usb = near.usb()
    near.do(work)


@pytest.mark.parametrize("seed", range(4))
def test_each_sample_is_fed_once_through_many_cuts(near: Range, seed: int) -> None:
    near.fresh(max_mtu=random.Random(seed).choice([23, 60, 185, 247]))
    usb = near.usb()
    choose = random.Random(seed)

    async def work(board: Board) -> None:
        near.cut_after(*(choose.randrange(5, 90) for _ in range(12)))
        await feed_all(board, X)
        assert near.cuts >= 3
        near.restore()
        assert (await board.info()).at == len(X)

    near.do(work)
    assert near.state() == fed_twin(near, X, usb.changes()).state


# --- coming back -----------------------------------------------------------------------------


def test_streams_go_on_after_a_cut_and_the_hole_is_told(near: Range) -> None:
    async def work(board: Board) -> None:
        async with board.stream(predictions=True) as events:
            near.sense(X[:12])
            assert isinstance(await asyncio.wait_for(anext(events), 5.0), Prediction)
            near.cut()
            near.sense(X[12:47])  # seven windows that nobody hears of
            await board.ping()  # this one notices
            await board.ping()  # the stream is asked for before this one
            assert isinstance(await asyncio.wait_for(anext(events), 5.0), Lost)
            near.sense(X[47:52])
            event = await asyncio.wait_for(anext(events), 5.0)
            while isinstance(event, Lost):
                event = await asyncio.wait_for(anext(events), 5.0)
            assert isinstance(event, Prediction)
            assert event.window_index == 8

    near.do(work)


def test_a_cut_on_the_way_back_is_a_cut_more(near: Range) -> None:
    usb = near.usb()

    async def work(board: Board) -> None:
        n = n_names = 0
        while True:
            near.cut_after(0, n)
            await board.add_class("a")
            assert await board.classes() == ["a"], n
            await board.remove_class("a")
            n_names += 1
            if near.cuts < 2:
                break  # the way back is shorter
            near.restore()
            n += 3
        assert n > 20
        near.restore()
        opcodes = [change.opcode for change in usb.changes()]
        assert opcodes == [Opcode.CLASS_ADD, Opcode.CLASS_REMOVE] * n_names

    near.do(work)


def test_a_cut_while_it_connects_is_said_and_does_no_harm(near: Range) -> None:
    async def packets_on_the_way() -> int:
        transport, first = BleTransport(near.board.address), near.air.packets
        await transport.open()
        n_packets = near.air.packets - first
        await transport.close()
        return n_packets

    async def connect() -> None:
        await (await near.connect()).close()

    n_packets = asyncio.run(packets_on_the_way())
    assert n_packets > 20
    for n in range(n_packets):
        near.cut_after(n)
        with pytest.raises(LinkError, match=f"^ble:{near.board.address}: [^\n]+$"):
            asyncio.run(connect())
        assert near.cuts == 1
    asyncio.run(connect())


def test_a_board_out_of_range_is_given_up_and_found_again(near: Range) -> None:
    async def work(board: Board) -> None:
        await board.add_class("a")
        near.air.audible = False
        near.cut()
        with pytest.raises(LinkError, match=near.board.address):
            await board.add_class("b")
        with pytest.raises(LinkError, match=near.board.address):
            await board.label("a")
        near.restore()
        assert await board.classes() == ["a"]
        await board.add_class("b")
        assert await board.classes() == ["a", "b"]

    near.do(work, IMPATIENT)


def test_it_is_waited_for_as_long_as_was_asked(near: Range) -> None:
    async def work(board: Board) -> None:
        near.air.audible = False
        near.cut()
        adding = asyncio.create_task(board.add_class("a"))
        await asyncio.sleep(0.3)
        assert not adding.done()
        near.restore()
        await asyncio.wait_for(adding, 10.0)
        assert await board.classes() == ["a"]

    near.do(work)


def test_a_peer_that_falls_silent_is_dropped_and_may_come_back(near: Range) -> None:
    """As when a computer is carried away: the board's radio may not notice for long."""

    def pass_time() -> None:
        near.board.clock_ahead_ms += 11_000
        lib.tinyol_board_tick(near.board.board, near.board.now_ms())

    async def work(board: Board) -> None:
        await board.add_class("a")
        async with board.feeding() as feeding:
            await feeding.feed(X[:30])
            near.air.cut_after = 0  # from here on nothing arrives
            adding = asyncio.create_task(board.add_class("b"))
            await asyncio.sleep(0.05)
            near.radio.run(pass_time)
            usb = near.usb()
            assert usb.ask(Opcode.FEED_BEGIN).status == OK  # free again
            assert usb.ask(Opcode.FEED, feed(list(X[30:50]))).status == OK
            assert usb.ask(Opcode.FEED_END).status == OK
            assert not adding.done()
            near.cut()
            near.restore()
            await asyncio.wait_for(adding, 10.0)
            with pytest.raises(FeedingEndedError, match="after 30 samples"):
                await feeding.feed(X[50:60])
        info = await board.info()
        assert (info.lost_peers, info.at, info.n_classes) == (1, 50, 2)

    near.do(work)


# --- restarts --------------------------------------------------------------------------------


@pytest.mark.parametrize("n_packets", range(3))  # request, its response, its reply
def test_a_restart_between_request_and_reply_is_told(near: Range, n_packets: int) -> None:
    async def work(board: Board) -> None:
        await board.add_class("a")
        near.cut_after(n_packets, restart=True)
        with pytest.raises(RebootedError, match="restarted"):
            await board.add_class("b")
        assert near.cuts == 1
        assert await board.classes() == []
        await board.add_class("c")
        assert await board.classes() == ["c"]

    near.do(work)


Transfer = Callable[[Board, bytes], Awaitable[object]]


@pytest.mark.parametrize(
    "transfer",
    [lambda board, image: board.push_state(image), lambda board, image: board.pull_state()],
    ids=["push", "pull"],
)
@pytest.mark.parametrize("n_packets", [1, 5, 8])
def test_a_restart_in_a_transfer_is_told(near: Range, transfer: Transfer, n_packets: int) -> None:
    async def work(board: Board) -> None:
        blank = await board.pull_state()
        await board.add_class("a")
        taught = await board.pull_state()
        near.cut_after(n_packets, restart=True)
        with pytest.raises(RebootedError, match="restarted"):
            await transfer(board, taught)
        assert near.state() == blank
        await board.push_state(taught)
        assert near.state() == taught

    near.do(work)


def test_the_timing_of_these_tests_hides_no_repeat(near: Range) -> None:
    async def work(board: Board) -> None:
        await session(near, board)
        assert board.health.repeats == 0
        assert (await board.info()).repeated == 0

    near.do(work)
