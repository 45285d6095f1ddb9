"""A session over a link that fails in every way, against the real server: exactly once."""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from faulty_link import (
    FAULTS,
    QUICK,
    DeviceInProcess,
    Direction,
    Fault,
    FaultyLink,
    no_fault,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from tinyol_host import requests
from tinyol_host.errors import (
    LinkError,
    NoReplyError,
    ProtocolError,
    RebootedError,
    RefusedError,
)
from tinyol_host.event_stream import EventStream, Listeners
from tinyol_host.events import Changed, Event, Lost, Prediction, Samples
from tinyol_host.incoming_events import IncomingEvents
from tinyol_host.link_health import LinkHealth
from tinyol_host.protocol import Kind, Message, Opcode
from tinyol_host.replies import Info, Reply
from tinyol_host.session import Session
from tinyol_host.timing import Timing
from tinyol_sim.errors import DeviceError, TinyOLError

PATIENCE_S = 30.0  # a test that hangs fails
IMPATIENT = replace(QUICK, give_up_s=0.2)
SAMPLES = np.random.default_rng(0).normal(0, 0.3, (120, 3)).astype(np.float32)


def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(asyncio.wait_for(coroutine, PATIENCE_S))


async def until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0.001)


async def answered(session: Session) -> None:
    """For impatient sessions on a busy machine."""
    while True:
        with contextlib.suppress(NoReplyError):
            await session.request(Opcode.PING)
            return


async def taken(events: EventStream) -> list[Event]:
    events.close()
    return [event async for event in events]


def feed(start: int, n: int = 30) -> tuple[Opcode, bytes]:
    return Opcode.FEED, requests.feed(SAMPLES[start : start + n])


# Executed twice, left out or out of order, any of these ends in another image or is refused.
SCRIPT: list[tuple[Opcode, bytes]] = [
    (Opcode.CLASS_ADD, requests.class_add("a")),
    (Opcode.CLASS_ADD, requests.class_add("b")),
    (Opcode.FEED_BEGIN, b""),
    (Opcode.LABEL, requests.label(0, 4)),
    feed(0),
    (Opcode.FINE_TUNE, requests.fine_tune(3)),
    feed(30),
    (Opcode.CLASS_RENAME, requests.class_rename(1, "c")),
    feed(60),
    (Opcode.LABEL_BACK, requests.label_back(1, 2)),
    (Opcode.FEED_END, b""),
    (Opcode.CLASS_REMOVE, requests.class_remove(0)),
]


async def play(link: FaultyLink) -> tuple[list[Reply], Session]:
    """The script, from HELLO to GOODBYE."""
    session = Session(link, QUICK, nonce=1)
    await session.open()
    replies = [await session.request(opcode, payload) for opcode, payload in SCRIPT]
    await session.close()
    return replies, session


CLEAN = FaultyLink()
CLEAN_REPLIES: list[Reply] = run(play(CLEAN))[0]
CLEAN_STATE = CLEAN.device.state()
BOUNDARIES = [(d, n) for d in Direction for n in range(len(SCRIPT) + 1)]  # HELLO, then the script


def test_the_clean_run_says_one_message_a_request() -> None:
    goodbye = 1
    assert CLEAN.counts == dict.fromkeys(Direction, 1 + len(SCRIPT) + goodbye)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
@pytest.mark.parametrize(("direction", "number"), BOUNDARIES)
def test_a_fault_at_any_message_changes_nothing(
    direction: Direction, number: int, fault: Fault
) -> None:
    link = FaultyLink(plan=lambda d, n: fault if (d, n) == (direction, number) else Fault.NONE)
    replies, session = run(play(link))
    assert replies == CLEAN_REPLIES
    assert link.device.state() == CLEAN_STATE
    health, last = session.health, number == len(SCRIPT)
    assert {
        Fault.LOSE: health.repeats >= 1,
        Fault.DOUBLE: health.stray == 1,
        Fault.CUT_BEFORE: health.reconnects == 1,
        Fault.CUT_AFTER: health.reconnects == 1 or last,  # noticed while it is closed anyway
    }[fault]


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_faults_at_random_change_nothing(data: st.DataObject) -> None:
    kinds = st.lists(st.sampled_from([Fault.NONE, *FAULTS]), max_size=30)
    faults = {direction: data.draw(kinds, label=direction.value) for direction in Direction}

    def plan(direction: Direction, number: int) -> Fault:
        chosen = faults[direction]
        return chosen[number] if number < len(chosen) else Fault.NONE

    link = FaultyLink(plan=plan)
    replies, _ = run(play(link))
    assert replies == CLEAN_REPLIES
    assert link.device.state() == CLEAN_STATE


