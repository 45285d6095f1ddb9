"""`--rate-hz HZ`: for recordings that do not say their rate."""

from __future__ import annotations

import click

rate_option = click.option(
    "--rate-hz",
    metavar="HZ",
    type=click.FloatRange(min=0, min_open=True),
    help="Samples a second; needed where neither a file nor its regular `t` says it.",
)
