"""What a device tells without having been asked, and what the host adds where something is lost."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Union

import numpy as np
from numpy.typing import NDArray

from tinyol_host.errors import ProtocolError
from tinyol_host.protocol import EventType, Message

_PREDICTION = struct.Struct("<QQfffffhhBBBx")
_SAMPLES = struct.Struct("<QBBH")
_CHANGED = struct.Struct("<BBHQ")
_LOG = struct.Struct("<B3xQ")


@dataclass(frozen=True)
class Prediction:
    """What became of a window; the columns of `tinyol_sim.twin.Windows`."""

    sample_index: int  # of the window's last sample
    window_index: int
    error: float  # the frozen net's mean squared reconstruction error
    tuned_error: float  # the fine-tuned layer's
    log_variance: float  # ln g^2
    confidence: float  # probability of `predicted`
    loss: float  # cross-entropy before the step; 0 without a label
    predicted: int  # class index, -1 = no class known
    label: int  # class index, -1 = unlabelled
    anomaly: bool
    learned: bool
    fine_tuned: bool


@dataclass(frozen=True, eq=False)
class Samples:
    """Raw samples, as the device took them."""

    first: int  # index of the first
    gap: bool  # the first does not follow the one before
    samples: NDArray[np.float32]  # (n, 3) in g; not finite where the device refused it
    gaps: int = 0  # how many were marked before the first; 255 = or more


@dataclass(frozen=True)
class Changed:
    """Something was changed on the device."""

    opcode: int  # the request that was executed
    own: bool  # by this link
    at: int  # index of the first sample that it holds for
    payload: bytes  # the request's, if it fitted


@dataclass(frozen=True)
class Log:
    """A line of the device's log."""

    level: int  # 1 information, 2 warning, 3 error
    at: int  # index of the next sample
    text: str


@dataclass(frozen=True)
class Lost:
    """Events are missing here. Put in by the host, which sees holes in the events' counter."""

    count: int  # events; 0 = the link was cut or the device restarted: nobody knows how many


# typing.Union: what Python 3.10 evaluates at run time, too.
Event = Union[Prediction, Samples, Changed, Log, Lost]  # noqa: UP007


def parse_event(message: Message) -> Event:
    """The event in a message; ProtocolError if it is of no known type, or not as specified."""
    payload = message.payload
    if message.opcode == EventType.PREDICTION and len(payload) == _PREDICTION.size:
        fields = _PREDICTION.unpack(payload)
        return Prediction(*fields[:9], *map(bool, fields[9:]))
    if message.opcode == EventType.SAMPLES and len(payload) >= _SAMPLES.size:
        first, n, gaps, _ = _SAMPLES.unpack_from(payload)
        if len(payload) == _SAMPLES.size + 12 * n:
            samples = np.frombuffer(payload, "<f4", offset=_SAMPLES.size).reshape(n, 3)
            return Samples(first, bool(gaps), samples.astype(np.float32), gaps)
    if message.opcode == EventType.CHANGED and len(payload) >= _CHANGED.size:
        opcode, own, _, at = _CHANGED.unpack_from(payload)
        return Changed(opcode, bool(own), at, payload[_CHANGED.size :])
    if message.opcode == EventType.LOG and len(payload) >= _LOG.size:
        level, at = _LOG.unpack_from(payload)
        return Log(level, at, payload[_LOG.size :].decode("utf-8", "replace"))
    raise ProtocolError(f"an event of type {message.opcode} with {len(payload)} bytes is not known")
