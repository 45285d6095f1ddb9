"""Sessions that show the board's key, over links that fail, lie and repeat: exactly once, and only
who has the key.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from boards_with_flash import MemoryFlash, slot_pages
from faulty_link import FAULTS, QUICK, DeviceInProcess, Direction, Fault, FaultyLink
from hypothesis import given, settings
from hypothesis import strategies as st
from session_by_hand import Seal, session_key

from tinyol_host import requests
from tinyol_host.access import messages
from tinyol_host.access.device_key import DeviceKey
from tinyol_host.access.messages import Access
from tinyol_host.errors import (
    LOCKED,
    NOT_AUTHENTICATED,
    NOT_PHYSICAL,
    KeyNeededError,
    LinkError,
    ProtocolError,
    RebootedError,
    RefusedError,
)
from tinyol_host.events import Event, Samples
from tinyol_host.protocol import FLAG_AUTHENTICATED, Kind, Message, Opcode
from tinyol_host.replies import Info, Reply
from tinyol_host.session import Session

PATIENCE_S = 30.0
SAMPLES = np.random.default_rng(0).normal(0, 0.3, (120, 3)).astype(np.float32)
PAGES = 4 + 4 * slot_pages()
SCRIPT: list[tuple[Opcode, bytes]] = [
    (Opcode.CLASS_ADD, requests.class_add("a")),
    (Opcode.FEED_BEGIN, b""),
    (Opcode.LABEL, requests.label(0, 4)),
    (Opcode.FEED, requests.feed(SAMPLES[:40])),
    (Opcode.FINE_TUNE, requests.fine_tune(3)),
    (Opcode.FEED, requests.feed(SAMPLES[40:80])),
    (Opcode.FEED_END, b""),
    (Opcode.CLASS_RENAME, requests.class_rename(0, "c")),
]
BEFORE = 3  # HELLO, CHALLENGE, AUTHENTICATE


def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(asyncio.wait_for(coroutine, PATIENCE_S))


async def pair(device: DeviceInProcess, *, rotate: bool = False, link: int = 1) -> DeviceKey:
    """By somebody who touches the board, over a link of its own."""
    session = Session(FaultyLink(device, link=link), QUICK)
    await session.open()
    reply = await session.request(Opcode.PAIR, messages.pair(rotate))
    session.key_changed(there_is_one=True)
    await session.close()
    return messages.new_key(reply.body, "", "")


def paired(*, radio: bool = True) -> tuple[DeviceInProcess, DeviceKey]:
    """A board whose key outlives its reboots; its first link is the radio."""
    device = DeviceInProcess(flash=MemoryFlash(PAGES))
    if radio:
        device.by_radio()
    return device, run(pair(device))


def finder(*keys: DeviceKey) -> Callable[[str], DeviceKey | None]:
    return {key.id: key for key in keys}.get


def link_to(device: DeviceInProcess, *, radio: bool = True, **options: Any) -> FaultyLink:
    link = FaultyLink(device, **options)
    link.is_physical = not radio
    return link


async def play(link: FaultyLink, key: DeviceKey) -> tuple[list[Reply], Session]:
    session = Session(link, QUICK, find_key=finder(key))
    await session.open()
    replies = [await session.request(opcode, payload) for opcode, payload in SCRIPT]
    assert session.is_authenticated
    await session.close()
    return replies, session


async def opened(link: FaultyLink, *keys: DeviceKey) -> Session:
    session = Session(link, QUICK, find_key=finder(*keys))
    await session.open()
    return session


async def access(session: Session) -> Access:
    return Access.from_bytes((await session.request(Opcode.ACCESS)).body)


def clean() -> tuple[list[Reply], bytes]:
    device, key = paired()
    replies, _ = run(play(link_to(device), key))
    return replies, device.state()


CLEAN_REPLIES, CLEAN_STATE = clean()
BOUNDARIES = [(d, n) for d in Direction for n in range(BEFORE + len(SCRIPT))]


# --- exactly once, as without a key --------------------------------------------------------------


def test_every_message_of_a_live_session_has_a_mac_that_is_right_by_hand() -> None:
    device, key = paired()
    sent: list[bytes] = []
    heard: list[bytes] = []

    def both(raw: bytes) -> list[bytes]:
        heard.append(raw)
        return [raw]

    link = link_to(device, rewrite=both)
    link.on_send = sent.append
    run(play(link, key))
    assert [raw[2] for raw in sent] == [
        Opcode.HELLO,
        Opcode.CHALLENGE,
        Opcode.AUTHENTICATE,
        *(opcode for opcode, _ in SCRIPT),
        Opcode.GOODBYE,
    ]
    assert [raw[3] for raw in sent] == [0, 0, *[FLAG_AUTHENTICATED] * (len(sent) - 2)]
    assert [raw[3] for raw in heard] == [0, 0, *[FLAG_AUTHENTICATED] * (len(heard) - 2)]
    challenge, answer = Message.from_bytes(sent[1]), Message.from_bytes(heard[1])
    seal = Seal(
        session_key(
            key.secret, challenge.payload, answer.payload[12:], challenge.session, challenge.boot_id
        ),
        number=1,
        events=0,
    )
    bare = [replace(Message.from_bytes(raw), flags=0, trailer=b"").to_bytes() for raw in sent]
    assert [seal.request(raw) for raw in bare[2:]] == sent[2:]
    assert all(seal.is_right(raw) for raw in heard[2:])


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
@pytest.mark.parametrize(("direction", "number"), BOUNDARIES)
def test_a_fault_at_any_message_changes_nothing(
    direction: Direction, number: int, fault: Fault
) -> None:
    device, key = paired()
    link = link_to(device, plan=lambda d, n: fault if (d, n) == (direction, number) else Fault.NONE)
    replies, _ = run(play(link, key))
    assert replies == CLEAN_REPLIES
    assert device.state() == CLEAN_STATE


@settings(max_examples=20, deadline=None)
@given(st.data())
def test_faults_at_random_change_nothing(data: st.DataObject) -> None:
    kinds = st.lists(st.sampled_from([Fault.NONE, Fault.NONE, *FAULTS]), max_size=30)
    faults = {direction: data.draw(kinds, label=direction.value) for direction in Direction}
    device, key = paired()
    link = link_to(device, plan=lambda d, n: faults[d][n] if n < len(faults[d]) else Fault.NONE)
    replies, _ = run(play(link, key))
    assert replies == CLEAN_REPLIES
    assert device.state() == CLEAN_STATE


def test_chunks_ahead_of_their_replies_are_sealed_too() -> None:
    device, key = paired()

    async def go() -> None:
        link = link_to(device)
        session = await opened(link, key)
        await session.request(Opcode.IMAGE_GET)
        calls = [(Opcode.IMAGE_READ, requests.image_read(8 * i, 8)) for i in range(40)]
        replies = await session.request_ahead(calls)
        assert b"".join(reply.body for reply in replies) == device.state()[:320]
        session.health.stray = 0
        await session.request(Opcode.PING)
        assert session.health.stray == 0
        await session.close()

    run(go())


def test_numbers_and_events_go_on_beyond_16_bits() -> None:
    device, key = paired()

    async def go() -> None:
        session = await opened(link_to(device), key)
        await session.request(Opcode.STREAM, requests.stream(samples=True))
        calls = [(Opcode.PING, b"")] * 500
        for _ in range(132):
            assert len(await session.request_ahead(calls)) == 500
        link = session._transport
        assert isinstance(link, FaultyLink)
        for _ in range(70):
            link.sense(np.tile(SAMPLES[:80], (100, 1)))
            await session.request(Opcode.PING)
        device.drop()
        link.cut()
        await session.request(Opcode.CLASS_ADD, requests.class_add("b"))
        assert session.is_authenticated
        await session.request(Opcode.PING)  # streams are set anew
        stream = session.listen()
        link.sense(SAMPLES[:8])
        await session.request(Opcode.PING)
        stream.close()
        assert [type(event) for event in [event async for event in stream]] == [Samples]
        assert (session.health.stray, session.health.lost_events) == (0, 0)
        await session.close()

    run(go())


# --- who may -------------------------------------------------------------------------------------


def test_without_the_key_one_may_read_by_radio_and_no_more() -> None:
    device, key = paired()
    state = device.state()

    async def go() -> None:
        sent: list[bytes] = []
        link = link_to(device)
        link.on_send = sent.append
        session = await opened(link)
        reply = await session.request(Opcode.INFO)
        Info.from_bytes(reply.at, reply.body)
        await session.request(Opcode.STREAM, requests.stream(predictions=True))
        for opcode, payload in SCRIPT:
            with pytest.raises(KeyNeededError, match=f"does not have this board's key .{key.id}"):
                await session.request(opcode, payload)
        with pytest.raises(KeyNeededError, match="not over the radio") as caught:
            await session.request(Opcode.PAIR, messages.pair(rotate=True))
        assert caught.value.status == NOT_PHYSICAL
        # Not even sent: it would be seen on the air for nothing.
        assert {raw[2] for raw in sent} == {Opcode.HELLO, Opcode.INFO, Opcode.STREAM}
        await session.close()

    run(go())
    assert device.state() == state


def test_at_its_own_port_the_board_itself_refuses_who_lacks_the_key() -> None:
    device, key = paired(radio=False)
    state = device.state()

    async def go() -> None:
        session = await opened(link_to(device, radio=False))
        for opcode, payload in SCRIPT[:2]:
            with pytest.raises(KeyNeededError, match=f"key .{key.id}.*tinyol keys rotate"):
                await session.request(opcode, payload)
        assert (await access(session)).refused == 2
        await session.close()

    run(go())
    assert device.state() == state


def test_a_board_that_was_never_paired_is_changed_at_its_port_alone() -> None:
    async def go() -> None:
        device = DeviceInProcess()
        session = await opened(link_to(device, radio=False))
        await session.request(Opcode.CLASS_ADD, requests.class_add("a"))
        await session.close()
        device.by_radio()
        session = await opened(link_to(device))
        with pytest.raises(KeyNeededError, match=r"never paired.*`tinyol pair"):
            await session.request(Opcode.CLASS_ADD, requests.class_add("b"))
        reply = await session.request(Opcode.INFO)
        assert Info.from_bytes(reply.at, reply.body).n_classes == 1
        await session.close()

    run(go())


def test_reading_may_be_closed_too() -> None:
    device, key = paired()

    async def go() -> None:
        session = await opened(link_to(device), key)
        await session.request(Opcode.ACCESS_SET, messages.access_set(True))
        assert (await access(session)).reading_needs_key
        await session.request(Opcode.INFO)
        await session.close()
        session = await opened(link_to(device))
        with pytest.raises(KeyNeededError, match="tells only those who have its key"):
            await session.request(Opcode.INFO)
        await session.close()

    run(go())


# --- what the host accepts -----------------------------------------------------------------------


def test_nothing_is_believed_without_its_mac() -> None:
    """A reply whose MAC is wrong, or that has none, is passed over; the right one comes again."""
    device, key = paired()
    answers = iter(["wrong", "none", "other", "right"])

    def altered(raw: bytes) -> list[bytes]:
        message = Message.from_bytes(raw)
        if message.opcode != Opcode.CLASS_ADD or message.kind != Kind.REPLY:
            return [raw]
        kind = next(answers)
        if kind == "wrong":
            return [raw[:-1] + bytes([raw[-1] ^ 1])]
        if kind == "none":
            return [replace(message, flags=0, trailer=b"").to_bytes()]
        if kind == "other":
            return [raw[:28] + b"\x07" + raw[29:]]
        return [raw]

    async def go() -> None:
        session = await opened(link_to(device, rewrite=altered), key)
        reply = await session.request(Opcode.CLASS_ADD, requests.class_add("a"))
        assert reply.body == bytes(4)
        assert session.health.repeats == 3
        assert session.health.stray == 3
        await session.close()

    run(go())


def test_a_forged_event_is_not_told() -> None:
    device, key = paired()

    async def go() -> None:
        link = link_to(device)
        session = await opened(link, key)
        stream = session.listen()
        await session.request(Opcode.STREAM, requests.stream(samples=True))
        events: list[bytes] = []

        def keep(raw: bytes) -> list[bytes]:
            events.append(raw)
            return [raw]

        link.rewrite = keep
        link.sense(SAMPLES[:8])
        (true,) = events
        message = Message.from_bytes(true)
        forged = [
            replace(message, flags=0, trailer=b"", sequence=message.sequence + 1).to_bytes(),
            replace(message, sequence=message.sequence + 1).to_bytes(),
            true[:40] + b"\xff" + true[41:],
            true,
        ]
        link._inbox.extend(forged)
        await session.request(Opcode.PING)
        stream.close()
        told: list[Event] = [event async for event in stream]
        assert len(told) == 1
        assert session.health.stray == len(forged)
        await session.close()

    run(go())


def test_a_reply_to_another_request_of_that_number_is_not_taken() -> None:
    """HELLO has no MAC: forged, it makes the host use a number twice. The board then answers from
    memory, and that answer is to the request before.
    """
    device, key = paired()

    async def go() -> None:
        link = link_to(device)
        session = await opened(link, key)
        await session.request(Opcode.CLASS_ADD, requests.class_add("a"))
        state = device.state()
        session._talk._agreed.number -= 1
        with pytest.raises((ProtocolError, LinkError)):
            await asyncio.wait_for(
                Session.request(session, Opcode.CLASS_ADD, requests.class_add("b")), 20
            )
        assert device.state() == state
        await session.close()

    with pytest.raises(asyncio.TimeoutError):
        asyncio.run(asyncio.wait_for(go(), 1.0))


def test_what_hello_said_is_compared_with_the_boards_own_word() -> None:
    device, key = paired()

    def altered(raw: bytes) -> list[bytes]:
        return [raw[:28] + raw[28:].replace(b"sim", b"sam")] if raw[2] == Opcode.HELLO else [raw]

    async def go() -> None:
        with pytest.raises(ProtocolError, match="somebody alters"):
            await opened(link_to(device, rewrite=altered), key)

    run(go())


def test_a_board_that_denies_its_key_does_not_talk_a_conversation_down() -> None:
    """Forged HELLOs after a cut: "unpaired", another key. Nothing goes on without a MAC."""
    device, key = paired()
    lies = False

    def lie(raw: bytes) -> list[bytes]:
        if raw[2] != Opcode.HELLO or not lies:
            return [raw]
        return [raw[:-12] + bytes(12)]

    async def go() -> None:
        nonlocal lies
        link = link_to(device, rewrite=lie)
        session = await opened(link, key)
        await session.request(Opcode.CLASS_ADD, requests.class_add("a"))
        lies = True
        link.cut()
        for opcode, payload in [(Opcode.INFO, b""), SCRIPT[0]]:
            with pytest.raises(KeyNeededError, match="paired"):
                await session.request(opcode, payload)
        lies = False
        link.cut()
        await session.request(Opcode.CLASS_ADD, requests.class_add("b"))
        assert session.is_authenticated
        await session.close()

    run(go())


@pytest.mark.parametrize("ahead", [2, 5, 0x4000])
def test_hello_does_not_talk_a_live_session_ahead(ahead: int) -> None:
    """A forged "executed last" after a cut: no request gets a number that comes due much later."""
    device, key = paired()
    lies = False
    sent: list[bytes] = []

    def lie(raw: bytes) -> list[bytes]:
        nonlocal lies
        if raw[2] != Opcode.HELLO or not lies:
            return [raw]
        lies = False
        executed = int.from_bytes(raw[28:30], "little") + ahead
        return [raw[:28] + executed.to_bytes(2, "little") + raw[30:]]

    async def go() -> None:
        nonlocal lies
        link = link_to(device, rewrite=lie)
        session = await opened(link, key)
        executed = session._talk._agreed.number
        lies = True
        link.on_send = sent.append
        link.cut()
        with pytest.raises(LinkError, match="not known"):
            await session.request(Opcode.CLASS_ADD, requests.class_add("a"))
        assert not lies
        await session.request(Opcode.CLASS_ADD, requests.class_add("b"))
        numbers = {Message.from_bytes(raw).sequence for raw in sent}
        assert max(numbers) == executed + 1
        assert session.is_authenticated
        await session.close()

    run(go())


def test_refusals_without_a_mac_are_no_answers() -> None:
    """NO_SESSION, REBOOTED and NOT_AUTHENTICATED, forged: HELLO, and the request once more."""
    device, key = paired()
    statuses = iter([-20, -19, -23, -25, -3])

    def forge(raw: bytes) -> list[bytes]:
        message = Message.from_bytes(raw)
        status = next(statuses, None) if message.opcode == Opcode.CLASS_ADD else None
        if status is None:
            return [raw]
        payload = bytes([status & 0xFF]) + bytes(11 + 40)
        boot_id = message.boot_id + (status == -20)
        return [replace(message, flags=0, trailer=b"", payload=payload, boot_id=boot_id).to_bytes()]

    async def go() -> None:
        session = await opened(link_to(device, rewrite=forge), key)
        reply = await session.request(Opcode.CLASS_ADD, requests.class_add("a"))
        assert reply.body == bytes(4)
        with pytest.raises(RefusedError, match="there already"):
            await session.request(Opcode.CLASS_ADD, requests.class_add("a"))
        await session.close()

    run(go())


# --- the session's life --------------------------------------------------------------------------


def test_an_idle_session_ends_and_the_next_request_authenticates_again() -> None:
    device, key = paired()

    async def go() -> None:
        link = link_to(device)
        session = await opened(link, key)
        await session.request(Opcode.CLASS_ADD, requests.class_add("a"))
        device.pass_time(21_000)
        link.cut()
        await session.request(Opcode.CLASS_ADD, requests.class_add("b"))
        assert session.is_authenticated
        device.pass_time(21_000)  # nobody noticed that the link was silent
        await session.request(Opcode.CLASS_ADD, requests.class_add("c"))
        assert (await access(session)).authenticated
        await session.close()

    run(go())


def test_after_a_reboot_the_next_request_authenticates_again() -> None:
    device, key = paired()

    async def go() -> None:
        link = link_to(device)
        session = await opened(link, key)
        stream = session.listen()
        await session.request(Opcode.STREAM, requests.stream(samples=True))
        device.reboot()
        link.cut()
        with pytest.raises(RebootedError):
            await session.request(Opcode.CLASS_ADD, requests.class_add("a"))
        await session.request(Opcode.CLASS_ADD, requests.class_add("a"))
        assert session.is_authenticated
        link.sense(SAMPLES[:8])
        await session.request(Opcode.PING)
        stream.close()
        assert isinstance([event async for event in stream][-1], Samples)
        await session.close()

    run(go())


def test_a_key_that_was_rotated_by_another_shuts_this_one_out() -> None:
    device, key = paired()

    async def go() -> None:
        session = await opened(link_to(device), key)
        await session.request(Opcode.CLASS_ADD, requests.class_add("a"))
        state = device.state()
        new = await pair(device, rotate=True)
        for _ in range(2):
            with pytest.raises(KeyNeededError, match=f"key .{new.id}"):
                await session.request(Opcode.CLASS_ADD, requests.class_add("b"))
        assert device.state() == state
        await session.close()
        session = await opened(link_to(device), key, new)
        await session.request(Opcode.CLASS_ADD, requests.class_add("b"))
        await session.close()

    run(go())


def test_a_key_of_the_right_id_that_is_not_the_key_is_refused() -> None:
    device, key = paired()

    class Other(DeviceKey):
        @property
        def id(self) -> str:
            return key.id

    other = Other(bytes(32))

    async def go() -> None:
        with pytest.raises(KeyNeededError, match="does not take this program") as caught:
            await opened(link_to(device), other)
        assert caught.value.status == NOT_AUTHENTICATED
        session = await opened(link_to(device), key)
        found = await access(session)
        assert (found.wrong_macs, found.locked_ms) == (3, 0)
        await session.close()

    run(go())


def test_a_locked_board_is_waited_for() -> None:
    device, key = paired()
    device.now_ms = 1_000

    async def go() -> None:
        hello = Message(Kind.REQUEST, Opcode.HELLO, 0, 0, 0, requests.hello(5)).to_bytes()
        device.receive(hello)
        told = Message.from_bytes(device.take()[0])
        for number in range(1, 8):
            head = (told.session, number, told.boot_id)
            device.receive(Message(Kind.REQUEST, Opcode.CHALLENGE, *head, bytes(16)).to_bytes())
            device.receive(
                Message(
                    Kind.REQUEST, Opcode.AUTHENTICATE, told.session, number + 1, told.boot_id, b"",
                    FLAG_AUTHENTICATED, bytes(8),
                ).to_bytes()
            )  # fmt: skip
        replies = [Message.from_bytes(raw) for raw in device.take()]
        statuses = {int.from_bytes(m.payload[:1], "little", signed=True) for m in replies}
        assert statuses == {0, NOT_AUTHENTICATED, LOCKED}

        link = link_to(device)
        pings = 0

        def time_passes(raw: bytes) -> None:
            nonlocal pings
            pings += raw[2] == Opcode.PING
            if raw[2] == Opcode.PING:
                device.pass_time(1_000)

        link.on_send = time_passes
        session = Session(link, replace(QUICK, heartbeat_s=0.05), find_key=finder(key))
        await session.open()
        assert session.is_authenticated
        assert session.was_locked
        await session.close()
        assert pings >= 1

    run(go())
