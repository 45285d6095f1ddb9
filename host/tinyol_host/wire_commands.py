"""A change that a device told of, turned back into the command that made it.

On the wire a class is an index and a setting a number; a command has their names.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence

from tinyol_host.protocol import UNTIL_STOPPED, Opcode
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


def command_of(opcode: int, payload: bytes, classes: Sequence[str]) -> Command | None:
    """The command that a CHANGED event tells of.

    FEED_BEGIN and FEED_END are the gaps that they make. The next SAMPLES event tells of the same
    gap once more: it happened once.

    Args:
        opcode, payload: the event's; the payload is the request's.
        classes: the device's class names just before the change.

    Returns:
        None if no command says the same: an image was put in (IMAGE_COMMIT), another host began
        a session (SESSION_BEGIN), the event had no room for the payload, or the classes are not
        those of the device. Who records cannot go on from there without a new state image.
    """
    reader = _READERS.get(opcode)
    if reader is None:
        return None
    try:
        return reader(payload, classes)
    except (struct.error, LookupError, UnicodeDecodeError):
        return None


def _setting_set(payload: bytes, classes: Sequence[str]) -> Command:
    number, _, value = struct.unpack("<HHf", payload)
    name = {info.id: name for name, info in SETTINGS.items()}[number]
    return SetSetting(name, value)


def _class_rename(payload: bytes, classes: Sequence[str]) -> Command:
    (index,) = struct.unpack_from("<H", payload)
    return RenameClass(classes[index], _name(payload[2:]))


def _class_remove(payload: bytes, classes: Sequence[str]) -> Command:
    (index,) = struct.unpack("<H", payload)
    return RemoveClass(classes[index])


def _label(payload: bytes, classes: Sequence[str]) -> Command:
    index, _, windows = struct.unpack("<hHI", payload)
    if index < 0 or windows == 0:  # a label for no window is none, to the device
        return Label(None)
    return Label(classes[index], _until(windows))


def _label_back(payload: bytes, classes: Sequence[str]) -> Command | None:
    index, windows = struct.unpack("<hH", payload)
    if index < 0:
        return None
    return LabelBack(classes[index], windows)


def _relearn(payload: bytes, classes: Sequence[str]) -> Command | None:
    index, windows = struct.unpack("<hH", payload)
    return None if index < 0 else Relearn(classes[index], windows)


def _class_weight(payload: bytes, classes: Sequence[str]) -> Command:
    index, _, weight = struct.unpack("<HHf", payload)
    return ClassWeight(classes[index], weight)


def _unknown_name(payload: bytes, classes: Sequence[str]) -> Command:
    (number,) = struct.unpack_from("<I", payload)
    return NameUnknown(number, _name(payload[4:]))


def _calibrate(payload: bytes, classes: Sequence[str]) -> Command:
    steps, windows = struct.unpack("<II", payload)
    return Calibrate(windows, steps if windows else 0)


def _fine_tune(payload: bytes, classes: Sequence[str]) -> Command:
    (steps,) = struct.unpack("<I", payload)
    return FineTune(_until(steps))


def _undo(payload: bytes, classes: Sequence[str]) -> Command:
    struct.unpack("<4x", payload)
    return Undo()


def _name(field: bytes) -> str:
    """u8 length, then the name."""
    (length,) = struct.unpack_from("<B", field)
    (raw,) = struct.unpack(f"<{length}s", field[1:])
    return bytes(raw).decode()


def _until(count: int) -> int | None:
    return None if count == UNTIL_STOPPED else count


_READERS: dict[int, Callable[[bytes, Sequence[str]], Command | None]] = {
    Opcode.SETTING_SET: _setting_set,
    Opcode.CLASS_ADD: lambda payload, classes: AddClass(_name(payload)),
    Opcode.CLASS_RENAME: _class_rename,
    Opcode.CLASS_REMOVE: _class_remove,
    Opcode.LABEL: _label,
    Opcode.LABEL_BACK: _label_back,
    Opcode.RELEARN: _relearn,
    Opcode.CLASS_WEIGHT: _class_weight,
    Opcode.UNKNOWN_NAME: _unknown_name,
    Opcode.CALIBRATE: _calibrate,
    Opcode.FINE_TUNE: _fine_tune,
    Opcode.RESET: lambda payload, classes: Reset(),
    Opcode.UNDO: _undo,
    Opcode.FEED_BEGIN: lambda payload, classes: Gap(),
    Opcode.FEED_END: lambda payload, classes: Gap(),
}
