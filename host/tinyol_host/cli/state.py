"""`tinyol state`: what a device has learned, to and from it, and how two devices differ."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from tinyol_host.cli.device_options import json_option
from tinyol_host.cli.state_transfer import pull, push, save
from tinyol_host.cli.tables import pairs_table, print_table
from tinyol_host.state_file import read_state_file
from tinyol_sim.bundle import Bundle
from tinyol_sim.errors import StateImageError
from tinyol_sim.normal_start import feature_len
from tinyol_sim.reporting.replay_summary import short_float
from tinyol_sim.state_image import StateImage
from tinyol_sim.twin import Twin

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.group()
def state() -> None:
    """What a device has learned: show it, compare two, pull it from a board, push it to one,
    have a board save it."""


state.add_command(pull)
state.add_command(push)
state.add_command(save)


@state.command()
@click.argument("file", type=_FILE)
@click.option("-m", "--model", type=_FILE, help="Its bundle: names the features.")
@click.option("--json", "as_json", is_flag=True, help="Print all of it as JSON.")
def show(file: Path, model: Path | None, as_json: bool) -> None:
    """Show the state image FILE: counters, settings, classes, statistics, weights, metrics.

    A table shows the size and range of a matrix; --json prints every number.
    """
    _, image = _read(file)
    names = None if model is None else _feature_names(Bundle.load(model), model, image)
    if as_json:
        fields = {name: _plain(value) for name, value in image.fields.items()}
        whole = {"model_id": image.model_id, **fields}
        click.echo(json.dumps(whole, indent=2, allow_nan=False))
        return
    rows = [("model", image.model_id)]
    for name, value in image.fields.items():
        if name == "statistics.mean":
            rows += _statistics(value, image.fields["statistics.variance"], names)
        elif name != "statistics.variance" and not _is_empty(value):
            rows.append((name, _text(value)))
    print_table(Console(highlight=False), pairs_table(rows))


@state.command()
@click.argument("first", metavar="A", type=_FILE)
@click.argument("second", metavar="B", type=_FILE)
@json_option
@click.pass_context
def diff(context: click.Context, first: Path, second: Path, as_json: bool) -> None:
    """Compare the state images A and B, bit for bit.

    Exit status 0 if they are the same; 1 if not, and the first field that differs is named.
    """
    (raw_a, a), (raw_b, b) = _read(first), _read(second)
    if raw_a == raw_b:
        same = {"identical": True, "difference": None}
        click.echo(json.dumps(same, indent=2) if as_json else f"the same: {len(raw_a)} bytes")
        return
    different = a.first_difference(b)
    if different is None:  # only in what is no field: a version, a reserved byte
        at = next((i for i, (x, y) in enumerate(zip(raw_a, raw_b, strict=False)) if x != y), None)
        different = f"byte {min(len(raw_a), len(raw_b)) if at is None else at}"
    facts = {"identical": False, "difference": different}
    click.echo(json.dumps(facts, indent=2) if as_json else f"different: {different}")
    context.exit(1)


def _read(file: Path) -> tuple[bytes, StateImage]:
    try:
        raw = read_state_file(file)
        return raw, StateImage.from_bytes(raw)
    except OSError as error:
        raise StateImageError(f"{file}: cannot be read: {error.strerror}") from None
    except StateImageError as error:
        raise StateImageError(f"{file}: {error}") from None


def _feature_names(bundle: Bundle, path: Path, image: StateImage) -> list[str]:
    if bundle.model_id != image.model_id:
        raise StateImageError(
            f"{path}: this is model {bundle.model_id}; the state belongs to model {image.model_id}"
        )
    features = bundle.pipeline.features
    # Of the embedding, if it is a feature: all but the others.
    embedding = Twin(bundle).n_features - sum(
        feature_len(name, 0) for name in features if name != "embedding"
    )
    names = []
    for feature in features:
        width = feature_len(feature, embedding)
        names += [feature] if width == 1 else [f"{feature}[{i}]" for i in range(width)]
    return names


def _statistics(
    mean: NDArray[np.float32], variance: NDArray[np.float32], names: list[str] | None
) -> list[tuple[str, str]]:
    """A feature a row; without names, their indices."""
    names = names or [f"[{i}]" for i in range(len(mean))]
    return [
        (f"statistics {name}", f"mean {m:.6g}, variance {v:.6g}")
        for name, m, v in zip(names, mean, variance, strict=True)
    ]


def _is_empty(value: Any) -> bool:
    return isinstance(value, np.ndarray) and not value.size


def _plain(value: Any) -> Any:
    """The same in JSON's types; a float32 in the fewest digits that read back as it."""
    if isinstance(value, np.ndarray):
        return [_plain(item) for item in value]
    if isinstance(value, np.float32):
        # JSON has no word for what a damaged image may hold.
        return float(short_float(float(value))) if np.isfinite(value) else str(value)
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
