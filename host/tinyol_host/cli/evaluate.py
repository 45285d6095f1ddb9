"""`tinyol evaluate`: what the system shows on a machine's recordings, in one table."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import click
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from tinyol_host.cli.tables import print_table
from tinyol_host.cli.terminal import is_terminal
from tinyol_sim.errors import TinyOLError
from tinyol_sim.evaluation.evaluate import Evaluation
from tinyol_sim.evaluation.evaluate import evaluate as run_evaluation
from tinyol_sim.evaluation.report import TextTable, as_dict, tables, windows_note, write_csv
from tinyol_sim.evaluation.roles import LEAST_LESSONS, Plan, plan_for
from tinyol_sim.evaluation.split import Split, split_apart, split_states
from tinyol_sim.evaluation.states import State, read_states


def _names(
    context: click.Context, parameter: click.Parameter, value: str | None
) -> tuple[str, ...]:
    return tuple(name.strip() for name in (value or "").split(",") if name.strip())


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--normal", metavar="STATE", help="The normal state.  [default: normal, or the fan's low_0]"
)
@click.option(
    "--deploy",
    metavar="STATE",
    help="Normal, recorded at the place of deployment.  [default: the one with `deploy` in its"
    " name; without it, nothing about a move is measured]",
)
@click.option(
    "--classes",
    metavar="A,B,C",
    callback=_names,
    help="The few classes to show; all states are shown besides.  [default: low_0,off_0,low_1, or"
    " normal and two others]",
)
@click.option(
    "--ignore",
    metavar="A,B",
    callback=_names,
    help="States that are neither class nor anomaly.  [default: those with `moving` in the name]",
)
@click.option(
    "--seeds",
    default=5,
    show_default=True,
    type=click.IntRange(1, 100),
    help="Autoencoders to train, from so many seeds.",
)
@click.option(
    "--window",
    "window_len",
    default=64,
    show_default=True,
    type=click.IntRange(8, 4096),
    help="Samples in a window.",
)
@click.option(
    "--hop", type=click.IntRange(1, 65535), help="Samples between windows.  [default: the window]"
)
@click.option(
    "--lessons",
    default=300,
    show_default=True,
    type=click.IntRange(LEAST_LESSONS, 65535),
    help="Windows shown of each class; 25 are shown besides.",
)
@click.option(
    "--epochs", default=60, show_default=True, type=click.IntRange(1, 100_000), help="Of training."
)
@click.option(
    "--report-on",
    metavar="FOLDER",
    type=click.Path(path_type=Path),
    help="Report on the same states of this folder; all of the first one teaches.",
)
@click.option(
    "--rate-hz",
    type=click.FloatRange(min=0, min_open=True),
    help="Samples a second; needed where the recordings do not say it.",
)
@click.option(
    "--jobs", type=click.IntRange(1, 256), help="Processes at a time.  [default: one a CPU]"
)
@click.option(
    "-o",
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write figures.csv, summary.csv and floors.csv into this folder.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")
def evaluate(
    folder: Path,
    normal: str | None,
    deploy: str | None,
    classes: tuple[str, ...],
    ignore: tuple[str, ...],
    seeds: int,
    window_len: int,
    hop: int | None,
    lessons: int,
    epochs: int,
    report_on: Path | None,
    rate_hz: float | None,
    jobs: int | None,
    out: Path | None,
    as_json: bool,
) -> None:
    """Measure on recordings of a machine what the device's own code makes of them.

    FOLDER has a sub-folder for each state, or labelled recordings. Each state's first 60 % teaches
    and chooses settings, the rest reports. For each seed an int8 autoencoder is trained on normal,
    then the twin is shown the classes in several orders, anomalies, a turned sensor, a move to
    another place, and classes that it was never taught. docs/evaluation.md explains every figure.
    Needs TensorFlow: pip install "tinyol[train]".
    """
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    if report_on is not None and report_on.resolve() == folder.resolve():
        raise click.UsageError("--report-on: this folder teaches; it cannot report on itself")
    if out is not None:
        _make(out)  # better now than after the work
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not is_terminal(sys.stderr)) as bar:
        task = bar.add_task("reading recordings", total=None)
        states = read_states(folder, rate_hz=rate_hz)
        plan = replace(
            plan_for(states, normal=normal, deploy=deploy, classes=classes, ignore=ignore),
            window_len=window_len,
            hop=window_len if hop is None else hop,
            lessons=lessons,
            seeds=seeds,
            epochs=epochs,
        )
        result = run_evaluation(
            _split(states, plan, report_on, rate_hz),
            plan,
            jobs=jobs,
            progress=lambda what, done, total: bar.update(
                task, description=what, completed=done, total=total
            ),
        )
    written = [] if out is None else write_csv(result, out)
    if as_json:
        click.echo(json.dumps(as_dict(result), indent=2, allow_nan=False))
        return
    _print(result)
    for path in written:
        click.echo(f"written: {path}")


def _split(
    states: Mapping[str, State], plan: Plan, report_on: Path | None, rate_hz: float | None
) -> Split:
    if report_on is None:
        return split_states(states)
    return split_apart(states, read_states(report_on, rate_hz=rate_hz), plan.named)


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TinyOLError(f"{folder}: cannot be made: {error.strerror or error}") from None


def _print(result: Evaluation) -> None:
    console = Console(highlight=False)
    console.print(escape(windows_note(result)), soft_wrap=True)
    for table in tables(result):
        console.print()
        console.print(escape(table.title), soft_wrap=True)
        print_table(console, _rich(table))
    if result.plan.deploy is None:
        console.print("\nno recording of the place of deployment: nothing about a move (--deploy)")


def _rich(table: TextTable) -> Table:
    made = Table(box=None, pad_edge=False)
    made.add_column(table.columns[0], overflow="fold")
    for title in table.columns[1:]:
        made.add_column(title, overflow="fold")
    for row in table.rows:
        made.add_row(*map(escape, row))
    return made
