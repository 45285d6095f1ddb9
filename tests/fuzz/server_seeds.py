"""Inputs of the server target: sessions as people and programs have them."""

from __future__ import annotations

import struct

import numpy as np
import wire_by_hand as wire
from small_models import vibration

from tinyol_sim.settings import SETTINGS

BOOT_ID = 77  # board_under_test.h

# Requests that wire_by_hand does not need.
INFO, PING, GOODBYE, SETTINGS_LIST, CLASSES_LIST = 2, 3, 4, 8, 12
CLASS_RENAME, METRICS, ALARMS, STREAM, SAVE = 14, 20, 21, 24, 34
IMAGE_PUT, IMAGE_WRITE = 38, 39
UNTIL_STOPPED = wire.UNTIL_STOPPED

# Actions and variants of server_fuzz.cpp.
REQUEST, BYTES, ODD_REQUEST, SENSE, FEED, TIME, DOWNLOAD, UPLOAD = range(8)
ODD_VARIANTS = 16
REPLAY = 13
A_QUARTER_G = 14  # the size of noise: 2 to the power of this - 16


class Script:
    """An input of the server target."""

    def __init__(
        self,
        model: int = 0,
        limits: tuple[int, int] = (0, 0),
        gatt: bool = False,
        unloaded: bool = False,
        kind: int = 0,
    ) -> None:
        header = model | limits[0] << 2 | limits[1] << 4 | 1 << 6 | gatt << 7
        self.data = bytearray([header, unloaded | kind])

    def act(self, action: int, *fields: int, link: int = 0, variant: int = 0) -> None:
        self.data += bytes([action | link << 3 | variant << 4, *fields])

    def ask(self, opcode: int, payload: bytes = b"", link: int = 0) -> None:
        self.act(REQUEST, opcode, len(payload), *payload, link=link)

    def odd(self, variant: int, opcode: int, payload: bytes = b"", link: int = 0) -> None:
        self.act(ODD_REQUEST, opcode, len(payload), *payload, link=link, variant=variant)

    def raw(self, stream: bytes, link: int = 0) -> None:
        for at in range(0, len(stream), 255):
            part = stream[at : at + 255]
            self.act(BYTES, len(part), *part, link=link)

    def add_class(self, name: str, link: int = 0) -> None:
        self.ask(wire.CLASS_ADD, bytes([len(name)]) + name.encode(), link)

    def label(self, index: int, windows: int = UNTIL_STOPPED, link: int = 0) -> None:
        self.ask(wire.LABEL, struct.pack("<hHI", index, 0, windows), link)


def server_seeds() -> list[bytes]:
    """Sessions as people and programs have them."""
    return [
        *(learning(model, limits) for model in (0, 1) for limits in ((0, 0), (1, 2), (3, 3))),
        *(settings_turned(first) for first in range(0, len(SETTINGS), 2)),
        two_links(),
        *(two_links(room, gatt=True) for room in range(4)),
        pieces(),
        feeding(),
        refusals(),
        out_of_order(),
        silence(),
        saving(),
        raw_frames(),
        *(followed(variant) for variant in range(4)),
        *(hardware(model, unloaded) for model, unloaded in ((0, False), (1, False), (0, True))),
        without_a_model(),
        *(images(model) for model in (0, 1)),
        *(lasting(model) for model in (0, 1)),
        *(odd_lasting(model) for model in (0, 1)),
        *(undoing(model) for model in (0, 1)),
    ]


