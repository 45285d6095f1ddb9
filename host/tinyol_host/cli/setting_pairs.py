"""NAME=VALUE on a command line: settings of the device."""

from __future__ import annotations

from collections.abc import Sequence

import click

from tinyol_sim.replay import LEARN
from tinyol_sim.settings import SETTINGS


def parse_setting_pairs(
    context: click.Context, parameter: click.Parameter, pairs: Sequence[str]
) -> dict[str, float]:
    """The callback of an option that may be given several times; wrong usage says what is right."""
    settings = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals:
            raise click.BadParameter(f"{pair!r} is not NAME=VALUE")
        if name == LEARN:
            raise click.BadParameter(f"{LEARN} is what --learn is for")
        if name not in SETTINGS:
            raise click.BadParameter(f"no setting {name!r}; there are {', '.join(SETTINGS)}")
        try:
            settings[name] = float(text)
        except ValueError:
            raise click.BadParameter(f"{name}: {text!r} is not a number") from None
    return settings
