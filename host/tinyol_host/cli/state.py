"""`tinyol state`: what a device has learned, and how two devices differ."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tinyol_sim.errors import StateImageError
from tinyol_sim.reporting.replay_summary import short_float
from tinyol_sim.state_image import StateImage

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.group()
def state() -> None:
    """Show what a device has learned; compare two."""


@state.command()
@click.argument("file", type=_FILE)
@click.option("--json", "as_json", is_flag=True, help="Print all of it as JSON.")
def show(file: Path, as_json: bool) -> None:
    """Show the state image FILE: counters, settings, classes, weights, metrics.

    A table shows the size and range of a matrix; --json prints every number.
    """
    _, image = _read(file)
    if as_json:
        fields = {name: _plain(value) for name, value in image.fields.items()}
        whole = {"model_id": image.model_id, **fields}
        click.echo(json.dumps(whole, indent=2, ensure_ascii=False, allow_nan=False))
        return
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row("model", image.model_id)
    for name, value in image.fields.items():
        table.add_row(escape(name), escape(_text(value)))
    Console(highlight=False).print(table)


@state.command()
@click.argument("first", metavar="A", type=_FILE)
@click.argument("second", metavar="B", type=_FILE)
@click.pass_context
def diff(context: click.Context, first: Path, second: Path) -> None:
    """Compare the state images A and B, bit for bit.

    Exit status 0 if they are the same; 1 if not, and the first field that differs is named.
    """
    (raw_a, a), (raw_b, b) = _read(first), _read(second)
    if raw_a == raw_b:
        click.echo(f"the same: {len(raw_a)} bytes")
        return
    different = a.first_difference(b)
    if different is None:  # only in what is no field: a version, a reserved byte
        at = next((i for i, (x, y) in enumerate(zip(raw_a, raw_b, strict=False)) if x != y), None)
        different = f"byte {min(len(raw_a), len(raw_b)) if at is None else at}"
    click.echo(f"different: {different}")
    context.exit(1)


def _read(file: Path) -> tuple[bytes, StateImage]:
    try:
        raw = file.read_bytes()
        return raw, StateImage.from_bytes(raw)
    except OSError as error:
        raise StateImageError(f"{file}: cannot be read: {error.strerror}") from None
    except StateImageError as error:
        raise StateImageError(f"{file}: {error}") from None


def _plain(value: Any) -> Any:
    """The same in JSON's types; a float32 in the fewest digits that read back as it."""
    if isinstance(value, np.ndarray):
        return [_plain(item) for item in value]
    if isinstance(value, np.float32):
        return float(short_float(float(value)))
    return int(value) if isinstance(value, np.integer) else value


def _text(value: Any) -> str:
    if isinstance(value, np.ndarray):
        size = " x ".join(str(n) for n in value.shape)
        if value.size > 16:
            return f"{size} numbers, {value.min():.4g} to {value.max():.4g}"
        if value.ndim == 2:
            return "; ".join(_text(row) for row in value)
        return " ".join(f"{item:.6g}" for item in value)
    if isinstance(value, list):
        return ", ".join(value) or "none"
    return short_float(float(value)) if isinstance(value, np.float32) else str(value)
