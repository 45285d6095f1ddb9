"""`tinyol bench`: what each stage costs on a Cortex-M4F, counted on the emulated board."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tinyol_host.cli.device_options import json_option

if TYPE_CHECKING:
    from rich.table import Table

    from tinyol_sim.emulator.bench import Instructions

_OPTIONS = ("model", "machine", "compiler", "optimize")


def _parse_device(context: click.Context, parameter: click.Parameter, text: str) -> dict[str, str]:
    from tinyol_host.uri import parse_uri
    from tinyol_sim.errors import DeviceError

    try:
        uri = parse_uri(text)
    except DeviceError as error:
        raise click.BadParameter(str(error)) from None
    if uri.scheme != "emu":
        raise click.BadParameter(
            f"instructions are counted on the emulated board, emu:, not on {uri}"
        )
    useless = [name for name in uri.options if name not in _OPTIONS]
    if useless:
        raise click.BadParameter(f"{useless[0]} has no effect here; {', '.join(_OPTIONS)} have")
    return uri.options


@click.command()
@click.argument("model", required=False, type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "-d",
    "--device",
    "options",
    metavar="URI",
    default="emu:",
    show_default=True,
    callback=_parse_device,
    shell_complete=lambda context, parameter, typed: [w for w in ("emu:",) if w.startswith(typed)],
    help="The emulated board, as emu:?machine=qemu&compiler=gcc&optimize=Os.",
)
@json_option
def bench(model: Path | None, options: dict[str, str], as_json: bool) -> None:
    """Count the instructions of each stage on an emulated Cortex-M4F, for the bundle MODEL.

    Without MODEL, the bundle that ships for 119 Hz. Counts are exact; cycles and microseconds are
    estimates.
    """
    if model is not None and "model" in options:
        raise click.UsageError("two models: MODEL, and model= in the URI")

    from tinyol_sim.bundle import Bundle, default_bundle
    from tinyol_sim.emulator.bench import NOTE, count_instructions

    path = Path(options["model"]) if "model" in options else model
    counts = count_instructions(
        default_bundle() if path is None else Bundle.load(path),
        compiler=options.get("compiler"),
        optimize=f"-{options.get('optimize', 'O2')}",
        machine=options.get("machine", "unicorn"),
    )
    if as_json:
        click.echo(json.dumps({name: asdict(count) for name, count in counts.items()}, indent=2))
        return

    from rich.console import Console

    from tinyol_host.cli.tables import print_table

    name = "the shipped bundle" if path is None else path.name
    click.echo(f"One window of {name} on a Cortex-M4F\n")
    print_table(Console(highlight=False), _table(counts))
    click.echo(NOTE)


def _table(counts: dict[str, Instructions]) -> Table:
    from rich.table import Table

    from tinyol_sim.emulator.bench import CYCLES_LEAST, CYCLES_MOST, PAPER_US

    table = Table(box=None, pad_edge=False)
    table.add_column("stage", no_wrap=True)
    for column in ("instructions", "cycles, est.", "us, est.", "us, paper"):
        table.add_column(column, justify="right", no_wrap=True)
    for name, count in counts.items():
        least_us, most_us = count.microseconds()
        table.add_row(
            name,
            f"{count.median:,}",
            f"{count.median * CYCLES_LEAST:,.0f}-{count.median * CYCLES_MOST:,.0f}",
            f"{least_us:,.0f}-{most_us:,.0f}",
            f"{PAPER_US[name]:,}" if name in PAPER_US else "",
        )
    return table
