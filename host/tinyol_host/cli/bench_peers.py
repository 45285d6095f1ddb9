"""The half of `tinyol bench` that runs on this machine: the twin beside its peers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.console import Console

NOTE = """
Processor time; the least of the runs, which take turns; the spread is by how much the longest was
longer. "slower": how many times as long as the twin takes. "same": the share of windows to which
the twin gives the same answer: the class, or where there is none an error within 1 %."""

Place = dict[str, Any]  # a contest.Place, as JSON has it


def peers_results(model: Path | None, seconds: float, repeats: int) -> dict[str, Any]:
    """What tinyol_sim.benchmark.side_by_side finds, as JSON has it; a bar on a terminal meanwhile.

    model: None for the bundle that ships for 119 Hz.
    Raises BundleError for the model, DeviceError where so few seconds hold no window.
    """
    from tinyol_host.cli.progress import progress_bar
    from tinyol_sim.benchmark.side_by_side import side_by_side
    from tinyol_sim.bundle import Bundle, default_bundle

    bundle = default_bundle() if model is None else Bundle.load(model)
    with progress_bar("The twin and its peers", None, "runs") as show:

        def moved(done: int, total: int, who: str) -> None:
            show(done, who, total)

        return side_by_side(bundle, seconds=seconds, repeats=repeats, progress=moved).as_dict()


def print_peers(found: dict[str, Any], name: str) -> None:
    """Its tables; name: of the bundle."""
    from rich.console import Console

    console = Console(highlight=False)
    windows, rows = found["windows"], found["rows"]
    held = "one core" if found["one_core"] else "not held to one core"
    click.echo(
        f"The twin beside its peers\n{found['processor']}, {held}; "
        f"Python {found['python']}, numpy {found['numpy']}\n\n"
        f"The paper's pipeline on the net of {name}: {found['seconds']:g} s at "
        f"{found['rate_hz']:g} Hz,\na window after each sample: {windows[0]['n']:,} windows"
    )
    for job in dict.fromkeys(place["job"] for place in windows):
        click.echo()
        _print_places(console, job, [place for place in windows if place["job"] == job])
    click.echo(f"\nThe features alone, {rows[0]['n']:,} rows\n")
    _print_places(console, rows[0]["job"], rows)
    hours = found["twin_seconds"] / 3600
    click.echo(f"\nThe twin alone, over {hours:.3g} h of recording")
    for job in dict.fromkeys(place["job"] for place in found["twin"]):
        click.echo()
        of_job = [place for place in found["twin"] if place["job"] == job]
        _print_alone(console, job, of_job, found["twin_seconds"])
    click.echo(NOTE)
    click.echo()
    for line in dict.fromkeys(filter(None, map(_about, (*windows, *rows)))):
        click.echo(line)


def _about(place: Place) -> str:
    """Which version it is, and what it does otherwise; nothing of the twin itself."""
    if place["missing"]:
        return f"{place['name']}: {place['missing']}"
    if not place["version"]:
        return f"{place['name']}: {place['differs']}" if place["differs"] else ""
    return f"{place['name']} {place['version']}" + (
        f": {place['differs']}" if place["differs"] else ""
    )


def _print_places(console: Console, job: str, places: Sequence[Place]) -> None:
    cells = [
        (
            f"{place['microseconds']:,.2f}",
            f"{place['per_second']:,.0f}",
            f"{place['spread']:.0%}",
            _times(place["times_slower"]),
            _share(place["agreement"]),
        )
        if not place["missing"]
        else ("-",) * 5
        for place in places
    ]
    names = [place["name"] for place in places]
    _print(console, (job, "us", "per s", "spread", "slower", "same"), names, cells)


def _print_alone(console: Console, job: str, places: Sequence[Place], seconds: float) -> None:
    cells = [
        (
            f"{place['seconds']:.3f}",
            f"{place['microseconds']:.2f}",
            f"{place['per_second']:,.0f}",
            f"{seconds / place['seconds']:,.0f}",
            f"{place['spread']:.0%}",
        )
        for place in places
    ]
    names = [place["name"] for place in places]
    _print(console, (job, "s", "us", "windows/s", "x real time", "spread"), names, cells)


def _print(
    console: Console, columns: Sequence[str], names: Sequence[str], cells: Sequence[Sequence[str]]
) -> None:
    from rich.markup import escape
    from rich.table import Table

    from tinyol_host.cli.tables import print_table

    table = Table(box=None, pad_edge=False)
    table.add_column(columns[0], no_wrap=True)
    for column in columns[1:]:
        table.add_column(column, justify="right", no_wrap=True)
    for name, row in zip(names, cells, strict=True):
        table.add_row(escape(name), *row)
    print_table(console, table)


def _times(ratio: float) -> str:
    return f"{ratio:,.0f} x" if ratio >= 10 else f"{ratio:.2g} x"


def _share(agreement: float | None) -> str:
    """Never rounded up to all."""
    return "" if agreement is None else f"{int(1000 * agreement) / 10:g} %"
