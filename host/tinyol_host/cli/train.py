"""`tinyol train`: makes a model bundle of recordings."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import click
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from tinyol_host.cli.preset_option import preset_option
from tinyol_host.cli.tables import print_table
from tinyol_host.cli.terminal import is_terminal
from tinyol_sim.errors import BundleError, ModelError
from tinyol_sim.model_image import (
    AXES,
    CENTRINGS,
    COVARIANCES,
    DEFAULT_FEATURES,
    ERROR_SOURCES,
    FEATURES,
)
from tinyol_sim.presets import Preset
from tinyol_sim.recordings import read_recordings
from tinyol_sim.train import TrainOptions, shape_for
from tinyol_sim.train import train as train_bundle
from tinyol_sim.training.autoencoder import OUTPUTS, Shape
from tinyol_sim.training.train_report import TrainReport


def _parse_features(
    context: click.Context, parameter: click.Parameter, value: str
) -> tuple[str, ...]:
    wanted = [name.strip() for name in value.split(",")]
    unknown = [name for name in wanted if name not in FEATURES]
    if unknown:
        raise click.BadParameter(f"{unknown[0]!r} is none of {', '.join(FEATURES)}")
    return tuple(name for name in FEATURES if name in wanted)


@click.command()
@click.argument(
    "recordings", metavar="RECORDINGS...", nargs=-1, required=True, type=click.Path(path_type=Path)
)
@click.option(
    "-o",
    "--output",
    "file",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="Bundle to write, as fan.tinyol.",
)
@click.option(
    "--normal",
    metavar="LABEL",
    multiple=True,
    help="The label of normal windows; may be given several times.  [default: normal, or "
    "everything where nothing is labelled]",
)
@click.option(
    "--rate-hz",
    type=click.FloatRange(min=0, min_open=True),
    help="Samples a second; needed where neither a file nor its regular `t` says it.",
)
@click.option(
    "--window",
    "window_len",
    default=40,
    show_default=True,
    type=click.IntRange(2, 65535),
    help="Samples in a window.",
)
@click.option(
    "--hop",
    type=click.IntRange(1, 65535),
    help="Samples from one window to the next on the device.  [default: half a window; training "
    "cuts one every quarter]",
)
@click.option(
    "--axes",
    default="projection",
    show_default=True,
    type=click.Choice(AXES),
    help="One channel, along the direction that shakes most, or all three.",
)
@click.option(
    "--centring",
    default="window",
    show_default=True,
    type=click.Choice(CENTRINGS),
    help="Remove each window's own mean, or that of the training data (as in the paper).",
)
@click.option(
    "--layers",
    metavar="N-...-N",
    help="Widths of the autoencoder, input first; the narrowest is the embedding.  [default: "
    "40-32-4-32-40, its ends the values of a window]",
)
@click.option(
    "--activation",
    default="linear",
    show_default=True,
    type=click.Choice(OUTPUTS),
    help="Activation of the autoencoder's last layer.",
)
@click.option("--epochs", default=100, show_default=True, type=click.IntRange(1, 100_000))
@click.option(
    "--seed",
    default=0,
    show_default=True,
    type=click.IntRange(0, 1_000_000),
    help="Same seed, same recordings, same machine: same bundle.",
)
@click.option(
    "--features",
    default=",".join(DEFAULT_FEATURES),
    show_default=True,
    callback=_parse_features,
    help=f"What the classifier sees of a window, of {', '.join(FEATURES)}.",
)
@click.option(
    "--error-source",
    default="tuned",
    show_default=True,
    type=click.Choice(ERROR_SOURCES),
    help="Whose error the classifier sees: the frozen net's, or the fine-tuned layer's.",
)
@click.option(
    "--threshold-quantile",
    default=0.99,
    show_default=True,
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    help="Share of normal windows below the anomaly threshold.",
)
@click.option(
    "--max-classes",
    default=16,
    show_default=True,
    type=click.IntRange(1, 64),
    help="Classes that the device has room for.",
)
@click.option(
    "--covariance",
    default="diagonal",
    show_default=True,
    type=click.Choice(COVARIANCES),
    help="What the Gaussian head keeps of a class: variances, or all of the covariance.",
)
@click.option(
    "--rehearsal-rows",
    default=112,
    show_default=True,
    type=click.IntRange(0, 65535),
    help="Feature vectors that the device keeps for the softmax head to rehearse.",
)
@click.option(
    "--rehearsal-windows",
    default=16,
    show_default=True,
    type=click.IntRange(0, 65535),
    help="Windows that the device keeps for fine-tuning to rehearse.",
)
@preset_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
@click.pass_context
def train(
    context: click.Context,
    recordings: tuple[Path, ...],
    file: Path,
    normal: tuple[str, ...],
    rate_hz: float | None,
    window_len: int,
    hop: int | None,
    axes: str,
    centring: str,
    layers: str | None,
    activation: str,
    epochs: int,
    seed: int,
    features: tuple[str, ...],
    error_source: str,
    threshold_quantile: float,
    max_classes: int,
    covariance: str,
    rehearsal_rows: int,
    rehearsal_windows: int,
    preset: Preset | None,
    as_json: bool,
) -> None:
    """Train an autoencoder on recordings of a machine and write a model bundle.

    RECORDINGS are files (.csv, .npz, Edge Impulse .json) or folders of them. The autoencoder
    learns normal windows only; other labels set the range of its int8 numbers and show how well
    its error finds them. The last fifth of each label in each recording is held out: the figures
    and the anomaly threshold come from it. Needs TensorFlow: pip install "tinyol[train]".
    """
    if not file.parent.is_dir():
        raise BundleError(f"{file}: cannot be written: there is no folder {file.parent}")
    try:
        widths = Shape.parse(layers).layers if layers else None
    except ModelError as error:
        raise click.BadParameter(str(error), param_hint="--layers") from None
    options = TrainOptions(
        normal=normal,
        window_len=window_len,
        hop=hop,
        axes=axes,
        centring=centring,
        layers=widths,
        output=activation,
        epochs=epochs,
        seed=seed,
        features=features,
        error_source=error_source,
        threshold_quantile=threshold_quantile,
        max_classes=max_classes,
        covariance=covariance,
        rehearsal_rows=rehearsal_rows,
        rehearsal_windows=rehearsal_windows,
    )
    if preset is not None:
        options = _with_preset(options, preset, context)
    try:
        shape_for(options)
    except ModelError as error:
        raise click.BadParameter(str(error), param_hint="--layers") from None
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not is_terminal(sys.stderr)) as bar:
        task = bar.add_task("reading recordings", total=None)
        found = read_recordings(recordings, rate_hz=rate_hz)
        trained = train_bundle(
            found,
            options,
            progress=lambda what, done, total: bar.update(
                task, description=what, completed=done, total=total
            ),
        )
    trained.bundle.save(file)
    if as_json:
        click.echo(json.dumps(trained.report.as_dict(), indent=2))
    else:
        _print_report(trained.report, file)


def _with_preset(options: TrainOptions, preset: Preset, context: click.Context) -> TrainOptions:
    """The preset's choices, where the command line makes none of its own."""
    given = click.core.ParameterSource.COMMANDLINE
    chosen = {
        name: value
        for name, value in preset.options.items()
        if context.get_parameter_source(name) is not given
    }
    return replace(options, **chosen, settings=preset.settings)


