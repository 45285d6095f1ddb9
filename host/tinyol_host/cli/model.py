"""`tinyol model`: shows a bundle, makes one of a foreign .tflite, exports one for a firmware."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.markup import escape

from tinyol_host.cli.model_facts import model_facts
from tinyol_host.cli.model_rows import model_rows
from tinyol_host.cli.tables import pairs_table, print_table
from tinyol_sim.bundle import DEFAULT_BUNDLES, Bundle, default_bundle
from tinyol_sim.c_arrays import write_c_arrays
from tinyol_sim.errors import BundleError, ModelError
from tinyol_sim.frozen_net.tflite_taps import Taps
from tinyol_sim.model_image import (
    AXES,
    CENTRINGS,
    COVARIANCES,
    DEFAULT_FEATURES,
    ERROR_SOURCES,
    FEATURES,
    Pipeline,
)
from tinyol_sim.twin import Twin

SHIPPED_HZ = 119.0
_FILE = click.Path(dir_okay=False, path_type=Path)


def _numbers(
    context: click.Context, parameter: click.Parameter, value: str
) -> tuple[float, float, float]:
    """Three numbers with commas between; one stands for all three."""
    try:
        found = [float(text) for text in value.split(",")]
    except ValueError:
        raise click.BadParameter(f"{value!r} is not three numbers with commas between") from None
    if len(found) not in (1, 3):
        raise click.BadParameter(f"{value!r} has {len(found)} numbers, not three")
    return found[0], found[-2 % len(found)], found[-1]


def _tap_indices(
    context: click.Context, parameter: click.Parameter, value: str | None
) -> Taps | None:
    if value is None:
        return None
    try:
        embedding, hidden, reconstruction = (int(text) for text in value.split(","))
    except ValueError:
        raise click.BadParameter(f"{value!r} is not three indices with commas between") from None
    if min(embedding, hidden, reconstruction) < 0:
        raise click.BadParameter(f"{value!r}: tensors are counted from 0")
    return Taps(embedding, hidden, reconstruction)


@click.group()
def model() -> None:
    """Show a bundle; make one of another's .tflite; export one as C++ for a board."""


@model.command()
@click.argument("bundle", required=False, type=_FILE)
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def show(bundle: Path | None, as_json: bool) -> None:
    """Show what is in BUNDLE: window settings, net, start values, how it was trained.

    Without BUNDLE, the one that ships for 119 Hz. --json prints all of it.
    """
    loaded = default_bundle(SHIPPED_HZ) if bundle is None else Bundle.load(bundle)
    facts = model_facts(loaded)
    if as_json:
        click.echo(json.dumps(facts, indent=2))
    else:
        console = Console(highlight=False)
        name = DEFAULT_BUNDLES[SHIPPED_HZ] + ", shipped" if bundle is None else str(bundle)
        console.print(f"[bold]{escape(name)}[/bold]", soft_wrap=True)
        print_table(console, pairs_table(model_rows(facts)))