def with_session(
    body: Callable[[Session, FaultyLink], Awaitable[None]],
    link: FaultyLink | None = None,
    timing: Timing = QUICK,
) -> Session:
    """Runs it with an open session, and closes that."""
    link = link or FaultyLink()

    async def both() -> Session:
        session = Session(link, timing)
        await session.open()
        try:
            await body(session, link)
        finally:
            await session.close()
        return session

    result: Session = run(both())
    return result


async def info(session: Session) -> Info:
    reply = await session.request(Opcode.INFO)
    return Info.from_bytes(reply.at, reply.body)


# --- ordinary life -----------------------------------------------------------------------


def test_a_session_opens_asks_and_says_goodbye() -> None:
    async def body(session: Session, link: FaultyLink) -> None:
        assert session.identity.board == "sim"
        assert (await session.request(Opcode.CLASS_ADD, requests.class_add("a"))).at == 0
        assert (await info(session)).n_classes == 1
        session.listen()

    seen: list[bytes] = []
    link = FaultyLink()
    link.on_send = seen.append
    session = with_session(body, link)
    assert [raw[2] for raw in seen] == [Opcode.HELLO, Opcode.CLASS_ADD, Opcode.INFO, Opcode.GOODBYE]
    assert session.health.requests == 3
    assert len(session.health.round_trip_ms) == 3
    assert (session.health.repeats, session.health.stray) == (0, 0)


def test_a_refusal_is_told_and_the_session_goes_on() -> None:
    async def body(session: Session, link: FaultyLink) -> None:
        with pytest.raises(RefusedError, match="not there") as caught:
            await session.request(Opcode.LABEL, requests.label(3))
        assert caught.value.status == -3
        await session.request(Opcode.PING)

    with_session(body)


def test_requests_of_several_tasks_take_turns() -> None:
    async def body(session: Session, link: FaultyLink) -> None:
        names = ["a", "b", "c", "d"]
        await asyncio.gather(
            *(session.request(Opcode.CLASS_ADD, requests.class_add(name)) for name in names)
        )
        assert (await info(session)).n_classes == 4

    with_session(body)


def test_sequence_numbers_wrap() -> None:
    device = DeviceInProcess()
    hello = Message(Kind.REQUEST, Opcode.HELLO, 0, 0, 0, requests.hello(9))
    device.receive(hello.to_bytes())
    for sequence in range(1, 65_536):
        ping = Message(Kind.REQUEST, Opcode.PING, 1, sequence, device.boot_id, b"")
        device.receive(ping.to_bytes())
    device.take()

    async def go() -> None:
        session = Session(FaultyLink(device), QUICK, nonce=9)
        assert (await session.open()).last_sequence == 65_535
        for name in "ab":
            await session.request(Opcode.CLASS_ADD, requests.class_add(name))
        assert (await info(session)).n_classes == 2
        await session.close()

    run(go())


def test_what_the_link_cannot_carry_is_not_sent() -> None:
    async def body(session: Session, link: FaultyLink) -> None:
        with pytest.raises(DeviceError, match="FEED with 244 bytes; faulty carries 112"):
            await session.request(Opcode.FEED, requests.feed(SAMPLES[:20]))
        await session.request(Opcode.FEED_BEGIN)
        await session.request(Opcode.FEED, requests.feed(SAMPLES[:9]))

    with_session(body, FaultyLink(DeviceInProcess(max_message=136), max_message=512))


