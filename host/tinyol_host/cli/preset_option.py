"""`--preset NAME`: a named set of choices (tinyol_sim/presets.py)."""

from __future__ import annotations

import click

from tinyol_sim.presets import PRESETS, Preset


def _find(context: click.Context, parameter: click.Parameter, name: str | None) -> Preset | None:
    return None if name is None else PRESETS[name]


preset_option = click.option(
    "--preset",
    type=click.Choice(list(PRESETS)),
    callback=_find,
    help="A set of choices; what is given beside it goes before. paper: as the paper has it.",
)
