"""What a device tells without having been asked, and what the host adds where something is lost."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import Union

import numpy as np
from numpy.typing import NDArray

from tinyol_host.errors import ProtocolError
from tinyol_host.protocol import EventType, Message

_PREDICTION = struct.Struct("<QQfffffffhhBBBB")
_SAMPLES = struct.Struct("<QBBH")
_CHANGED = struct.Struct("<BBHQ")
_LOG = struct.Struct("<B3xQ")
_NOTICE = struct.Struct("<BBhIQQIf")
_STATE_ALARM, _STATE_UNKNOWN = 1, 2  # bits of a prediction's state


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
    score: float  # of the anomaly detector, as a share of its limit: above 1 an anomaly
    novelty: float  # distance from the nearest class, as a share of its limit: above 1 unknown
    predicted: int  # class index, -1 = no class known
    label: int  # class index, -1 = unlabelled
    anomaly: bool
    learned: bool
    fine_tuned: bool
    alarm: bool  # an alarm stands
    unknown: bool  # no class explains the window, and it has no label


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


class NoticeKind(IntEnum):
    """What a notice is about."""

    ALARM = 1
    UNKNOWN = 2
    MOVED = 3  # the sensor hangs otherwise than it did
    CHANGED = 4  # the machine's error has shifted
    CALIBRATED = 5


@dataclass(frozen=True)
class Notice:
    """Something began or ended."""

    kind: NoticeKind
    began: bool  # False: it ended
    class_index: int | None  # CHANGED: what the window was taken for
    number: int  # of the alarm or the unknown event, from 1; 0 otherwise
    first_sample: int  # index of the last sample of its first window
    last_sample: int  # ... of its latest
    windows: int
    size: float  # largest score; largest novelty; degrees of tilt; CHANGED: up - down; 0


@dataclass(frozen=True)
class Lost:
    """Events are missing here. Put in by the host, which sees holes in the events' counter."""

    count: int  # events; 0 = the link was cut or the device restarted: nobody knows how many


# typing.Union: what Python 3.10 evaluates at run time, too.
Event = Union[Prediction, Samples, Changed, Log, Notice, Lost]  # noqa: UP007


def parse_event(message: Message) -> Event:
    """The event in a message; ProtocolError if it is of no known type, or not as specified."""
    payload = message.payload
    if message.opcode == EventType.PREDICTION and len(payload) == _PREDICTION.size:
        *fields, anomaly, learned, fine_tuned, state = _PREDICTION.unpack(payload)
        bits = (anomaly, learned, fine_tuned, state & _STATE_ALARM, state & _STATE_UNKNOWN)
        return Prediction(*fields, *map(bool, bits))
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
    if message.opcode == EventType.NOTICE and len(payload) == _NOTICE.size:
        kind, phase, class_index, *rest = _NOTICE.unpack(payload)
        if kind in NoticeKind.__members__.values() and phase in (1, 2):
            known = class_index if class_index >= 0 else None
            return Notice(NoticeKind(kind), phase == 1, known, *rest)
    raise ProtocolError(f"an event of type {message.opcode} with {len(payload)} bytes is not known")