def _print_report(report: TrainReport, file: Path) -> None:
    compared = any(state.auc_int8 is not None for state in report.states)
    table = Table(box=None, pad_edge=False)
    table.add_column("held out", overflow="fold")
    titles = ["windows", "error float", "error int8", "> threshold", "anomalies"]
    for title in titles + ["AUC float", "AUC int8", "AUC score"] * compared:
        table.add_column(title, justify="right", no_wrap=True)
    for state in report.states:
        row = [
            escape(state.label),
            str(state.windows),
            f"{state.error_float:.4g}",
            f"{state.error_int8:.4g}",
            f"{state.above_threshold:.1%}",
            f"{state.anomalies:.1%}",
        ]
        aucs = (state.auc_float, state.auc_int8, state.auc_score)
        table.add_row(*row, *(f"{auc:.3f}" for auc in aucs if auc is not None))
    console = Console(highlight=False)
    print_table(console, table)
    if report.explained_variance is not None:
        console.print(f"projection: keeps {report.explained_variance:.1%} of the vibration")
    if any(state.auc_int8 is not None and state.auc_int8 < 0.5 for state in report.states):
        console.print(
            "AUC of the error below 0.5: quieter than normal; the two-sided score can find it"
        )
    console.print(f"threshold: {report.threshold:.4g}")
    console.print(
        f"{escape(str(file))}: model {report.model_id}, trained on {report.training_windows} "
        f"windows at {report.rate_hz:g} Hz",
        soft_wrap=True,
    )
