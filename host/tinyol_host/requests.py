"""The payloads of requests, one function each; a request that is not here has none.

Each raises DeviceError for what its field cannot hold; the rest is the device's to refuse.
"""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import ArrayLike

from tinyol_host.protocol import UNTIL_STOPPED
from tinyol_sim.errors import DeviceError

SAMPLES_PER_FEED = 40


def hello(nonce: int, utc_ms: int = 0) -> bytes:
    """The nonce names the session across reconnects; UTC 0 = unknown."""
    return struct.pack("<QQ", _whole(nonce, "the nonce", 64), _whole(utc_ms, "UTC in ms", 64))


def setting_set(setting_id: int, value: float) -> bytes:
    """One setting's value."""
    try:
        return struct.pack("<HHf", _whole(setting_id, "a setting's id", 16), 0, value)
    except OverflowError:
        raise DeviceError(f"{value!r} is too large for a setting") from None


def settings_list(first: int = 0) -> bytes:
    """The settings from a place in the device's table on."""
    return struct.pack("<H", _whole(first, "a setting's place", 16))


def classes_list(first: int = 0) -> bytes:
    """The class names from an index on."""
    return struct.pack("<H", _whole(first, "a class index", 16))


def class_add(name: str) -> bytes:
    """A name of 1 to 15 bytes of UTF-8."""
    return _name(name)


def class_rename(index: int, name: str) -> bytes:
    """Another name for the class of that index."""
    return struct.pack("<H", _whole(index, "a class index", 16)) + _name(name)


def class_remove(index: int) -> bytes:
    """The class of that index."""
    return struct.pack("<H", _whole(index, "a class index", 16))


def label(index: int | None, windows: int | None = None) -> bytes:
    """A class, or None for no label; a number of windows, or None for until stopped."""
    return struct.pack("<hHI", _class_or_none(index), 0, _count(windows, "windows"))


def label_back(index: int, windows: int) -> bytes:
    """The last `windows` windows, 1 to 65535."""
    if not 1 <= windows <= 0xFFFF:
        raise DeviceError(f"windows is {windows}; it must be 1 to 65535")
    return struct.pack("<hH", _class_or_none(index), windows)


def fine_tune(steps: int | None) -> bytes:
    """A number of steps (0 stops), or None for until stopped."""
    return struct.pack("<I", _count(steps, "steps"))


def relearn(index: int, windows: int) -> bytes:
    """A class, and from how many of the last windows it begins anew: 1 to 65535."""
    if not 1 <= windows <= 0xFFFF:
        raise DeviceError(f"windows is {windows}; it must be 1 to 65535")
    return struct.pack("<hH", _class_or_none(index), windows)


def class_weight(index: int, weight: float) -> bytes:
    """How likely the class of that index is beforehand, relative to the others."""
    try:
        return struct.pack("<HHf", _whole(index, "a class index", 16), 0, weight)
    except OverflowError:
        raise DeviceError(f"{weight!r} is too large for a class's weight") from None


def calibrate(windows: int, fine_tune_steps: int = 0) -> bytes:
    """Fine-tuning steps first, then the windows that say what is normal; 0 windows ends it."""
    steps = _whole(fine_tune_steps, "fine-tuning steps", 32)
    return struct.pack("<II", steps, _whole(windows, "windows", 32))


def undo(*, only_say: bool = False) -> bytes:
    """Takes back, or only says what that would be."""
    return bytes([only_say, 0, 0, 0])


def unknown_name(number: int, name: str) -> bytes:
    """An unknown event, and the class that it becomes."""
    return struct.pack("<I", _whole(number, "an unknown event's number", 32)) + _name(name)


def class_status(first: int = 0) -> bytes:
    """What the classes learned, from an index on."""
    return struct.pack("<H", _whole(first, "a class index", 16))


def stream(
    *,
    predictions: bool = False,
    samples: bool = False,
    changes: bool = False,
    log: bool = False,
    notices: bool = False,
) -> bytes:
    """The events that are wanted; `changes` are those by this link too. All False: none."""
    return bytes([predictions | samples << 1 | changes << 2 | log << 3 | notices << 4])


def session_begin(
    *,
    predictions: bool = False,
    samples: bool = False,
    changes: bool = False,
    log: bool = False,
    notices: bool = False,
) -> bytes:
    """As `stream`."""
    return stream(
        predictions=predictions, samples=samples, changes=changes, log=log, notices=notices
    )


def feed(samples: ArrayLike, gap: bool = False) -> bytes:
    """Samples (n, 3) in g, n at most 40, cast to float32; gap: the first follows no other."""
    with np.errstate(over="ignore"):  # too large becomes infinite; the device refuses and counts
        xyz = np.asarray(samples, dtype="<f4")
    if xyz.ndim != 2 or xyz.shape[1] != 3:
        raise DeviceError(f"samples must have the shape (n, 3), not {xyz.shape}")
    if len(xyz) > SAMPLES_PER_FEED:
        raise DeviceError(f"{len(xyz)} samples in one message; {SAMPLES_PER_FEED} is the most")
    return struct.pack("<BBH", len(xyz), gap, 0) + xyz.tobytes()


def image_read(offset: int, length: int) -> bytes:
    """A part of the image that IMAGE_GET or SESSION_BEGIN announced."""
    return struct.pack("<II", _whole(offset, "an offset", 32), _whole(length, "a length", 32))


def image_put(length: int, crc: int) -> bytes:
    """An image's bytes and CRC-32."""
    return struct.pack("<II", _whole(length, "a length", 32), _whole(crc, "a CRC", 32))


def image_write(offset: int, chunk: bytes) -> bytes:
    """The chunk that begins where the last one ended."""
    return struct.pack("<I", _whole(offset, "an offset", 32)) + chunk


def _name(name: str) -> bytes:
    raw = name.encode("utf-8", "surrogatepass")
    if len(raw) > 255:  # one byte tells the length; up to there the device says what it takes
        raise DeviceError(f"{name!r} is no class name: 1 to 15 bytes of UTF-8, printable")
    return bytes([len(raw)]) + raw


def _class_or_none(index: int | None) -> int:
    if index is None:
        return -1
    if not 0 <= index <= 0x7FFF:
        raise DeviceError(f"a class index is {index}; it must be 0 to 32767")
    return index


def _count(value: int | None, what: str) -> int:
    if value is None:
        return UNTIL_STOPPED
    if not 0 <= value < UNTIL_STOPPED:
        raise DeviceError(f"{what} is {value}; it must be 0 to {UNTIL_STOPPED - 1}")
    return value


def _whole(value: int, what: str, bits: int) -> int:
    if not 0 <= value < 1 << bits:
        raise DeviceError(f"{what} is {value}; it must be 0 to {(1 << bits) - 1}")
    return value