# --- nobody there, or somebody else ------------------------------------------------------


def test_a_link_that_does_not_open_says_so_at_once() -> None:
    async def go() -> None:
        link = FaultyLink()
        link.refuse_open = "serial:/dev/ttyX: no such port"
        with pytest.raises(LinkError, match="no such port"):
            await Session(link).open()

    run(go())


def deaf_from(first: int) -> FaultyLink:
    return FaultyLink(
        plan=lambda d, n: Fault.LOSE if d is Direction.TO_DEVICE and n >= first else Fault.NONE
    )


def test_nobody_answers_hello() -> None:
    async def go() -> None:
        with pytest.raises(NoReplyError, match=r"faulty: no reply in 0\.2 s"):
            await Session(deaf_from(0), IMPATIENT).open()

    run(go())


def test_nobody_answers_any_more() -> None:
    async def body(session: Session, link: FaultyLink) -> None:
        with session.listen() as events:
            with pytest.raises(NoReplyError, match=r"faulty: no reply in 0\.2 s"):
                await session.request(Opcode.PING)
            with pytest.raises(NoReplyError):
                await events.__anext__()
        later = session.listen()
        link.plan = no_fault
        await answered(session)  # it is back: a session is never spent
        assert await taken(later) == []

    with_session(body, deaf_from(1), IMPATIENT)


def test_a_link_that_stays_cut_ends_the_listening_with_its_error() -> None:
    async def body(session: Session, link: FaultyLink) -> None:
        events = session.listen()
        link.refuse_open = "faulty: unplugged"
        link.cut()
        with pytest.raises(LinkError, match="unplugged"):
            await events.__anext__()
        with pytest.raises(LinkError, match="unplugged"):
            await session.request(Opcode.PING)
        link.refuse_open = None
        await answered(session)

    with_session(body, timing=IMPATIENT)


def test_another_protocol_version() -> None:
    async def go() -> None:
        link = FaultyLink(rewrite=lambda raw: [b"\x03" + raw[1:]])
        with pytest.raises(ProtocolError, match="speaks protocol version 3, this program"):
            await Session(link, QUICK).open()

    run(go())


def test_a_hello_that_is_not_as_specified() -> None:
    async def go() -> None:
        link = FaultyLink(
            rewrite=lambda raw: [replace(Message.from_bytes(raw), payload=bytes(20)).to_bytes()]
        )
        with pytest.raises(ProtocolError, match="HELLO's reply has 8 bytes"):
            await Session(link, QUICK).open()

    run(go())


def test_strangers_are_counted_and_ignored() -> None:
    strangers = 0

    def rewrite(raw: bytes) -> list[bytes]:
        nonlocal strangers
        reply = Message.from_bytes(raw)
        event = Message(Kind.EVENT, 3, reply.session, 1, reply.boot_id, bytes(12))
        others = [
            b"",
            b"no message at all, but longer than a header",
            replace(event, session=reply.session + 1).to_bytes(),
            replace(event, boot_id=reply.boot_id + 1).to_bytes(),
        ]
        lie = replace(reply, payload=struct.pack("<b3xQHH", 0, 99, 7, 0))
        if reply.opcode == Opcode.CLASS_ADD:
            others += [
                replace(lie, sequence=reply.sequence ^ 0x100).to_bytes(),
                replace(lie, opcode=reply.opcode ^ 0x40).to_bytes(),
                replace(lie, kind=Kind.REQUEST).to_bytes(),
                replace(lie, session=reply.session + 1).to_bytes(),
                replace(lie, boot_id=reply.boot_id + 1).to_bytes(),
            ]
        strangers += len(others)
        return [*others, raw]

    async def body(session: Session, link: FaultyLink) -> None:
        events = session.listen()
        added = await session.request(Opcode.CLASS_ADD, requests.class_add("a"))
        assert added == Reply(0, bytes(4))
        assert (await info(session)).n_classes == 1
        assert session.health.stray == strangers > 0
        assert await taken(events) == []

    with_session(body, FaultyLink(rewrite=rewrite))


