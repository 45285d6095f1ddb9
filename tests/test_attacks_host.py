"""A man in the middle of an authenticated session, who says and holds back whatever he likes.

Whatever he does at whatever moment: each command is executed once or not at all, in its order, and
the host believes nothing of the board that the board has not said.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import attack_count
import pytest
from faulty_link import QUICK, DeviceInProcess
from test_access_session import SAMPLES, finder, link_to, paired, run

from tinyol_host import requests
from tinyol_host.errors import (
    BAD_SEQUENCE,
    LOCKED,
    NO_SESSION,
    NOT_AUTHENTICATED,
    REBOOTED,
    RebootedError,
)
from tinyol_host.events import Event, Prediction
from tinyol_host.protocol import Opcode
from tinyol_host.session import Session
from tinyol_sim.errors import TinyOLError

KIND = "man in the middle, lying board"
HASTY = replace(QUICK, reply_s=0.01, give_up_s=0.25)
# Done twice, or in another order, each of these would leave another state.
SCRIPT: list[tuple[Opcode, bytes]] = [
    *((Opcode.CLASS_ADD, requests.class_add(name)) for name in "abcd"),
    (Opcode.CLASS_REMOVE, struct.pack("<H", 0)),
    (Opcode.CLASS_REMOVE, struct.pack("<H", 1)),
    (Opcode.CLASS_ADD, requests.class_add("e")),
    (Opcode.CLASS_RENAME, requests.class_rename(0, "f")),
    (Opcode.CLASS_REMOVE, struct.pack("<H", 2)),
]
HANDSHAKE = 3  # messages before the script's first


@cache
def states() -> tuple[bytes, ...]:
    """After none, one, two ... of the script's commands."""
    device, key = paired()
    found = [device.state()]

    async def play() -> None:
        session = Session(link_to(device), QUICK, find_key=finder(key))
        await session.open()
        for opcode, payload in SCRIPT:
            await session.request(opcode, payload)
            found.append(device.state())
        await session.close()

    run(play())
    assert len(set(found)) == len(found)
    return tuple(found)


def with_status(message: bytes, status: int, opcode: int | None = None) -> bytes:
    """A refusal without a seal, in place of a reply."""
    head = bytearray(message[:16])
    head[3] = 0
    if opcode is not None:
        head[2] = opcode
    body = struct.pack("<b3xQ32sII", status, 0, b"key", 4_000_000_000, 0)
    struct.pack_into("<H", head, 12, len(body))
    return bytes(head) + body


def success(message: bytes, flagged: bool = False) -> bytes:
    """A made up reply that all was done."""
    head = bytearray(message[:16])
    head[3] = int(flagged)
    body = struct.pack("<b3xQHH", 0, 0, 1, 0)
    struct.pack_into("<H", head, 12, len(body))
    return bytes(head) + body + bytes(8 * flagged)


def turned(message: bytes, at: int, mask: int = 0xFF) -> bytes:
    """The message with bits of one byte turned."""
    spoiled = bytearray(message)
    spoiled[at] ^= mask
    return bytes(spoiled)


@dataclass
class Middle:
    """What becomes of message number `at` of the board's, and what else is heard instead."""

    lie: Callable[[bytes, list[bytes]], list[bytes]]
    at: int
    for_ever: bool = False
    heard: list[bytes] = field(default_factory=list)

    def __call__(self, message: bytes) -> list[bytes]:
        number = len(self.heard)
        self.heard.append(message)
        if number == self.at or (self.for_ever and number > self.at):
            return self.lie(message, self.heard)
        return [message]


Lie = Callable[[bytes, list[bytes]], list[bytes]]
LIES: dict[str, Lie] = {
    "swallowed": lambda m, h: [],
    "success made up": lambda m, h: [success(m)],
    "success made up, with a trailer": lambda m, h: [success(m, flagged=True)],
    "success made up, then the truth": lambda m, h: [success(m), success(m, flagged=True), m],
    "seal stripped": lambda m, h: [m[:3] + b"\0" + m[4 : -8 if m[3] else None]],
    "status turned to success": lambda m, h: [turned(m, 16, m[16] or 1)],
    "last byte turned": lambda m, h: [turned(m, len(m) - 1)],
    "body turned": lambda m, h: [turned(m, 20)],
    "sequence turned": lambda m, h: [turned(m, 6, 1)],
    "all of before once more": lambda m, h: [*h[:-1], m],
    "the one before instead": lambda m, h: h[-2:-1],
    "the request's own direction": lambda m, h: [turned(m, 1, 3)],
    "restarted": lambda m, h: [turned(with_status(m, REBOOTED), 8, 1)],
    "restarted, same boot": lambda m, h: [with_status(m, REBOOTED)],
    "no session": lambda m, h: [with_status(m, NO_SESSION)],
    "not authenticated": lambda m, h: [with_status(m, NOT_AUTHENTICATED)],
    "out of sequence": lambda m, h: [with_status(m, BAD_SEQUENCE)],
    "locked for weeks": lambda m, h: [with_status(m, LOCKED)],
    "version 1": lambda m, h: [b"\1" + m[1:], m],
    "nothing but zeros": lambda m, h: [bytes(len(m))],
}
# The truth comes too, or comes late.
HARMLESS = (
    "all of before once more",
    "success made up, then the truth",
    "the one before instead",
    "version 1",
)
# Lies in HELLO's own fields, by their offset in its reply.
HELLO_LIES: dict[str, Lie] = {
    "session": lambda m, h: [turned(m, 4)],
    "boot id": lambda m, h: [turned(m, 8)],
    "executed last": lambda m, h: [turned(m, 28, 1)],
    "executed last, far": lambda m, h: [turned(m, 29, 0x40)],
    "firmware": lambda m, h: [turned(m, 34)],
    "model": lambda m, h: [turned(m, 44)],
    "rate": lambda m, h: [turned(m, 52)],
    "window": lambda m, h: [turned(m, 56)],
    "unpaired": lambda m, h: [turned(m, 92, 1)],
    "authenticated": lambda m, h: [turned(m, 92, 2)],
    "at the port": lambda m, h: [turned(m, 92, 4)],
    "another key": lambda m, h: [turned(m, 96)],
}