def learning(model: int, limits: tuple[int, int]) -> bytes:
    s = Script(model, limits)
    for opcode in (INFO, METRICS, PING):
        s.ask(opcode)
    s.ask(SETTINGS_LIST, b"\0\0")
    s.ask(STREAM, b"\x1f")
    for name in ("low", "high", "Lüfter"):
        s.add_class(name)
    s.ask(CLASSES_LIST, b"\0\0")
    s.ask(wire.FINE_TUNE, struct.pack("<I", 20))
    for index in range(3):
        s.label(index, 9)
        s.act(SENSE, 60, A_QUARTER_G - index, index, variant=index == 1)
    s.label(-1)
    s.act(SENSE, 30, A_QUARTER_G, 1)
    s.ask(wire.LABEL_BACK, struct.pack("<hH", 2, 6))
    s.ask(CLASS_RENAME, struct.pack("<HB", 1, 3) + b"new")
    s.ask(wire.CLASS_REMOVE, b"\0\0")
    for opcode in (METRICS, ALARMS, INFO, wire.RESET, GOODBYE):
        s.ask(opcode)
    return bytes(s.data)


def setting(s: Script, name: str, value: float) -> None:
    s.ask(wire.SETTING_SET, struct.pack("<HHf", SETTINGS[name].id, 0, value))


def lasting(model: int) -> bytes:
    """Alarms, drift, an unknown state that gets a name, a calibration; all of it followed."""
    s = Script(model)
    for name, value in (
        ("anomaly.detector", model),
        ("anomaly.threshold", 0.01),
        ("anomaly.raise_windows", 1),
        ("anomaly.clear_windows", 1),
        ("unknown.windows", 1),
        ("drift.windows", 1),
        ("drift.lambda", 0.5),
    ):
        setting(s, name, value)
    s.add_class("a")
    s.act(DOWNLOAD, 255, variant=1)
    s.label(0, 12)
    s.act(SENSE, 70, A_QUARTER_G - 2, 1)
    s.label(-1)
    s.act(SENSE, 40, A_QUARTER_G + 2, 2)
    for opcode in (wire.UNKNOWNS, wire.WATCH, ALARMS):
        s.ask(opcode)
    s.ask(wire.UNKNOWN_NAME, struct.pack("<IB", 1, 1) + b"b", link=1)
    s.ask(wire.CALIBRATE, struct.pack("<II", 2, 30))
    s.ask(wire.RELEARN, struct.pack("<hH", 0, 4))
    s.ask(wire.CLASS_WEIGHT, struct.pack("<HHf", 0, 0, 3.5), link=1)
    s.act(SENSE, 120, A_QUARTER_G - 2, 3)
    s.ask(wire.CLASS_STATUS, b"\0\0")
    return bytes(s.data)


def odd_lasting(model: int) -> bytes:
    """The same requests with what they must refuse, on a link of 128 bytes."""
    s = Script(model, (3, 3))
    for first in (0, 12, 36, 43, 0xFFFF):
        s.ask(SETTINGS_LIST, struct.pack("<H", first))
    s.ask(wire.UNKNOWN_NAME, struct.pack("<IB", 1, 1) + b"a")
    s.ask(wire.RELEARN, struct.pack("<hH", 0, 4))
    for name in "abcdefghij":
        s.add_class(name)
    s.ask(wire.CLASS_STATUS, b"\0\0")
    s.ask(wire.CLASS_STATUS, b"\x08\0")
    for index, weight in ((0, np.nan), (0, np.inf), (0, -1.0), (0, 0.0), (99, 1.0)):
        s.ask(wire.CLASS_WEIGHT, struct.pack("<HHf", index, 0, weight))
    for steps, windows in ((0, 29), (UNTIL_STOPPED, UNTIL_STOPPED), (5, 0)):
        s.ask(wire.CALIBRATE, struct.pack("<II", steps, windows))
    s.act(SENSE, 30, A_QUARTER_G, 1)
    for index, windows in ((-1, 5), (0, 0), (0, 0xFFFF), (99, 1)):
        s.ask(wire.RELEARN, struct.pack("<hH", index, windows))
    for number in (0, 1, UNTIL_STOPPED):
        s.ask(wire.UNKNOWN_NAME, struct.pack("<IB", number, 1) + b"z")
    s.ask(STREAM, b"\x20")
    s.ask(wire.WATCH, link=1)
    return bytes(s.data)


