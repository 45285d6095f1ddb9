"""A device's address: `sim:`, `emu:?machine=qemu`, `serial:/dev/ttyACM0` or the path, `ble:NAME`.

Options follow a `?`, one from the next by `&`; %XX in a value stands for a byte, `+` for itself.

    model=BUNDLE      sim, emu: what runs there; else the shipped one for the source's rate
    source=SOURCE     sim, emu: synth, synth:MODE[+MODE...], a recording's path, or none
    speed=X           sim, emu: X times real time
    state=FILE        sim, emu: where this program keeps what was learned; none = nowhere
    flash=FILE        emu: the board's own flash, made where there is none; see below
    machine=, compiler=, optimize=    emu: which of those there are

With flash=, the board keeps what it learned by itself, as one of hardware does: it begins with what
its flash holds, and saves on `tinyol state save` and when its peer leaves. Nothing is kept beside
that, so it takes no state= but none.
"""

from __future__ import annotations

import math
import os
import re
from dataclasses import dataclass, field
from urllib.parse import quote, unquote

from tinyol_host.errors import AddressError
from tinyol_sim.emulator.machine import MACHINES

VARIABLE = "TINYOL_DEVICE"
DEFAULT = "sim:"

_TWIN_OPTIONS = ("model", "source", "speed", "state")
OPTIONS: dict[str, tuple[str, ...]] = {
    "sim": _TWIN_OPTIONS,
    "emu": (*_TWIN_OPTIONS, "flash", "machine", "compiler", "optimize"),
    "serial": (),
    "ble": (),
}
NO_STATE = "none"  # as state=
SLOWEST, FASTEST = 1e-3, 1e6  # speed=
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
        AddressError: an unknown scheme or option, or a value that it cannot have; names what
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
        raise AddressError(f"no device {text!r}: {_KNOWN}{hint}")
    target, _, query = parts[2].partition("?")
    if target and scheme not in _WITH_TARGET:
        raise AddressError(
            f"{text!r}: nothing can stand behind {scheme}: but options, as"
            f" {scheme}:?source=synth:normal&speed=10"
        )
    _check_no_zero(text)
    return Uri(scheme, unquote(target), _parse_options(scheme, query))


def _check_no_zero(text: str) -> None:
    """No file, port or name can have one."""
    if "\0" in unquote(text):
        raise AddressError(f"{text!r}: %00 cannot stand in an address")


def _parse_options(scheme: str, query: str) -> dict[str, str]:
    options: dict[str, str] = {}
    for item in filter(None, query.split("&")):
        name, equals, value = item.partition("=")
        known = OPTIONS[scheme]
        if name not in known:
            there_is = f"it has {', '.join(known)}" if known else "it has none"
            raise AddressError(f"{scheme}: has no option {name!r}; {there_is}")
        if name in options:
            raise AddressError(f"{scheme}: the option {name} is given twice")
        options[name] = unquote(value)
        if not equals or not options[name]:
            raise AddressError(f"{scheme}: the option {name} needs a value, as {name}=...")
        _check_value(name, options[name])
    if "flash" in options and options.get("state", NO_STATE) != NO_STATE:
        raise AddressError(
            f"{scheme}: what the board learns is kept either in its own flash, by flash=FILE, or by"
            " this program, by state=FILE: leave one of them out"
        )
    return options


def _check_value(name: str, value: str) -> None:
    choices = _CHOICES.get(name)
    if choices is not None and value not in choices:
        raise AddressError(f"{name}={value}: it must be one of {', '.join(choices)}")
    if name == "speed" and not SLOWEST <= speed_of(value) <= FASTEST:
        raise AddressError(
            f"speed={value}: it must be a number from {SLOWEST:g} to {FASTEST:g}; 1 is real time"
        )


def speed_of(value: str) -> float:
    """The option's number; NaN if it is not one, or not finite."""
    try:
        speed = float(value)
    except ValueError:
        return math.nan
    return speed if math.isfinite(speed) else math.nan