async def played(device: DeviceInProcess, middle: Middle, key: Any, timing: Any) -> int:
    """How many of the script's commands the host holds for done."""
    done = 0
    session = Session(link_to(device, rewrite=middle), timing, find_key=finder(key))
    try:
        await session.open()
        for opcode, payload in SCRIPT:
            await session.request(opcode, payload)
            done += 1
    except (TinyOLError, RebootedError):
        pass
    finally:
        await session.close()
    return done


def check(lie: Lie, at: int, for_ever: bool, timing: Any) -> int:
    """One attack; how many commands were done all the same."""
    device, key = paired()
    attack_count.tried(KIND)
    done = run(played(device, Middle(lie, at, for_ever), key, timing))
    may_be = states()[done : done + 2]  # the next one may have been done, and no other
    assert device.state() in may_be
    attack_count.beaten(KIND)
    return done


@pytest.mark.parametrize("name", sorted(LIES))
def test_one_lie_at_any_moment_doubles_nothing_and_is_not_believed(name: str) -> None:
    for at in range(HANDSHAKE + len(SCRIPT) + 1):
        check(LIES[name], at, for_ever=False, timing=HASTY)


@pytest.mark.parametrize("name", sorted(LIES))
def test_lies_for_ever_end_in_an_error_and_not_in_a_belief(name: str) -> None:
    for at in (0, 2, HANDSHAKE, HANDSHAKE + 4):
        done = check(LIES[name], at, for_ever=True, timing=HASTY)
        assert done <= max(0, at - HANDSHAKE) or name in HARMLESS


@pytest.mark.parametrize("name", sorted(HELLO_LIES))
def test_a_lie_in_hello_is_found_out(name: str) -> None:
    """Nothing is done by a host that was told another session, boot, model or key."""
    device, key = paired()
    attack_count.tried(KIND)
    done = run(played(device, Middle(HELLO_LIES[name], 0), key, HASTY))
    assert device.state() in states()[done : done + 2]
    if name not in ("executed last", "executed last, far"):
        assert done in (0, len(SCRIPT))
    attack_count.beaten(KIND)


def test_requests_held_back_reordered_and_doubled_are_done_once() -> None:
    """On the way to the board: every permutation of neighbours, and all of it once more."""
    for gap in range(1, 5):
        device, key = paired()
        attack_count.tried(KIND, len(SCRIPT))
        sent = run(_played_back(device, key, gap))
        for message in sent:
            if message[2] != Opcode.HELLO:
                device.receive(message)
        assert device.state() == states()[-1]
        attack_count.beaten(KIND, len(SCRIPT))


async def _played_back(device: DeviceInProcess, key: Any, gap: int) -> list[bytes]:
    """The script, with some of the messages so far once more before each; all that was sent."""
    sent: list[bytes] = []
    link = link_to(device)

    def before(message: bytes) -> None:
        for old in sent[-gap:] + sent[:: max(1, len(sent) // 3)]:
            if old[2] not in (Opcode.HELLO, Opcode.CHALLENGE):
                device.receive(old)
                device.take()
        sent.append(message)

    link.on_send = before
    session = Session(link, QUICK, find_key=finder(key))
    await session.open()
    for opcode, payload in SCRIPT:
        await session.request(opcode, payload)
    await session.close()
    return sent


def test_no_event_is_believed_that_the_board_has_not_told_now() -> None:
    """Forged, altered, of before, of another session: "all is normal" is not to be faked."""
    device, key = paired()
    genuine: list[bytes] = []

    def lie(message: bytes) -> list[bytes]:
        if message[1] != 3:
            return [message]
        genuine.append(message)
        forged = [message[:3] + b"\0" + message[4:-8], turned(message, 30), turned(message, 6)]
        forged += [message[:-8] + bytes(8), *genuine[:-1], message[:2] + b"\5" + message[3:]]
        attack_count.tried(KIND, len(forged))
        return [*forged, message, *forged]

    async def listen() -> list[Event]:
        link = link_to(device, rewrite=lie)
        session = Session(link, QUICK, find_key=finder(key))
        await session.open()
        events, told = session.listen(), []
        await session.request(Opcode.STREAM, b"\1")
        for i in range(6):
            link.sense(SAMPLES[10 * i : 10 * i + 10])
            await session.request(Opcode.PING)
        await session.close()
        async for event in events:
            told.append(event)
        return told

    told = run(listen())
    assert [e.window_index for e in told if isinstance(e, Prediction)] == list(range(len(genuine)))
    assert len(told) == len(genuine)  # and nothing was held for lost either
    n = sum(5 + i for i in range(len(genuine)))
    attack_count.beaten(KIND, n)
