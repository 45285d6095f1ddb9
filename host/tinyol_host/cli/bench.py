"""`tinyol bench`: what a window, each learning part and authentication cost on a Cortex-M4F."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tinyol_host.cli.device_options import json_option

if TYPE_CHECKING:
    from rich.table import Table

    from tinyol_sim.emulator.bench import Costs, Instructions

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
    """Count instructions on an emulated Cortex-M4F: a window of the bundle MODEL, stage by stage,
    each learning part by itself, with its RAM, and what it takes to check who is teaching.

    Without MODEL, the bundle that ships for 119 Hz. Counts are exact; cycles and microseconds are
    estimates.
    """
    if model is not None and "model" in options:
        raise click.UsageError("two models: MODEL, and model= in the URI")

    from tinyol_sim.bundle import Bundle, default_bundle
    from tinyol_sim.emulator.bench import NOTE, count_costs, count_instructions

    path = Path(options["model"]) if "model" in options else model
    compiler, machine = options.get("compiler"), options.get("machine", "unicorn")
    optimize = f"-{options.get('optimize', 'O2')}"
    counts = count_instructions(
        default_bundle() if path is None else Bundle.load(path),
        compiler=compiler,
        optimize=optimize,
        machine=machine,
    )
    costs, access = (
        count_costs(compiler=compiler, optimize=optimize, machine=machine, program=program)
        for program in ("cost_main", "cost_access_main")
    )
    if as_json:
        window = {name: asdict(count) for name, count in counts.items()}
        click.echo(
            json.dumps({"window": window, **asdict(costs), "access": asdict(access)}, indent=2)
        )
        return

    from rich.console import Console

    from tinyol_host.cli.tables import print_table

    name = "the shipped bundle" if path is None else path.name
    click.echo(f"One window of {name} on a Cortex-M4F\n")
    console = Console(highlight=False)
    print_table(console, _window_table(counts))
    click.echo("\nEach learning part by itself, whatever the model: instructions a call\n")
    print_table(console, _parts_table(costs))
    click.echo("\nRAM of each for 8 classes and 8 features, bytes\n")
    print_table(console, _ram_table(costs))
    click.echo("\nAuthentication (SECURITY.md): instructions a call, and RAM in bytes\n")
    print_table(console, _access_table(access))
    print_table(console, _ram_table(access))
    click.echo(NOTE)


def _window_table(counts: dict[str, Instructions]) -> Table:
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


def _parts_table(costs: Costs) -> Table:
    from rich.table import Table

    shapes = sorted({(part.classes, part.features) for part in costs.parts if part.classes})
    rows: dict[str, dict[tuple[int, int], int]] = {}
    for part in costs.parts:
        row = rows.setdefault(part.name, {})
        for classes, features in shapes:
            if part.classes in (0, classes) and part.features in (0, features):
                row[classes, features] = part.instructions.median
    table = Table(box=None, pad_edge=False)
    table.add_column("part", no_wrap=True)
    for classes, features in shapes:
        table.add_column(f"{classes} x {features}", justify="right", no_wrap=True)
    for name, row in rows.items():
        table.add_row(name, *(f"{row[shape]:,}" for shape in shapes))
    return table


def _access_table(costs: Costs) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    for part in costs.parts:
        table.add_row(part.name, f"{part.instructions.median:,}")
    return table


def _ram_table(costs: Costs) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    for name, size in costs.ram.items():
        table.add_row(name, f"{size:,}")
    return table
