"""A change as a device tells it, turned back into the command that made it."""

from __future__ import annotations

import struct

import pytest

from tinyol_host import requests
from tinyol_host.protocol import Opcode
from tinyol_host.wire_commands import command_of
from tinyol_sim.commands import (
    AddClass,
    Calibrate,
    ClassWeight,
    Command,
    FineTune,
    Gap,
    Label,
    LabelBack,
    NameUnknown,
    Relearn,
    RemoveClass,
    RenameClass,
    Reset,
    SetSetting,
    Undo,
)
from tinyol_sim.settings import SETTINGS

CLASSES = ["normal", "größer"]


@pytest.mark.parametrize(
    ("opcode", "payload", "command"),
    [
        (Opcode.CLASS_ADD, requests.class_add("größe"), AddClass("größe")),
        (Opcode.CLASS_RENAME, requests.class_rename(1, "b"), RenameClass("größer", "b")),
        (Opcode.CLASS_REMOVE, requests.class_remove(1), RemoveClass("größer")),
        (Opcode.LABEL, requests.label(0, 20), Label("normal", 20)),
        (Opcode.LABEL, requests.label(1, None), Label("größer")),
        (Opcode.LABEL, requests.label(None, None), Label(None)),
        (Opcode.LABEL, requests.label(1, 0), Label(None)),
        (Opcode.LABEL_BACK, requests.label_back(0, 7), LabelBack("normal", 7)),
        (Opcode.RELEARN, struct.pack("<hH", 1, 60), Relearn("größer", 60)),
        (Opcode.CLASS_WEIGHT, struct.pack("<HHf", 0, 0, 0.25), ClassWeight("normal", 0.25)),
        (Opcode.UNKNOWN_NAME, struct.pack("<IB", 3, 1) + b"x", NameUnknown(3, "x")),
        (Opcode.CALIBRATE, struct.pack("<II", 600, 180), Calibrate(180, 600)),
        (Opcode.CALIBRATE, struct.pack("<II", 7, 0), Calibrate(0)),
        (Opcode.FINE_TUNE, requests.fine_tune(300), FineTune(300)),
        (Opcode.FINE_TUNE, requests.fine_tune(None), FineTune(None)),
        (Opcode.FINE_TUNE, requests.fine_tune(0), FineTune(0)),
        (Opcode.RESET, b"", Reset()),
        (Opcode.UNDO, requests.undo(), Undo()),
        (Opcode.FEED_BEGIN, b"", Gap()),
        (Opcode.FEED_END, b"", Gap()),
    ],
)
def test_a_change_is_its_command(opcode: int, payload: bytes, command: Command) -> None:
    assert command_of(opcode, payload, CLASSES) == command


@pytest.mark.parametrize("name", SETTINGS)
def test_a_setting_has_its_name_and_the_devices_own_value(name: str) -> None:
    payload = requests.setting_set(SETTINGS[name].id, 0.1)
    (as_float32,) = struct.unpack("<f", struct.pack("<f", 0.1))
    assert command_of(Opcode.SETTING_SET, payload, []) == SetSetting(name, as_float32)


@pytest.mark.parametrize(
    ("opcode", "payload"),
    [
        (Opcode.IMAGE_COMMIT, b""),
        (Opcode.SESSION_BEGIN, b"\x06"),
        (200, b""),
        (Opcode.UNDO, b""),
        (Opcode.LABEL, b""),  # it did not fit into the event
        (Opcode.LABEL, requests.label(2, None)),
        (Opcode.LABEL_BACK, struct.pack("<hH", -1, 3)),
        (Opcode.RELEARN, struct.pack("<hH", -1, 3)),
        (Opcode.RELEARN, struct.pack("<hH", 2, 3)),
        (Opcode.CLASS_WEIGHT, struct.pack("<HHf", 2, 0, 1.0)),
        (Opcode.UNKNOWN_NAME, struct.pack("<IB", 3, 2) + b"x"),
        (Opcode.CALIBRATE, b""),
        (Opcode.CLASS_REMOVE, requests.class_remove(2)),
        (Opcode.CLASS_ADD, b"\x05abc"),
        (Opcode.CLASS_ADD, b"\x02\xff\xff"),
        (Opcode.SETTING_SET, struct.pack("<HHf", 0xFFFF, 0, 1.0)),
    ],
)
def test_what_no_command_says_is_none(opcode: int, payload: bytes) -> None:
    assert command_of(opcode, payload, CLASSES) is None