def undoing(model: int) -> bytes:
    """Each request that can be taken back is; all of it followed."""
    s = Script(model)
    s.add_class("a")
    s.add_class("b")
    s.act(DOWNLOAD, 255, variant=1)
    s.label(0)
    s.act(SENSE, 130, A_QUARTER_G - 2, 1)
    for payload in (b"\1\0\0\0", b"\0\0\0\0", b"\0\0\0\0", b"\2\0\0\0", b"\0"):
        s.ask(wire.UNDO, payload)
    for opcode, payload in (
        (wire.LABEL_BACK, struct.pack("<hH", 1, 30)),
        (wire.RELEARN, struct.pack("<hH", 0, 9)),
        (wire.FINE_TUNE, struct.pack("<I", 9)),
        (wire.CALIBRATE, struct.pack("<II", 2, 30)),
        (wire.CLASS_REMOVE, b"\0\0"),
        (wire.RESET, b""),
        (wire.LABEL, struct.pack("<hHI", 1, 0, 4)),
    ):
        s.act(SENSE, 20, A_QUARTER_G, 2, variant=1)
        s.ask(opcode, payload)
        s.act(SENSE, 9, A_QUARTER_G - 1, 3)
        s.add_class("c", link=1)
        s.ask(wire.UNDO, b"\0\0\0\0", link=1)
    s.act(SENSE, 40, A_QUARTER_G, 4)
    return bytes(s.data)


