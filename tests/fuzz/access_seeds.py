"""Inputs of the server target that are about its key: who has it, who has not, and who tries."""

from __future__ import annotations

import struct

import wire_by_hand as wire
from server_seeds import (
    A_QUARTER_G,
    GOODBYE,
    INFO,
    ODD_VARIANTS,
    PING,
    REPLAY,
    REQUEST,
    SAVE,
    SENSE,
    STREAM,
    TIME,
    Script,
)

CHALLENGE, AUTHENTICATE, ACCESS, ACCESS_SET, PAIR, FACTORY_RESET, UNDO = range(60, 67)
# The second byte of an input.
KEYLESS, PAIRED, SHUT, LIVE_0, LIVE_1, RADIO_0, RADIO_1 = (1 << bit for bit in range(1, 8))
KINDS = (
    PAIRED,
    PAIRED | LIVE_0 | LIVE_1,
    PAIRED | RADIO_1 | LIVE_1,
    PAIRED | SHUT | RADIO_1 | LIVE_1,
    PAIRED | SHUT | RADIO_0 | RADIO_1,
    RADIO_0 | RADIO_1,
    KEYLESS,
)
FLAG = struct.Struct("<B3x")


def authenticate(s: Script, link: int, seed: int) -> None:
    """The handshake, and behind it a PING."""
    s.act(REQUEST, seed, PING, 0, link=link, variant=1)


def access_seeds() -> list[bytes]:
    return [
        *(teaching(kind) for kind in KINDS),
        *(every_request(kind) for kind in KINDS),
        *(odd(kind, gatt) for kind in (PAIRED, PAIRED | LIVE_0 | LIVE_1) for gatt in (False, True)),
        pairing(),
        guessing(),
        lapsing(),
        replaying(),
        reading(),
        *(to_the_factory(fails_after) for fails_after in (0, 1, 5, 20)),
        by_radio(),
    ]


def teaching(kind: int) -> bytes:
    """Both links teach, each with a handshake of its own first, and are told of it."""
    s = Script(kind=kind)
    for link in (0, 1):
        s.ask(STREAM, b"\x1f", link)
        s.add_class("before", link)
        authenticate(s, link, link + 1)
        s.add_class(f"of {link}", link)
        s.label(link, 4, link)
        s.act(SENSE, 24, A_QUARTER_G, link)
        s.ask(wire.LABEL_BACK, struct.pack("<hH", 0, 2), link)
        s.ask(SAVE, link=link)
    s.ask(GOODBYE, link=0)
    s.ask(wire.HELLO, struct.pack("<QQ", 1, 0), link=0)
    s.add_class("after", 0)
    s.ask(wire.RESET, link=1)
    return bytes(s.data)


def every_request(kind: int) -> bytes:
    s = Script(1, kind=kind)
    for opcode in range(2, 68):
        s.ask(opcode, b"\0\0\0\0", link=1)
    return bytes(s.data)


def odd(kind: int, gatt: bool) -> bytes:
    s = Script(0, (0, 1), gatt, kind=kind)
    for variant in range(ODD_VARIANTS):
        for link in (0, 1):
            s.odd(variant, wire.CLASS_ADD, b"\x01" + bytes([ord("a") + variant]), link=link)
            s.odd(variant, AUTHENTICATE, link=link)
        s.act(TIME, 40)
    return bytes(s.data)


def pairing() -> bytes:
    """A first key, one that is there already, others; into flash that fails in between."""
    s = Script(kind=0)
    s.ask(wire.FEED_BEGIN, link=1)
    for rotate, fails_after in ((1, 0), (0, 3), (0, 0), (0, 0), (1, 9), (1, 0)):
        s.act(TIME, 0, fails_after, 0, variant=8)
        s.ask(PAIR, FLAG.pack(rotate))
        s.odd(0, PAIR)
        authenticate(s, 0, 7)
        s.ask(ACCESS)
        s.ask(wire.HELLO, struct.pack("<QQ", 2, 0), link=1)
    s.ask(PAIR, b"\x02\0\0\0")
    s.ask(PAIR, b"\0\0\1\0")
    return bytes(s.data)