def test_a_closed_session_refuses_requests() -> None:
    async def go() -> None:
        session = Session(FaultyLink(), QUICK)
        with pytest.raises(DeviceError, match="not connected"):
            await session.request(Opcode.PING)
        await session.open()
        await session.close()
        await session.close()
        with pytest.raises(LinkError, match="closed"):
            await session.request(Opcode.PING)

    run(go())


def test_closing_does_not_wait_for_a_request_that_hangs() -> None:
    async def go() -> None:
        link = FaultyLink()
        session = Session(link, replace(QUICK, give_up_s=1000.0))
        await session.open()
        link.plan = lambda d, n: Fault.LOSE
        hanging = asyncio.create_task(session.request(Opcode.PING))
        await until(lambda: session.health.repeats > 0)
        await session.close()
        with pytest.raises(LinkError, match="closed"):
            await hanging

    run(go())


# --- cancelled, restarted, dropped -------------------------------------------------------


@pytest.mark.parametrize("fault", [Fault.LOSE, Fault.CUT_BEFORE, Fault.CUT_AFTER])
@pytest.mark.parametrize("direction", Direction)
def test_a_cancelled_request_does_not_confuse_the_next(direction: Direction, fault: Fault) -> None:
    async def body(session: Session, link: FaultyLink) -> None:
        link.plan = lambda d, n: fault if d is direction else Fault.NONE
        asked = asyncio.create_task(
            session.request(Opcode.CLASS_ADD, requests.class_add("cancelled"))
        )
        sent = link.counts[direction]
        await until(lambda: link.counts[direction] > sent)
        asked.cancel()
        with contextlib.suppress(asyncio.CancelledError):  # it may have been done just now
            await asked
        link.plan = no_fault
        reply = await session.request(Opcode.CLASS_ADD, requests.class_add("next"))
        arrived = (direction, fault) not in (
            (Direction.TO_DEVICE, Fault.LOSE),
            (Direction.TO_DEVICE, Fault.CUT_BEFORE),
        )
        assert struct.unpack("<HH", reply.body) == (arrived, 0)
        assert (await info(session)).n_classes == 1 + arrived

    with_session(body)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 12), st.booleans()), min_size=1, max_size=8))
def test_cancelled_at_any_moment_a_request_is_done_once_or_not_at_all(
    moments: list[tuple[int, bool]],
) -> None:
    async def body(session: Session, link: FaultyLink) -> None:
        done = 0
        for turns, lossy in moments:
            link.plan = (lambda d, n: FAULTS[n % len(FAULTS)]) if lossy else no_fault
            asked = asyncio.create_task(session.request(*feed(0, 1)))
            for _ in range(turns):
                await asyncio.sleep(0)
            asked.cancel()
            link.plan = no_fault
            before = done
            try:
                await asked
                certain = True
            except asyncio.CancelledError:
                certain = False
            done = (await session.request(Opcode.PING)).at
            assert done - before in ((1,) if certain else (0, 1))

    async def fed(session: Session, link: FaultyLink) -> None:
        await session.request(Opcode.FEED_BEGIN)
        await body(session, link)

    with_session(fed)


@pytest.mark.parametrize("executed", [False, True])
def test_a_restart_between_request_and_reply(executed: bool) -> None:
    async def body(session: Session, link: FaultyLink) -> None:
        await session.request(Opcode.CLASS_ADD, requests.class_add("forgotten"))
        link.plan = lambda d, n: Fault.NONE if executed and d is Direction.TO_DEVICE else Fault.LOSE
        asked = asyncio.create_task(session.request(Opcode.CLASS_ADD, requests.class_add("a")))
        await until(lambda: session.health.repeats > 0)
        link.device.reboot()
        link.plan = no_fault
        with pytest.raises(RebootedError, match="has restarted"):
            await asked
        assert (await info(session)).n_classes == 0
        assert session.health.reboots == 1

    with_session(body)


