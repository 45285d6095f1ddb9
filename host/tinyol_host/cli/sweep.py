"""`tinyol sweep`: a grid of settings, models and recordings, as one table."""

from __future__ import annotations

import signal
from contextlib import suppress
from dataclasses import replace
from importlib import resources
from pathlib import Path

import click

from tinyol_host.cli.progress import progress_bar
from tinyol_host.cli.rate_option import rate_option
from tinyol_host.cli.signals import EndedBySignal, told_to_end
from tinyol_host.cli.start_state import read_start_state
from tinyol_host.cli.sweep_axes import (
    parse_counts,
    parse_presets,
    parse_setting_lists,
    parse_windows,
)
from tinyol_host.cli.sweep_output import print_plan, print_result
from tinyol_sim.counted import counted
from tinyol_sim.errors import BundleError, TinyOLError
from tinyol_sim.sweep.cluster import address_problem, on_cluster
from tinyol_sim.sweep.grid import Grid
from tinyol_sim.sweep.job import Model
from tinyol_sim.sweep.journal import journal_of
from tinyol_sim.sweep.runners import (
    NO_JOBLIB,
    Runner,
    default_processes,
    has_joblib,
    on_cores,
)
from tinyol_sim.sweep.source import Source, find_sources
from tinyol_sim.sweep.sweep import SweepResult, missing
from tinyol_sim.sweep.sweep import sweep as run_sweep
from tinyol_sim.sweep.table import SUFFIXES, check_table
from tinyol_sim.text import printable

SHIPPED_RECORDING = "fan-119hz.npz"
MOST_JOBS = 1_000_000  # a job takes a kilobyte of memory


