"""`tinyol data`: fetches, shows and converts recordings."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click
import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TransferSpeedColumn,
)
from rich.table import Table

from tinyol_host.cli.tables import print_table
from tinyol_host.cli.terminal import is_terminal
from tinyol_sim import datasets
from tinyol_sim.counted import counted
from tinyol_sim.recordings import Recording, read_recording, read_recordings, write_recording

_RATE_HELP = "Samples a second; needed where neither a file nor its regular `t` says it."


@click.group()
def data() -> None:
    """Fetch, show and convert recordings."""


@data.command()
@click.argument("name", metavar="NAME", type=click.Choice(["ceiling-fan"]))
@click.option(
    "--to",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder to fetch into.  [default: ~/.cache/tinyol/NAME]",
)
def fetch(name: str, to: Path | None) -> None:
    """Fetch a public set of recordings: NAME is ceiling-fan.

    Prints the folder that it lies in. What has been fetched before is not fetched again.
    """
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeElapsedColumn(),
    )
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not is_terminal(sys.stderr)) as bar:
        task = bar.add_task(name, total=None)
        folder = datasets.fetch_ceiling_fan(
            to or datasets.cache_dir() / name,
            lambda done, total: bar.update(task, completed=done, total=total),
        )
    click.echo(folder)


@data.command()
@click.argument("recordings", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--rate-hz", type=float, help=_RATE_HELP)
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def show(recordings: tuple[Path, ...], rate_hz: float | None, as_json: bool) -> None:
    """List recordings: rate, length, gaps, labels.

    RECORDINGS are files (.csv, .npz, Edge Impulse .json) or folders of them.
    """
    found = [_summary(recording) for recording in read_recordings(recordings, rate_hz=rate_hz)]
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    table = Table(box=None, pad_edge=False)
    table.add_column("recording", overflow="fold")
    for title in ("rate (Hz)", "seconds", "samples", "gaps"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("labels (samples)", overflow="fold")
    for row in found:
        counts = [f"{escape(label)} {n}" for label, n in row["labels"].items()]
        if row["unlabelled"]:
            counts.append(f"[dim](none) {row['unlabelled']}[/dim]")
        table.add_row(
            escape(row["name"]),
            f"{row['rate_hz']:g}",
            f"{row['seconds']:.1f}",
            str(row["samples"]),
            str(row["gaps"]),
            "\n".join(counts),
        )
    print_table(Console(), table)


@data.command()
@click.argument("src", type=click.Path(path_type=Path))
@click.argument("dst", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--label", help="Class name that every sample gets.")
@click.option("--rate-hz", type=float, help=_RATE_HELP)
def convert(src: Path, dst: Path, label: str | None, rate_hz: float | None) -> None:
    """Write the recording SRC, a file or a folder, as DST: .csv, .npz or .json (Edge Impulse)."""
    recording = read_recording(src, rate_hz=rate_hz, label=label)
    replaced = "replaced, " if dst.exists() else ""
    write_recording(recording, dst)
    n_samples = counted(recording.n_samples, "sample")
    click.echo(f"{dst}: {replaced}{n_samples}, {recording.duration_s:.1f} s")


def _summary(recording: Recording) -> dict[str, Any]:
    counts = np.bincount(recording.labels + 1, minlength=len(recording.label_names) + 1).tolist()
    return {
        "name": recording.name,
        "rate_hz": recording.rate_hz,
        "seconds": recording.duration_s,
        "samples": recording.n_samples,
        "gaps": len(recording.gaps),
        "labels": dict(zip(recording.label_names, counts[1:], strict=True)),
        "unlabelled": counts[0],
    }
