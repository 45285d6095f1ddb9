"""Lists of values on the command line of `tinyol sweep`: V1,V2,..."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import click

from tinyol_host.cli.setting_pairs import parse_setting_pairs
from tinyol_sim.presets import PRESETS
from tinyol_sim.settings import SETTINGS
from tinyol_sim.sweep.grid import NO_PRESET

LEAST_CALIBRATION = 30  # windows; as of `tinyol replay`
MOST_WINDOWS = 2**31 - 1
T = TypeVar("T")


def parse_setting_lists(
    context: click.Context, parameter: click.Parameter, options: Sequence[str]
) -> dict[str, tuple[float, ...]]:
    """NAME=V1,V2,...: values by name; wrong usage says what is right."""
    settings: dict[str, tuple[float, ...]] = {}
    for option in options:
        name, _, texts = option.partition("=")
        values = _each(texts, lambda text: _value(context, parameter, name, text))  # noqa: B023
        if name in settings:
            raise click.BadParameter(f"{name} is given twice: put all its values into one list")
        settings[name] = values
    return settings


def _value(context: click.Context, parameter: click.Parameter, name: str, text: str) -> float:
    value = parse_setting_pairs(context, parameter, [f"{name}={text}"])[name]
    info = SETTINGS[name]
    if not info.minimum <= value <= info.maximum or (info.integral and value != int(value)):
        whole = ", whole" if info.integral else ""
        raise click.BadParameter(
            f"{name}: {text} is out of range: {info.minimum:g} to {info.maximum:g}{whole}"
        )
    return value


def parse_presets(
    context: click.Context, parameter: click.Parameter, texts: str | None
) -> tuple[str, ...]:
    """P1,P2,...: names of presets, or NO_PRESET."""
    names = (NO_PRESET, *PRESETS)

    def known(text: str) -> str:
        if text not in names:
            raise click.BadParameter(f"no preset {text!r}; there are {', '.join(names)}")
        return text

    return () if texts is None else _each(texts, known)


def parse_counts(context: click.Context, parameter: click.Parameter, texts: str) -> tuple[int, ...]:
    """N1,N2,...: windows, 0 or more."""
    return _each(texts, _count)


def parse_windows(
    context: click.Context, parameter: click.Parameter, texts: str
) -> tuple[int, ...]:
    """M1,M2,...: windows, 0 or at least LEAST_CALIBRATION."""
    counts = _each(texts, _count)
    for count in counts:
        if 0 < count < LEAST_CALIBRATION:
            raise click.BadParameter(f"{count} is too few: at least {LEAST_CALIBRATION}, or 0")
    return counts


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 11 and int(text) <= MOST_WINDOWS):
        raise click.BadParameter(f"{text!r} is not a number of windows, 0 to {MOST_WINDOWS}")
    return int(text)


def _each(texts: str, parse: Callable[[str], T]) -> tuple[T, ...]:
    """The values between commas, each once."""
    return tuple(dict.fromkeys(parse(text.strip()) for text in texts.split(",")))
