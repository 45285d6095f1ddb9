"""What replies tell of what a device noticed by itself, as frozen dataclasses.

Fields and order: docs/wire-protocol.md.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace

from tinyol_host.errors import ProtocolError
from tinyol_host.payloads import exactly

_ALARMS = struct.Struct("<IHH")
_ALARM = struct.Struct("<QQIf")
_UNKNOWNS = struct.Struct("<IBBH")
_UNKNOWN = struct.Struct("<IQQIfBBH")
_WATCH = struct.Struct("<I2f3fffIBBBBII3f3ffff")


@dataclass(frozen=True)
class Alarm:
    """A run of windows in which the anomaly detector's alarm stood."""

    first_sample: int  # index of the first window's last sample
    last_sample: int  # of the last window's
    windows: int
    peak_score: float  # the largest anomaly score, as a share of the limit


@dataclass(frozen=True)
class Alarms:
    """What happened while perhaps nobody was there: ALARMS' reply."""

    at: int
    count: int  # since the board booted, or its state was replaced
    latest: tuple[Alarm, ...]  # the last few, the latest first; that one may go on

    @classmethod
    def from_bytes(cls, at: int, body: bytes) -> Alarms:
        """ProtocolError if the body is not as specified."""
        if len(body) < _ALARMS.size or (len(body) - _ALARMS.size) % _ALARM.size:
            raise ProtocolError(f"ALARMS' reply has {len(body)} bytes, which is no whole number")
        count, n, _ = _ALARMS.unpack_from(body)
        latest = tuple(Alarm(*fields) for fields in _ALARM.iter_unpack(body[_ALARMS.size :]))
        if len(latest) != n:
            raise ProtocolError(f"ALARMS' reply has {len(latest)} alarms, and says {n}")
        return cls(at, count, latest)


@dataclass(frozen=True)
class UnknownEvent:
    """Windows in a row that no class explains, without their vectors."""

    number: int  # from 1
    first_sample: int  # index of the first window's last sample
    last_sample: int  # of the latest unknown window's
    windows: int  # unknown ones
    peak_novelty: float  # above 1: no class explains it
    named: bool  # it was made a class
    kept: int  # feature vectors, from which a class can learn
    open: bool  # it goes on


@dataclass(frozen=True)
class Unknowns:
    """UNKNOWNS' reply."""

    at: int
    count: int  # events since the state began; the latest one's number
    latest: tuple[UnknownEvent, ...]  # those that are kept, the latest first

    @classmethod
    def from_bytes(cls, at: int, body: bytes) -> Unknowns:
        """ProtocolError if the body is not as specified."""
        if len(body) < _UNKNOWNS.size or (len(body) - _UNKNOWNS.size) % _UNKNOWN.size:
            raise ProtocolError(f"UNKNOWNS' reply has {len(body)} bytes, which is no whole number")
        count, goes_on, n, _ = _UNKNOWNS.unpack_from(body)
        latest = tuple(
            UnknownEvent(number, first, last, windows, peak, bool(named), kept, False)
            for number, first, last, windows, peak, named, _, kept in _UNKNOWN.iter_unpack(
                body[_UNKNOWNS.size :]
            )
        )
        if len(latest) != n:
            raise ProtocolError(f"UNKNOWNS' reply has {len(latest)} events, and says {n}")
        if latest and goes_on:
            latest = (replace(latest[0], open=True), *latest[1:])
        return cls(at, count, latest)


@dataclass(frozen=True)
class Watch:
    """What the device takes for normal, and what it sees now: WATCH's reply."""

    at: int
    normal_windows: int  # that say what is normal
    mean: tuple[float, float]  # of (ln error, ln variance in g^2) over them
    covariance: tuple[float, float, float]  # error-error, error-variance, variance-variance
    limit: float  # of the squared distance from normal; 0 while it settles
    score: float  # of the last window, as a share of the limit; 0 before the first
    alarms: int  # raised since the state began
    alarm: bool  # one stands
    moved: bool  # the sensor hangs otherwise than it did
    changed: bool  # the machine's error has shifted
    unknown: bool  # no class explained the last window
    calibration_steps_left: int  # of fine-tuning, before its windows
    calibration_windows_left: int  # 0 = no calibration is under way
    gravity_reference: tuple[float, float, float]  # g; 0 0 0 before there is one
    gravity: tuple[float, float, float]  # g, now
    tilt_deg: float  # between the two
    up: float  # summed standard deviations by which the error has risen
    down: float  # ... has fallen

    @classmethod
    def from_bytes(cls, at: int, body: bytes) -> Watch:
        """ProtocolError if the body is not as specified."""
        fields = exactly(_WATCH, body, "WATCH's reply")
        limit, score, alarms, alarm, moved, changed, unknown, steps, windows = fields[6:15]
        tilt_deg, up, down = fields[21:]
        return cls(
            at=at,
            normal_windows=fields[0],
            mean=fields[1:3],
            covariance=fields[3:6],
            limit=limit,
            score=score,
            alarms=alarms,
            alarm=bool(alarm),
            moved=bool(moved),
            changed=bool(changed),
            unknown=bool(unknown),
            calibration_steps_left=steps,
            calibration_windows_left=windows,
            gravity_reference=fields[15:18],
            gravity=fields[18:21],
            tilt_deg=tilt_deg,
            up=up,
            down=down,
        )