@pytest.mark.parametrize("cut", [False, True])
def test_a_restart_while_nothing_is_asked_is_told_once(cut: bool) -> None:
    async def body(session: Session, link: FaultyLink) -> None:
        events = session.listen()
        await session.request(Opcode.STREAM, requests.stream(samples=True))
        link.device.reboot()
        if cut:
            link.cut()
        assert await events.__anext__() == Lost(0)
        with pytest.raises(RebootedError):
            await session.request(Opcode.CLASS_ADD, requests.class_add("a"))
        assert (await info(session)).n_classes == 0
        link.sense(SAMPLES[:8])  # streams are there again
        event = await events.__anext__()
        assert isinstance(event, Samples)
        assert event.first == 0

    with_session(body, timing=replace(QUICK, heartbeat_s=0.005))


def test_a_peer_dropped_by_the_heartbeat_comes_back() -> None:
    async def body(session: Session, link: FaultyLink) -> None:
        events = session.listen()
        await session.request(Opcode.STREAM, requests.stream(samples=True))
        await session.request(Opcode.CLASS_ADD, requests.class_add("a"))
        link.device.pass_time(10_001)
        link.sense(SAMPLES[:8])  # told to nobody
        await session.request(Opcode.CLASS_ADD, requests.class_add("b"))
        await session.request(Opcode.PING)
        link.sense(SAMPLES[8:16])
        assert await events.__anext__() == Lost(0)
        event = await events.__anext__()
        assert isinstance(event, Samples)
        assert event.first == 8
        state = await info(session)
        assert (state.n_classes, state.lost_peers) == (2, 1)

    with_session(body)


@pytest.mark.parametrize("device_notices", [False, True])
def test_streams_go_on_after_a_cut_without_being_asked(device_notices: bool) -> None:
    async def body(session: Session, link: FaultyLink) -> None:
        events = session.listen()
        await session.request(Opcode.SESSION_BEGIN, requests.session_begin(predictions=True))
        link.cut()
        assert await events.__anext__() == Lost(0)
        await until(lambda: session.health.requests >= 3)  # STREAM and PING, by itself
        link.sense(SAMPLES[:12])
        event = await events.__anext__()
        assert isinstance(event, Prediction)
        assert event.window_index == 0
        assert session.health.reconnects == 1

    with_session(body, FaultyLink(device_notices=device_notices))


def test_streams_go_on_though_the_first_hello_after_a_cut_is_lost() -> None:
    async def body(session: Session, link: FaultyLink) -> None:
        events = session.listen()
        await session.request(Opcode.STREAM, requests.stream(samples=True))
        hello = link.counts[Direction.TO_HOST]
        link.plan = lambda d, n: (
            Fault.LOSE if (d, n) == (Direction.TO_HOST, hello) else Fault.NONE
        )
        link.cut()  # noticed while nothing is asked
        assert await events.__anext__() == Lost(0)
        await until(lambda: session.health.requests >= 3)  # STREAM and PING, by itself
        link.sense(SAMPLES[:8])
        assert isinstance(await events.__anext__(), Samples)

    with_session(body, FaultyLink(device_notices=True))


@pytest.mark.parametrize("opcode", [Opcode.STREAM, Opcode.SESSION_BEGIN])
def test_streams_are_there_though_the_link_was_cut_before_the_reply(opcode: Opcode) -> None:
    async def body(session: Session, link: FaultyLink) -> None:
        replies = link.counts[Direction.TO_HOST]
        link.plan = lambda d, n: (
            Fault.CUT_BEFORE if (d, n) == (Direction.TO_HOST, replies) else Fault.NONE
        )
        await session.request(opcode, requests.stream(samples=True))  # the repeat sets nothing
        await session.request(Opcode.PING)
        events = session.listen()
        link.sense(SAMPLES[:8])
        assert isinstance(await events.__anext__(), Samples)

    with_session(body, FaultyLink(device_notices=True))


def test_streams_turned_off_stay_off_after_a_cut() -> None:
    async def body(session: Session, link: FaultyLink) -> None:
        await session.request(Opcode.STREAM, requests.stream(samples=True))
        await session.request(Opcode.STREAM, requests.stream())
        events = session.listen()
        link.cut()
        await session.request(Opcode.PING)
        link.sense(SAMPLES[:16])
        events.close()
        assert [event async for event in events] == [Lost(0)]

    with_session(body, FaultyLink(device_notices=True))


