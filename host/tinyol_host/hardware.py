"""What a board says of its own hardware, and the rule for its name."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum

from tinyol_host.errors import ProtocolError
from tinyol_sim.errors import DeviceError

MAX_BOARD_NAME_BYTES = 20
MOST_LOCATE_S = 255

_HARDWARE = struct.Struct("<BBHfIII24s")
_CONDITION = struct.Struct("<BBH")


class SensorState(IntEnum):
    """How the board's own accelerometer does."""

    NONE = 0  # the board has none: it is fed
    RUNNING = 1
    MISSING = 2
    SILENT = 3
    STUCK = 4
    WRONG_RATE = 5

    @property
    def words(self) -> str:
        """For a person."""
        return _WORDS[self]

    @property
    def failed(self) -> bool:
        """It gives nothing that the board could learn from."""
        return self not in (SensorState.NONE, SensorState.RUNNING)


_WORDS = {
    SensorState.NONE: "no sensor",
    SensorState.RUNNING: "running",
    SensorState.MISSING: "missing: it does not answer (firmware of the wrong revision?)",
    SensorState.SILENT: "silent: it answers, but gives no samples",
    SensorState.STUCK: "stuck: it repeats one sample",
    SensorState.WRONG_RATE: "not at the rate that the model was made for",
}


@dataclass(frozen=True)
class Hardware:
    """HARDWARE's reply."""

    sensor: SensorState
    n_conditions: int  # that stand: see Condition
    sensor_hz: float  # 0 = no sensor
    dropped_samples: int  # by the sensor, since boot
    arena_used: int  # bytes of the frozen net's working memory
    arena_bytes: int
    name: str  # that the board goes by; "" if it has none

    @classmethod
    def from_bytes(cls, body: bytes) -> Hardware:
        """ProtocolError if the body is not as specified."""
        if len(body) != _HARDWARE.size:
            raise ProtocolError(f"HARDWARE's reply has {len(body)} bytes, not {_HARDWARE.size}")
        sensor, conditions, _, rate_hz, dropped, used, arena, name = _HARDWARE.unpack(body)
        if sensor not in SensorState.__members__.values():
            raise ProtocolError(f"{sensor} is no state of a sensor; update this program")
        text = name.split(b"\0", 1)[0].decode("utf-8", "replace")
        return cls(SensorState(sensor), conditions, rate_hz, dropped, used, arena, text)


@dataclass(frozen=True)
class Condition:
    """What holds on a board until it is taken back: a sensor missing, a model refused."""

    level: int  # 1 information, 2 warning, 3 error
    n_conditions: int  # that stand
    text: str

    @classmethod
    def from_bytes(cls, body: bytes) -> Condition:
        """ProtocolError if the body is not as specified."""
        if len(body) < _CONDITION.size:
            raise ProtocolError(f"CONDITION's reply has only {len(body)} bytes")
        level, count, _ = _CONDITION.unpack_from(body)
        return cls(level, count, body[_CONDITION.size :].decode("utf-8", "replace"))


def name_set(name: str) -> bytes:
    """The payload of NAME_SET; DeviceError if no board should get this name. "" clears it."""
    check_board_name(name)
    raw = name.encode()
    return bytes([len(raw)]) + raw


def locate(seconds: int) -> bytes:
    """The payload of LOCATE, 0 to stop; DeviceError if the seconds do not fit."""
    if not 0 <= seconds <= MOST_LOCATE_S:
        raise DeviceError(f"seconds is {seconds}; it must be 0 to {MOST_LOCATE_S}")
    return bytes([seconds])


def check_board_name(name: str) -> None:
    """DeviceError unless it is "" or a name that can be seen, typed and advertised."""
    if not name:
        return
    n_bytes = len(name.encode(errors="replace"))
    if name.isprintable() and name == name.strip() and n_bytes <= MAX_BOARD_NAME_BYTES:
        return
    raise DeviceError(
        f"{name!r} is no name for a board: 1 to {MAX_BOARD_NAME_BYTES} bytes of UTF-8, printable,"
        f" no space at either end; it has {n_bytes}"
    )