def guessing() -> bytes:
    """Wrong MACs until the link is locked, and what the right ones get meanwhile."""
    s = Script(kind=PAIRED | LIVE_1)
    for _ in range(7):
        for link in (0, 1):
            s.ask(CHALLENGE, bytes(16), link=link)
            s.odd(10, AUTHENTICATE, link=link)
    authenticate(s, 0, 3)
    s.ask(ACCESS)
    s.ask(wire.RESET, link=1)
    for units in (8, 40, 100):
        s.act(TIME, units)
        authenticate(s, 0, 3)
        s.ask(ACCESS, link=1)
    return bytes(s.data)


def lapsing() -> bytes:
    """A live session that nobody uses for 20 s; repeats and wrong MACs do not count."""
    s = Script(kind=PAIRED | LIVE_0 | LIVE_1)
    s.ask(wire.FEED_BEGIN)
    for units in (100, 100, 100, 60):
        s.act(TIME, units)
        s.odd(REPLAY, 2)  # FEED_BEGIN, which was executed last
        s.odd(10, PING)
        s.ask(PING, link=1)
    s.add_class("late")
    s.ask(wire.HELLO, struct.pack("<QQ", 1, 0))
    s.add_class("later")
    authenticate(s, 0, 9)
    s.add_class("again")
    return bytes(s.data)


def replaying() -> bytes:
    s = Script(0, (0, 1), gatt=True, kind=PAIRED | LIVE_0 | LIVE_1)
    s.add_class("a", 0)
    s.add_class("b", 1)
    s.label(0, 3, 1)
    for which in (0, 1, 2, 3, 4, 64, 192):
        for link in (0, 1):
            s.odd(REPLAY, which, link=link)
    s.ask(wire.HELLO, struct.pack("<QQ", 8, 0), link=1)
    for which in range(5):
        s.odd(REPLAY, which, link=1)
    authenticate(s, 1, 1)
    for which in range(5):
        s.odd(REPLAY, which, link=1)
    return bytes(s.data)


def reading() -> bytes:
    """Shut while a radio streams, and open again."""
    s = Script(kind=PAIRED | LIVE_0 | RADIO_1)
    for shut in (1, 1, 0, 2):
        s.ask(STREAM, b"\x1f", link=1)
        s.ask(ACCESS_SET, FLAG.pack(shut))
        s.act(SENSE, 20, A_QUARTER_G, 1)
        s.ask(INFO, link=1)
        s.add_class(f"c{shut}{len(s.data)}"[:15])
        authenticate(s, 1, 5)
        s.ask(STREAM, b"\x1f", link=1)
        s.act(SENSE, 20, A_QUARTER_G, 1)
        s.ask(wire.HELLO, struct.pack("<QQ", len(s.data), 0), link=1)
    return bytes(s.data)


def to_the_factory(fails_after: int) -> bytes:
    s = Script(kind=PAIRED | LIVE_0 | LIVE_1)
    s.ask(STREAM, b"\x1f", link=1)
    s.add_class("a")
    s.label(0, 3)
    s.act(SENSE, 30, A_QUARTER_G, 1)
    s.ask(wire.NAME_SET, b"\x01k")
    s.ask(SAVE)
    s.ask(FACTORY_RESET, b"RSEX")
    s.act(TIME, 1, fails_after, 0, variant=8)
    s.ask(FACTORY_RESET, b"RSET")
    s.act(TIME, 1, 0, 0, variant=8)
    s.ask(ACCESS)
    s.add_class("b")
    s.ask(PAIR, FLAG.pack(0))
    s.ask(wire.HELLO, struct.pack("<QQ", 2, 0), link=1)
    s.add_class("c", link=1)
    return bytes(s.data)


def by_radio() -> bytes:
    """What only whoever touches the board may do, asked with and without its key."""
    s = Script(0, (0, 1), gatt=True, kind=PAIRED | RADIO_0)
    for link in (0, 1):
        for payload, opcode in ((FLAG.pack(1), PAIR), (b"RSET", FACTORY_RESET)):
            s.ask(opcode, payload, link=link)
            authenticate(s, link, 2)
            s.ask(opcode, payload, link=link)
            s.ask(UNDO, FLAG.pack(1), link=link)
            s.ask(CHALLENGE, bytes(16), link=link)
    return bytes(s.data)