@model.command(name="import")
@click.argument("tflite", metavar="MODEL.tflite", type=_FILE)
@click.option("-o", "--output", required=True, type=_FILE, help="Bundle to write.")
@click.option(
    "--rate-hz",
    metavar="HZ",
    required=True,
    type=click.FloatRange(min=0, min_open=True),
    help="Samples a second that the model was trained with.",
)
@click.option(
    "--window",
    "window_len",
    required=True,
    type=click.IntRange(2, 65535),
    help="Samples in a window; times the channels it is the length of the net's input.",
)
@click.option(
    "--hop",
    type=click.IntRange(1, 65535),
    help="Samples from one window to the next.  [default: a window]",
)
@click.option(
    "--axes",
    default="projection",
    show_default=True,
    type=click.Choice(AXES),
    help="One channel, along --projection, or all three, interleaved.",
)
@click.option(
    "--projection",
    metavar="X,Y,Z",
    default="0,0,1",
    show_default=True,
    callback=_numbers,
    help="Direction of the one channel.",
)
@click.option(
    "--centring",
    default="window",
    show_default=True,
    type=click.Choice(CENTRINGS),
    help="Remove each window's own mean, or --centre.",
)
@click.option(
    "--centre",
    metavar="C,C,C",
    default="0",
    show_default=True,
    callback=_numbers,
    help="g, of each channel, one number for all; for --centring training.",
)
@click.option(
    "--scale",
    metavar="S,S,S",
    default="1",
    show_default=True,
    callback=_numbers,
    help="1/g, of each channel, one number for all: the net's input is"
    " (channel - centre) * scale + offset.",
)
@click.option("--offset", default=0.0, show_default=True, help="See --scale.")
@click.option(
    "--features",
    metavar="NAME,...",
    default=",".join(DEFAULT_FEATURES),
    show_default=True,
    help=f"What the classifier sees of a window: some of {', '.join(FEATURES)}.",
)
@click.option(
    "--covariance",
    default="diagonal",
    show_default=True,
    type=click.Choice(COVARIANCES),
    help="How a class lies in the features: along each of them, or in any direction.",
)
@click.option(
    "--error-source",
    default="frozen",
    show_default=True,
    type=click.Choice(ERROR_SOURCES),
    help="Whose error the classifier sees: the frozen net's, or the fine-tuned layer's.",
)
@click.option(
    "--threshold",
    type=click.FloatRange(min=0),
    help="The paper's alarm: above this error a window is an anomaly.  [default: the board goes by"
    " its distance from normal, from 30 windows of its own on]",
)
@click.option(
    "--max-classes",
    default=16,
    show_default=True,
    type=click.IntRange(1, 64),
    help="Classes that the device has room for.",
)
@click.option(
    "--taps",
    metavar="E,H,R",
    callback=_tap_indices,
    help="Tensor indices of embedding, last hidden layer and reconstruction, where the net's shape"
    " does not tell them.",
)
def import_model(
    tflite: Path,
    output: Path,
    rate_hz: float,
    window_len: int,
    hop: int | None,
    features: str,
    taps: Taps | None,
    threshold: float | None,
    **normalisation: Any,
) -> None:
    """Make a bundle of MODEL.tflite, an autoencoder that was not trained with `tinyol train`.

    Window settings and normalisation must be those that it was trained with.
    """
    names = tuple(name.strip() for name in features.split(","))
    pipe = Pipeline(rate_hz, window_len, hop or window_len, features=names, **normalisation)
    try:
        bundle = Bundle.create(
            tflite.read_bytes(),
            pipe,
            settings=(
                {}
                if threshold is None
                else {"anomaly.threshold": threshold, "anomaly.detector": 0.0}
            ),
            provenance={"imported_from": tflite.name},
            taps=taps,
        )
        Twin(bundle)  # a device must take it, too
    except OSError as error:
        raise ModelError(f"{tflite}: cannot be read: {error.strerror}") from None
    except (ModelError, BundleError) as error:
        raise type(error)(f"{tflite}: {str(error).removeprefix('model: ')}") from None
    bundle.save(output)
    click.echo(f"{output}: model {bundle.model_id}")


@model.command()
@click.argument("bundle", required=False, type=_FILE)
@click.option(
    "--to",
    "folder",
    metavar="DIR",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for model_data.h and .cpp, model_tflite.h and .cpp, and model_flags.txt.",
)
@click.option(
    "--rate-hz",
    metavar="HZ",
    type=click.FloatRange(min=0, min_open=True),
    help="The board's sampling rate: refuse a bundle that was made for another one; without"
    " BUNDLE, take the one that ships for it.",
)
def export(bundle: Path | None, folder: Path, rate_hz: float | None) -> None:
    """Write BUNDLE as C++ that a board's firmware links in.

    Without BUNDLE, the one that ships for --rate-hz (119 Hz if that is not given). model_data.h and
    .cpp hold the model image, with the net for TinyOL's own kernels; model_tflite.h and .cpp the
    .tflite model, for a firmware that runs it in TFLM's interpreter. The options in
    model_flags.txt are for every C++ file of the firmware: its arrays then fit the model exactly.
    """
    if rate_hz is not None and not math.isfinite(rate_hz):
        raise click.BadParameter(f"--rate-hz {rate_hz} is no sampling rate")
    loaded = default_bundle(rate_hz or SHIPPED_HZ) if bundle is None else Bundle.load(bundle)
    made_for_hz = loaded.pipeline.rate_hz
    if rate_hz is not None and not loaded.fits_sensor(rate_hz):
        raise BundleError(
            f"{bundle}: made for {made_for_hz:g} Hz, and the board's sensor runs at {rate_hz:g} Hz:"
            " train it on recordings of that rate"
        )
    files = write_c_arrays(loaded, folder)
    click.echo(f"{folder}: model {loaded.model_id}: {', '.join(path.name for path in files)}")