def settings_turned(first: int) -> bytes:
    s = Script(first // 2 % 2)
    s.add_class("a")
    s.add_class("b")
    s.ask(wire.FINE_TUNE, struct.pack("<I", UNTIL_STOPPED))
    for info in list(SETTINGS.values())[first : first + 2]:
        for value in (info.minimum, info.maximum, np.nan, 1.0):
            s.ask(wire.SETTING_SET, struct.pack("<HHf", info.id, 0, value))
            s.label(1)
            s.act(SENSE, 30, A_QUARTER_G + 1, 3)
    return bytes(s.data)


def two_links(limit: int = 1, gatt: bool = False) -> bytes:
    s = Script(0, (0, limit), gatt)
    s.ask(STREAM, b"\x03", link=0)
    s.ask(STREAM, b"\x0c", link=1)
    for link in (0, 1):
        s.add_class(f"of {link}", link=link)
        s.label(link, 5, link=link)
        s.act(SENSE, 21, A_QUARTER_G, link)
    s.act(DOWNLOAD, 100, link=0, variant=2)
    s.act(UPLOAD, 100, 0, link=1)
    s.act(TIME, 0, link=0, variant=1)
    s.act(SENSE, 40, 255, 1)
    s.ask(GOODBYE, link=0)
    s.ask(wire.HELLO, struct.pack("<QQ", 1, 0), link=0)
    s.ask(wire.HELLO, struct.pack("<QQ", 5, 0), link=1)
    s.ask(PING, link=1)
    return bytes(s.data)


def pieces() -> bytes:
    """Values written to a GATT characteristic: one request in two pieces, and what is none."""
    s = Script(0, (0, 1), gatt=True)
    ping = struct.pack("<BBBBHHIHH", 2, 1, PING, 0, 2, 1, BOOT_ID, 0, 0)
    for value in (b"\x80" + ping[:9], b"\xc1" + ping[9:], b"\x82", b"\xc0" + ping, b"", b"\x81a"):
        s.raw(value or b"\xbf", link=1)
    s.ask(INFO, link=1)
    return bytes(s.data)


def feeding() -> bytes:
    s = Script(1)
    s.ask(STREAM, b"\x0f", link=1)
    s.ask(wire.FEED_BEGIN)
    s.add_class("x", link=1)
    s.add_class("y")
    s.label(0, 3)
    s.act(FEED, 90, A_QUARTER_G, 1, variant=1)
    s.act(FEED, 5, 254, 1)
    s.act(SENSE, 5, A_QUARTER_G, 1)
    s.act(FEED, 3, A_QUARTER_G, 1, link=1)
    s.ask(wire.FEED_END, link=1)
    s.ask(wire.FEED_END)
    s.ask(wire.FEED_BEGIN, link=1)
    s.act(TIME, 200)
    s.ask(wire.FEED, struct.pack("<BBH3f", 1, 0, 0, 0.1, -0.2, 1.0))
    return bytes(s.data)


def refusals() -> bytes:
    s = Script()
    for opcode in range(1, 60):
        s.ask(opcode, b"\x01\x00")
    s.add_class("x" * 16)
    s.add_class("\x1b")
    s.label(3, 1)
    s.ask(wire.CLASS_ADD, b"\x05abc")
    s.ask(IMAGE_PUT, struct.pack("<II", 30, 0))
    for at in (0, 20):
        s.ask(IMAGE_WRITE, struct.pack("<I", at) + bytes(20))
    s.ask(99)
    return bytes(s.data)


def out_of_order() -> bytes:
    s = Script()
    for variant in range(ODD_VARIANTS):
        s.odd(variant, wire.CLASS_ADD, b"\x01" + bytes([ord("a") + variant]))
        s.odd(variant, PING, link=1)
    s.odd(0, wire.HELLO, struct.pack("<QQ", 1, 0))
    return bytes(s.data)


def silence() -> bytes:
    s = Script(0, (3, 0))
    for link in (0, 1):
        s.ask(STREAM, b"\x0f", link=link)
    s.ask(wire.FEED_BEGIN, link=1)
    for units in (100, 40, 20, 255):
        s.act(TIME, units)
        s.ask(PING, link=0)
    s.ask(PING, link=1)
    s.act(TIME, 0, link=0, variant=2)
    s.act(SENSE, 9, A_QUARTER_G, 1)
    return bytes(s.data)


def saving() -> bytes:
    """On request, when a peer leaves, and every hour; into flash that fails in between."""
    s = Script()
    s.ask(STREAM, b"\x08")
    s.ask(SAVE)
    for fails_after in (0, 300, 2, 0):
        s.add_class(f"c{fails_after}{len(s.data)}"[:15])
        s.act(TIME, 1, fails_after & 255, fails_after >> 8, variant=8)
        s.ask(SAVE, link=1)
        s.ask(wire.FINE_TUNE, struct.pack("<I", 1))
        s.label(0, 1)
        s.act(SENSE, 20, A_QUARTER_G, 1)
        s.act(TIME, 1, variant=4)
        s.ask(wire.HELLO, struct.pack("<QQ", 1, 0))
    s.ask(INFO)
    s.ask(GOODBYE)
    s.act(TIME, 1)
    return bytes(s.data)


def raw_frames() -> bytes:
    """The same over the serial line, with noise between the frames."""
    s = Script()
    stream = b"\0\0\x05abc\0"
    requests = [
        (INFO, b""),
        (wire.CLASS_ADD, b"\x01a"),
        (wire.FEED_BEGIN, b""),
        (wire.FEED, struct.pack("<BBH", 9, 1, 0) + vibration(9).astype("<f4").tobytes()),
        (wire.IMAGE_GET, b""),
        (wire.IMAGE_READ, struct.pack("<II", 0, 300)),
    ]
    for sequence, (opcode, payload) in enumerate(requests, start=1):
        header = struct.pack("<BBBBHHIHH", 2, 1, opcode, 0, 1, sequence, BOOT_ID, len(payload), 0)
        stream += wire.encode_frame(header + payload) + b"\x03\xff\0"
    s.raw(stream)
    return bytes(s.data)


def followed(variant: int) -> bytes:
    """SESSION_BEGIN, and all that changes something behind it."""
    s = Script(variant & 1, (variant, 0))
    s.add_class("a")
    s.act(SENSE, 20, A_QUARTER_G, 9)
    s.act(DOWNLOAD, 84, variant=1)
    s.act(SENSE, 13, A_QUARTER_G, 1, variant=1)
    s.add_class("b", link=variant & 1)
    s.label(1, 4)
    s.act(SENSE, 37, A_QUARTER_G, 2)
    s.ask(wire.FINE_TUNE, struct.pack("<I", 3), link=1)
    s.ask(wire.FEED_BEGIN, link=variant >> 1)
    s.act(FEED, 50, A_QUARTER_G, 2, link=variant >> 1, variant=1)
    s.ask(wire.LABEL_BACK, struct.pack("<hH", 0, 6), link=variant >> 1)
    s.ask(CLASS_RENAME, struct.pack("<HB", 1, 1) + b"c", link=variant >> 1)
    s.ask(wire.SETTING_SET, struct.pack("<HHf", 1, 0, 0.25), link=variant >> 1)
    s.ask(wire.FEED_END, link=variant >> 1)
    s.act(SENSE, 3, 255, 2)
    s.ask(wire.CLASS_REMOVE, b"\0\0")
    s.act(SENSE, 11, A_QUARTER_G, 2)
    s.ask(wire.RESET, link=1)
    s.act(SENSE, 10, A_QUARTER_G, 2)
    s.act(DOWNLOAD, 84, link=1, variant=1)
    s.act(SENSE, 10, A_QUARTER_G, 2)
    return bytes(s.data)


def hardware(model: int, unloaded: bool) -> bytes:
    """Names, into flash that fails in between; conditions, and who is told; the LED."""
    s = Script(model, (3, 0), unloaded=unloaded)
    s.ask(STREAM, b"\x08", link=1)
    for slot, text in ((1, b"sensor: silent"), (4, "Lüfter ".encode() * 20), (0, b"x"), (1, b"")):
        s.act(SENSE, 1, A_QUARTER_G, 1, slot, slot, len(text), *text, variant=2)
        s.ask(wire.CONDITION, bytes([slot // 2]), link=1)
    s.ask(STREAM, b"\x0c")
    for name in ("Keller", "Lüfter", "", "twenty bytes it is !", "x" * 21, "\n"):
        fails_after = len(name) % 4 * 5
        s.act(TIME, 1, fails_after, 0, variant=8)
        s.ask(wire.NAME_SET, bytes([len(name.encode())]) + name.encode())
        s.ask(wire.HARDWARE, link=1)
    s.ask(wire.LOCATE, b"\x02")
    s.act(TIME, 40)
    s.ask(wire.LOCATE, b"\0")
    return bytes(s.data)


def without_a_model() -> bytes:
    s = Script(0, (0, 3), gatt=True, unloaded=True)
    s.ask(STREAM, b"\x0f")
    s.act(SENSE, 21, A_QUARTER_G, 1, variant=1)
    for opcode in range(2, 60):
        s.ask(opcode)
    s.add_class("a", link=1)
    s.act(FEED, 3, A_QUARTER_G, 1, variant=1)
    s.act(DOWNLOAD, 84, variant=1)
    s.act(SENSE, 9, 255, 1)
    s.act(TIME, 1, variant=4)
    s.act(SENSE, 9, A_QUARTER_G, 1)
    return bytes(s.data)


def images(model: int) -> bytes:
    s = Script(model)
    s.add_class("a")
    s.act(DOWNLOAD, 84)
    s.label(0)
    s.act(SENSE, 40, A_QUARTER_G, 1)
    s.act(UPLOAD, 200, 0, variant=1)
    for variant in (0, 2, 4, 8):
        s.act(UPLOAD, 84, 1, 30, 0, 0, 0, 0x80, 0x3F, variant=variant)
    return bytes(s.data)
