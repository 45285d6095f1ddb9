"""A device's address: `sim:`, `emu:?machine=qemu`, `serial:/dev/ttyACM0` or the path, `ble:NAME`.

Options follow a `?`, one from the next by `&`; %XX in a value stands for a byte, `+` for itself.
"""

from __future__ import annotations

import math
import os
import re
from dataclasses import dataclass, field
from urllib.parse import quote, unquote

from tinyol_sim.emulator.machine import MACHINES
from tinyol_sim.errors import DeviceError

VARIABLE = "TINYOL_DEVICE"
DEFAULT = "sim:"

_TWIN_OPTIONS = ("model", "source", "speed", "state")
OPTIONS: dict[str, tuple[str, ...]] = {
    "sim": _TWIN_OPTIONS,
    "emu": (*_TWIN_OPTIONS, "machine", "compiler", "optimize"),
    "serial": (),
    "ble": (),
}
_WITH_TARGET = ("serial", "ble")
_CHOICES = {
    "machine": MACHINES,
    "compiler": ("zig", "gcc"),
    "optimize": ("Os", "O2", "O3"),
}
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):(.*)", re.DOTALL)
_WINDOWS_PORT = re.compile(r"(\\\\\.\\)?COM[0-9]+", re.IGNORECASE)
_KNOWN = (
    "a device is sim: (in this process), emu: (an emulated board), a serial port as"
    " serial:/dev/ttyACM0, or a board in radio range as ble:NAME"
)


@dataclass(frozen=True)
class Uri:
    """scheme: one of OPTIONS.

    target: of serial the port, of ble the board's name or address; "" = the one board there is.
    """

    scheme: str
    target: str = ""
    options: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        """Reads back as the same by parse_uri()."""
        given = "&".join(f"{name}={quote(value, '/:+,~')}" for name, value in self.options.items())
        return f"{self.scheme}:{quote(self.target, '/:+,~')}" + (f"?{given}" if given else "")


def parse_uri(text: str | None) -> Uri:
    """Reads an address.

    Args:
        text: None takes $TINYOL_DEVICE, and "sim:" where that is not set or empty.

    Raises:
        DeviceError: an unknown scheme or option, or a value that it cannot have; names what
            there is.
    """
    if text is None:
        text = os.environ.get(VARIABLE) or DEFAULT
    if text.startswith(("/", "./", "../")) or _WINDOWS_PORT.fullmatch(text):
        return Uri("serial", text)
    parts = _SCHEME.fullmatch(text)
    scheme = parts[1].lower() if parts else ""
    if parts is None or scheme not in OPTIONS:
        hint = f"; did you mean {text}: ?" if text in OPTIONS else ""
        raise DeviceError(f"no device {text!r}: {_KNOWN}{hint}")
    target, _, query = parts[2].partition("?")
    if target and scheme not in _WITH_TARGET:
        raise DeviceError(
            f"{text!r}: nothing can stand behind {scheme}: but options, as"
            f" {scheme}:?source=synth:normal&speed=10"
        )
    return Uri(scheme, unquote(target), _parse_options(scheme, query))


def _parse_options(scheme: str, query: str) -> dict[str, str]:
    options: dict[str, str] = {}
    for item in filter(None, query.split("&")):
        name, equals, value = item.partition("=")
        known = OPTIONS[scheme]
        if name not in known:
            there_is = f"it has {', '.join(known)}" if known else "it has none"
            raise DeviceError(f"{scheme}: has no option {name!r}; {there_is}")
        if name in options:
            raise DeviceError(f"{scheme}: the option {name} is given twice")
        options[name] = unquote(value)
        if not equals or not options[name]:
            raise DeviceError(f"{scheme}: the option {name} needs a value, as {name}=...")
        _check_value(name, options[name])
    return options


def _check_value(name: str, value: str) -> None:
    choices = _CHOICES.get(name)
    if choices is not None and value not in choices:
        raise DeviceError(f"{name}={value}: it must be one of {', '.join(choices)}")
    if name == "speed" and not speed_of(value) > 0:
        raise DeviceError(f"speed={value}: it must be a number above 0; 1 is real time")


def speed_of(value: str) -> float:
    """The option's number; NaN if it is not one, or not finite."""
    try:
        speed = float(value)
    except ValueError:
        return math.nan
    return speed if math.isfinite(speed) else math.nan
