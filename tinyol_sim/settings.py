"""The device's settings, read from the core's own table so that there is one list only."""

from __future__ import annotations

from dataclasses import dataclass

from ._core import ffi, lib


@dataclass(frozen=True)
class SettingInfo:
    """One line of the table in firmware/lib/tinyol/src/tinyol/settings.cpp."""

    index: int
    id: int  # on the wire and in images
    name: str
    initial: float
    minimum: float
    maximum: float
    integral: bool


def _read_table() -> dict[str, SettingInfo]:
    table = {}
    for index in range(lib.tinyol_setting_count()):
        entry = lib.tinyol_setting_at(index)
        name = ffi.string(entry.name).decode()
        table[name] = SettingInfo(
            index,
            entry.id,
            name,
            entry.initial,
            entry.minimum,
            entry.maximum,
            bool(entry.integral),
        )
    return table


SETTINGS = _read_table()