def test_an_idle_session_keeps_itself_alive() -> None:
    async def body(session: Session, link: FaultyLink) -> None:
        for _ in range(3):
            pings = session.health.requests
            await until(lambda: session.health.requests > pings)  # noqa: B023
            link.device.pass_time(4000)
        assert (await info(session)).lost_peers == 0

    with_session(body, timing=replace(QUICK, heartbeat_s=0.005))


def test_a_session_taken_over_is_told_where_it_matters() -> None:
    async def body(session: Session, link: FaultyLink) -> None:
        await session.request(Opcode.CLASS_ADD, requests.class_add("a"))
        other = Message(Kind.REQUEST, Opcode.HELLO, 0, 0, 0, requests.hello(12345))
        link.device.receive(other.to_bytes())
        with pytest.raises(LinkError, match="another program"):
            await session.request(Opcode.CLASS_ADD, requests.class_add("b"))
        assert (await info(session)).n_classes == 1

    with_session(body)


def test_exactly_one_after_a_refusal_for_order() -> None:
    async def body(session: Session, link: FaultyLink) -> None:
        # The device is one ahead: as if a request of ours had been sent by a ghost.
        await session.request(Opcode.CLASS_ADD, requests.class_add("a"))
        session._talk._agreed.number -= 1
        reply = await session.request(Opcode.CLASS_ADD, requests.class_add("a"))
        assert reply.body == bytes(4)  # answered from memory
        session._talk._agreed.number += 7
        with pytest.raises(ProtocolError, match="do not agree"):
            await session.request(Opcode.CLASS_ADD, requests.class_add("b"))
        await session.request(Opcode.CLASS_ADD, requests.class_add("c"))
        assert (await info(session)).n_classes == 2

    with_session(body)


# --- events ------------------------------------------------------------------------------


def test_several_listen_at_once() -> None:
    async def body(session: Session, link: FaultyLink) -> None:
        with session.listen() as first, session.listen() as second:
            await session.request(
                Opcode.STREAM, requests.stream(predictions=True, samples=True, changes=True)
            )
            await session.request(Opcode.CLASS_ADD, requests.class_add("a"))
            link.sense(SAMPLES[:16])
            await session.request(Opcode.PING)
            told, again = await taken(first), await taken(second)
        assert [type(event) for event in told] == [type(event) for event in again]
        assert Changed(Opcode.CLASS_ADD, True, 0, b"\x01a") in told
        parts = [event for event in told if isinstance(event, Samples)]
        assert [part.first for part in parts] == [0, 8]
        np.testing.assert_array_equal(np.concatenate([p.samples for p in parts]), SAMPLES[:16])
        assert sum(isinstance(event, Prediction) for event in told) == 1

    with_session(body)