@click.command()
@click.argument("recordings", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--out",
    "table",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="The table: .csv or .parquet. NAME.journal.jsonl beside it keeps what is done.",
)
@click.option(
    "-m",
    "--model",
    "models",
    multiple=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="Bundle; may be given several times.  [default: the shipped one for each rate]",
)
@click.option(
    "--set",
    "settings",
    metavar="NAME=V1,V2,...",
    multiple=True,
    callback=parse_setting_lists,
    help="Values of a setting to try, as classifier.learning_rate=0.01,0.05; may be given several"
    " times.",
)
@click.option(
    "--preset",
    "presets",
    metavar="P1,P2,...",
    callback=parse_presets,
    help="Presets to try: paper, none. What --set gives goes before a preset's.",
)
@click.option(
    "--fine-tune",
    metavar="N1,N2,...",
    default="0",
    callback=parse_counts,
    help="Windows to fine-tune on, 0 for none; see `tinyol replay`.",
)
@click.option(
    "--fine-tune-from",
    metavar="WHERE",
    default="auto",
    show_default=True,
    help="Where these begin; see `tinyol replay`.",
)
@click.option(
    "--calibrate",
    metavar="M1,M2,...",
    default="0",
    callback=parse_windows,
    help="Windows to calibrate on behind these, 0 for none.",
)
@click.option("--learn", is_flag=True, help="Teach the classifier with the labels.")
@click.option(
    "--join",
    is_flag=True,
    help="Each path is one stream, its recordings fed one after the other; else each recording"
    " has twins of its own.",
)
@click.option(
    "--label",
    metavar="NAME",
    help="Class name for every sample, in place of the recordings' own labels; `-` for none.",
)
@rate_option
@click.option(
    "--state",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Every twin goes on from this state image.",
)
@click.option(
    "-j",
    "--jobs",
    "processes",
    metavar="N",
    type=click.IntRange(1, 1024),
    help="Processes at a time.  [default: one a CPU]",
)
@click.option(
    "--dask",
    metavar="ADDRESS",
    help="Run on the Dask cluster whose scheduler is at this HOST:PORT.",
)
@click.option(
    "--ship",
    is_flag=True,
    help="With --dask, send the recordings' files along: the workers need not see our file system.",
)
@click.option("--fresh", is_flag=True, help="Do all jobs anew, whatever the journal has.")
@click.option("--dry-run", is_flag=True, help="Say how many jobs there are, and end.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
@click.pass_context
def sweep(
    context: click.Context,
    recordings: tuple[Path, ...],
    table: Path,
    models: tuple[Path, ...],
    settings: dict[str, tuple[float, ...]],
    presets: tuple[str, ...],
    fine_tune: tuple[int, ...],
    fine_tune_from: str,
    calibrate: tuple[int, ...],
    learn: bool,
    join: bool,
    label: str | None,
    rate_hz: float | None,
    state: Path | None,
    processes: int | None,
    dask: str | None,
    ship: bool,
    fresh: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Replay RECORDINGS through twins with every combination of models and settings.

    RECORDINGS are files, or folders whose recordings each count by themselves (--join: as one
    stream). Each job is a new twin; each is a row of the table. What is done is kept: interrupted,
    killed, or with more settings and recordings, the same command does only what is missing.

    Without RECORDINGS, the shipped one is swept over.
    """
    if table.suffix.lower() not in SUFFIXES:
        raise click.UsageError(f"--out: {table}: the suffix must be {' or '.join(SUFFIXES)}")
    if ship and dask is None:
        raise click.UsageError("--ship is for --dask")
    if dask is not None and (problem := address_problem(dask)):
        raise click.UsageError(f"--dask: {problem}")
    if dask is not None and processes is not None:
        raise click.UsageError("--jobs is for this machine: with --dask the cluster decides")
    sources = _sources(recordings, join)
    grid = Grid(
        sources=sources,
        models=_models(models),
        presets=presets,
        settings=settings,
        fine_tune=fine_tune,
        calibrate=calibrate,
        learn=learn,
        fine_tune_from=fine_tune_from,
        label=label,
        rate_hz=rate_hz,
        state=read_start_state(state),
    )
    if len(grid) > MOST_JOBS:
        raise click.UsageError(
            f"the grid has {len(grid):,} jobs; at most {MOST_JOBS:,} fit one table: give fewer"
            " values, or several sweeps"
        )
    check_table(table)
    if dry_run:
        print_plan(grid, 0 if fresh else len(grid) - missing(grid, table), as_json)
        return
    result = _run(grid, table, _runner(processes, dask, ship), fresh)
    print_result(result, grid.axes(), as_json)
    if failed := result.failed:
        first = failed[0]
        raise TinyOLError(
            f"{counted(len(failed), 'job')} of {len(result.rows):,} failed, see the column error;"
            f" the first, of {first['recording']}: {first['error']}"
        )


def _sources(paths: tuple[Path, ...], join: bool) -> tuple[Source, ...]:
    if paths:
        return find_sources(paths, join=join)
    with resources.as_file(resources.files("tinyol_sim") / "data" / SHIPPED_RECORDING) as path:
        return tuple(replace(source, name="shipped") for source in find_sources([path]))


def _models(paths: tuple[Path, ...]) -> list[Model]:
    models = []
    for path in dict.fromkeys(paths):
        try:
            raw = path.read_bytes()
        except OSError as error:
            raise BundleError(f"{path}: cannot be read: {error.strerror}") from None
        models.append(Model.of_bundle(raw, printable(str(path))))
    return models or [Model.shipped()]


def _runner(processes: int | None, dask: str | None, ship: bool) -> Runner:
    if dask is not None:
        return on_cluster(dask, ship=ship)
    if processes is None and not has_joblib():
        click.echo(f"note: one job after the other: {NO_JOBLIB}", err=True)
    return on_cores(processes or default_processes())


def _run(grid: Grid, table: Path, runner: Runner, fresh: bool) -> SweepResult:
    def end(number: int) -> None:
        raise EndedBySignal(number)

    try:
        with (
            told_to_end(end, signal.default_int_handler),
            progress_bar("sweep", len(grid), "jobs") as show,
        ):
            return run_sweep(
                grid,
                table,
                runner=runner,
                fresh=fresh,
                progress=lambda done, total: show(done, total=total),
            )
    except (KeyboardInterrupt, TinyOLError):
        with suppress(TinyOLError, OSError):
            if done := len(grid) - missing(grid, table):
                click.echo(
                    f"{done:,} of {counted(len(grid), 'job')} are kept in {journal_of(table)}:"
                    " the same command goes on from there",
                    err=True,
                )
        raise
