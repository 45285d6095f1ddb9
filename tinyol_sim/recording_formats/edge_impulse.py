"""Recordings as Edge Impulse's data acquisition format, in JSON.

Its specification: https://docs.edgeimpulse.com/reference/data-acquisition-format. The signature
is not checked. The format has neither gaps nor labels; a file's label is the part of its name
before the first dot, as Edge Impulse's uploader has it.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeGuard

import numpy as np
from numpy.typing import NDArray

from tinyol_sim.counted import counted
from tinyol_sim.errors import RecordingError
from tinyol_sim.recording_formats.parsed import (
    G_PER_UNIT,
    STANDARD_GRAVITY,
    Parsed,
    read_text,
    to_float32_g,
)

if TYPE_CHECKING:
    from tinyol_sim.recordings import Recording

_AXES = ("accX", "accY", "accZ")


def read(path: Path) -> Parsed:
    """Read the accelerometer of an Edge Impulse JSON file. Raises RecordingError."""
    text = read_text(path)
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise RecordingError(
            f"{path}:{error.lineno}: not JSON: {error.msg} (column {error.colno})"
        ) from None
    except (ValueError, RecursionError) as error:
        raise RecordingError(f"{path}: not JSON that can be read: {error}") from None
    payload = _object(path, document, "payload")
    protected = document.get("protected", {})
    version = protected.get("ver", "v1") if isinstance(protected, dict) else protected
    if version != "v1":
        raise RecordingError(f"{path}: protected.ver is {version!r}; it must be 'v1'")
    rate_hz = _rate_hz(path, payload.get("interval_ms"))
    sensors = _sensors(path, payload)
    columns, units = _axes(path, sensors)
    table = _table(path, payload.get("values"), [name for name, _ in sensors], text)

    def where(row: int) -> str:
        return f"{path}: payload.values[{row}]"

    return Parsed(
        samples=to_float32_g(table[:, columns], units, where),
        where=where,
        labels=np.full(len(table), -1, np.int16),
        rate_hz=rate_hz,
        rate_where=f"{path}: payload.interval_ms",
        default_label=file_label(path),
    )


def file_label(path: Path) -> str:
    """The label that a file name stands for: `stuck.3k2l.json` -> `stuck`."""
    return path.name.split(".")[0]


def stated_rate_hz(rate_hz: float) -> float:
    """The rate as a file states it: 1000 / (1000 / rate) can miss its last bit, 9 digits do not."""
    return float(f"{rate_hz:.9g}")


def to_bytes(recording: Recording) -> bytes:
    """The recording as an unsigned file in m/s2; labels are left out, gaps are an error.

    Nine digits a value: read back, each gives the float32 in g that it came from.
    """
    if len(recording.gaps):
        raise RecordingError(
            f"an Edge Impulse file cannot hold the {counted(len(recording.gaps), 'gap')} of this"
            " recording; write .csv or .npz"
        )
    document: dict[str, Any] = {
        "protected": {"ver": "v1", "alg": "none"},
        "signature": "0" * 64,
        "payload": {
            "device_type": "TINYOL",
            "interval_ms": 1000 / recording.rate_hz,
            "sensors": [{"name": axis, "units": "m/s2"} for axis in _AXES],
            "values": [],
        },
    }
    scaled = recording.samples.astype(np.float64) * STANDARD_GRAVITY
    rows = ",\n".join(f"[{x:.9g}, {y:.9g}, {z:.9g}]" for x, y, z in scaled.tolist())
    head, tail = json.dumps(document).split("[]")
    return f"{head}[\n{rows}\n]{tail}\n".encode()


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _as_float(value: int | float) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _rate_hz(path: Path, interval_ms: object) -> float:
    if _is_number(interval_ms) and 1e-6 <= _as_float(interval_ms) < math.inf:
        return stated_rate_hz(1000 / interval_ms)
    raise RecordingError(
        f"{path}: payload.interval_ms is {json.dumps(interval_ms)[:40]};"
        " it must be a number above 0"
    )


def _object(path: Path, document: object, key: str) -> dict[str, Any]:
    if not isinstance(document, dict) or not isinstance(document.get(key), dict):
        raise RecordingError(
            f"{path}: {key!r} is missing; this JSON is not Edge Impulse's data acquisition format"
        )
    found: dict[str, Any] = document[key]
    return found


def _sensors(path: Path, payload: dict[str, Any]) -> list[tuple[str, str]]:
    """Name and units of each column of the values."""
    sensors = payload.get("sensors")
    if not isinstance(sensors, list) or not sensors:
        raise RecordingError(f"{path}: payload.sensors must be a list of {{name, units}}")
    found = []
    for i, sensor in enumerate(sensors):
        name = sensor.get("name") if isinstance(sensor, dict) else None
        units = sensor.get("units") if isinstance(sensor, dict) else None
        if not isinstance(name, str) or not isinstance(units, str):
            raise RecordingError(f"{path}: payload.sensors[{i}] must have a name and units")
        found.append((name, units))
    return found


def _axes(path: Path, sensors: list[tuple[str, str]]) -> tuple[list[int], str]:
    """The columns of accX, accY, accZ, and their units."""
    names = [name for name, _ in sensors]
    for axis in _AXES:
        if names.count(axis) != 1:
            raise RecordingError(
                f"{path}: payload.sensors must have one {axis} (it has {', '.join(names)[:100]})"
            )
    columns = [names.index(axis) for axis in _AXES]
    units = sensors[columns[0]][1]
    for column in columns:
        if sensors[column][1] not in G_PER_UNIT or sensors[column][1] != units:
            raise RecordingError(
                f"{path}: payload.sensors[{column}].units is {sensors[column][1]!r}; accX, accY"
                " and accZ must all be in m/s2 or all in g"
            )
    return columns, units


def _table(path: Path, values: object, names: list[str], text: str) -> NDArray[np.float64]:
    if not isinstance(values, list) or not values:
        raise RecordingError(f"{path}: payload.values must be a list of at least one sample")
    try:
        table = np.array(values)
    except ValueError:  # rows of different lengths
        table = np.empty(0)
    is_clean = table.shape == (len(values), len(names)) and table.dtype.kind in "iuf"
    if not is_clean or "true" in text or "false" in text:  # numpy takes true for 1
        _check_rows(path, values, names)
        table = np.array([[_as_float(v) for v in row] for row in values])
    return table.astype(np.float64)


def _check_rows(path: Path, values: list[Any], names: list[str]) -> None:
    for i, row in enumerate(values):
        where = f"{path}: payload.values[{i}]"
        if not isinstance(row, list):
            raise RecordingError(f"{where} must be a list of {len(names)} numbers")
        if len(row) != len(names):
            raise RecordingError(
                f"{where} has {len(row)} numbers for {len(names)} sensors"
                f" ({', '.join(names)[:100]})"
            )
        for name, value in zip(names, row, strict=True):
            if not _is_number(value):
                shown = json.dumps(value)[:40]
                raise RecordingError(f"{where}: {name} is {shown}; it must be a number")