@pytest.mark.parametrize("fault", [Fault.LOSE, Fault.DOUBLE])
def test_holes_in_the_counter_are_told_where_they_are(fault: Fault) -> None:
    async def body(session: Session, link: FaultyLink) -> None:
        events = session.listen()
        await session.request(Opcode.STREAM, requests.stream(samples=True))
        base = link.counts[Direction.TO_HOST]
        hit = {base + 1, base + 2, base + 5}
        link.plan = lambda d, n: fault if d is Direction.TO_HOST and n in hit else Fault.NONE
        link.sense(SAMPLES[:64])
        link.plan = no_fault
        await session.request(Opcode.PING)
        told = [e.first if isinstance(e, Samples) else e for e in await taken(events)]
        if fault is Fault.LOSE:
            assert told == [0, Lost(2), 24, 32, Lost(1), 48, 56]
            assert session.health.lost_events == 3
        else:
            assert told == [0, 8, 16, 24, 32, 40, 48, 56]
            assert (session.health.lost_events, session.health.stray) == (0, 3)

    with_session(body)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.sampled_from([Fault.NONE, Fault.NONE, *FAULTS]), max_size=40),
    st.booleans(),
)
def test_no_sample_is_missing_unless_a_loss_is_told(
    faults: list[Fault], device_notices: bool
) -> None:
    async def body(session: Session, link: FaultyLink) -> None:
        events = session.listen()
        await session.request(Opcode.STREAM, requests.stream(samples=True))
        base = link.counts[Direction.TO_HOST]

        def plan(direction: Direction, number: int) -> Fault:
            at = number - base
            return faults[at] if direction is Direction.TO_HOST and at < len(faults) else Fault.NONE

        link.plan = plan
        for round_ in range(12):
            link.sense(np.full((8, 3), round_, np.float32))
            if round_ % 3 == 2:
                await session.request(Opcode.PING)
        link.plan = no_fault
        await session.request(Opcode.PING)
        await session.request(Opcode.PING)  # whatever was to be asked for again has been
        link.sense(np.full((8, 3), 12, np.float32))
        await session.request(Opcode.PING)
        due, told = 0, False
        for event in await taken(events):
            if isinstance(event, Lost):
                told = True
                continue
            assert isinstance(event, Samples)
            assert event.first >= due  # never twice, never out of order
            assert event.first == due or told
            assert (event.samples == event.first // 8).all()
            due, told = event.first + len(event.samples), False
        assert due == 8 * 13

    with_session(body, FaultyLink(device_notices=device_notices))


def test_a_slow_listener_holds_up_nobody() -> None:
    async def go() -> None:
        listeners = Listeners(limit=3)
        slow, quick = listeners.listen(), listeners.listen()
        for at in range(10):
            listeners.publish(Changed(at, False, at, b""))
            assert await quick.__anext__() == Changed(at, False, at, b"")
        listeners.publish(Lost(5))
        assert [(await slow.__anext__()) for _ in range(3)] == [
            Changed(at, False, at, b"") for at in range(3)
        ]
        listeners.publish(Changed(99, False, 0, b""))
        assert await slow.__anext__() == Lost(12)
        assert await slow.__anext__() == Changed(99, False, 0, b"")

    run(go())


def test_a_listener_that_was_too_slow_is_told_even_if_nothing_follows() -> None:
    async def go() -> None:
        listeners = Listeners(limit=1)
        with listeners.listen() as events:
            listeners.publish(Lost(1))
            listeners.publish(Lost(0))
        listeners.publish(Lost(7))  # after the end
        assert [event async for event in events] == [Lost(1), Lost(0)]

    run(go())


@given(st.lists(st.integers(0, 300), max_size=60), st.integers(0, 0xFFFF))
def test_the_counter_may_wrap(steps: list[int], start: int) -> None:
    """Step 0 is a double; step n leaves out n - 1."""

    async def go() -> None:
        listeners, health = Listeners(), LinkHealth()
        incoming, events = IncomingEvents(listeners, health), listeners.listen()
        incoming.begin(1, 1, start)
        sequence, expected = (start - 1) & 0xFFFF, 0
        payload = struct.pack("<BBHQ", 16, 0, 0, 0)
        for step in steps:
            sequence = (sequence + step) & 0xFFFF
            incoming.take(Message(Kind.EVENT, 3, 1, sequence, 1, payload))
            expected += max(0, step - 1)
        told = await taken(events)
        assert sum(event.count for event in told if isinstance(event, Lost)) == expected
        assert sum(isinstance(event, Changed) for event in told) == sum(s > 0 for s in steps)
        assert health.lost_events == expected

    run(go())


def test_what_breaks_a_transport_reaches_the_one_who_asks() -> None:
    async def body(session: Session, link: FaultyLink) -> None:
        def broken(raw: bytes) -> list[bytes]:
            raise TinyOLError("the emulator has stopped")

        link.rewrite = broken
        with pytest.raises(TinyOLError, match="the emulator has stopped"):
            await session.request(Opcode.PING)
        link.rewrite = None
        await session.request(Opcode.PING)

    with_session(body)
