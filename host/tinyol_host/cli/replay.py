"""`tinyol replay`: recordings through the twin, a table, and a report."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from tinyol_host.cli.preset_option import preset_option
from tinyol_host.cli.rate_option import rate_option
from tinyol_host.cli.replay_each import run_each
from tinyol_host.cli.replay_tables import print_summary
from tinyol_host.cli.setting_pairs import parse_setting_pairs
from tinyol_host.cli.start_state import read_start_state
from tinyol_host.cli.terminal import is_terminal
from tinyol_sim.bundle import Bundle
from tinyol_sim.counted import counted
from tinyol_sim.errors import RecordingError
from tinyol_sim.files import write_whole
from tinyol_sim.presets import Preset
from tinyol_sim.recordings import recording_units
from tinyol_sim.replay import Plan, ReplayResult
from tinyol_sim.replay_each import Unit
from tinyol_sim.replay_files import open_files, replay_opened
from tinyol_sim.reporting.replay_summary import summarise
from tinyol_sim.shipped_model import shipped_model_for
from tinyol_sim.worker_processes import n_cores

SHIPPED_RECORDING = "fan-119hz.npz"


@click.command()
@click.argument("recordings", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "-m",
    "--model",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Bundle.  [default: the shipped one for the recordings' rate]",
)
@click.option(
    "--fine-tune",
    metavar="N",
    type=click.IntRange(min=0),
    help="Fine-tune the last layer on N windows, one step each. It ends early where another class"
    " begins: one that it did not begin in or, where it began without a label, any but `normal`.",
)
@click.option(
    "--fine-tune-from",
    metavar="WHERE",
    default="auto",
    show_default=True,
    help="Where these begin: SECONDS, the first sample of a LABEL, `gap` (the first one),"
    " `recording:K` (from 1), `start`; `auto` is the first unlabelled stretch of 10 s or more,"
    " or the start where all is labelled.",
)
@click.option(
    "--calibrate",
    metavar="M",
    type=click.IntRange(min=30),
    help="Behind these, take what is normal anew from M windows, at least 30; without --fine-tune"
    " from the place where it would begin.",
)
@click.option(
    "--learn",
    is_flag=True,
    help="Teach the classifier with the labels, each a class from its first sample on. Without it"
    " labels only score what a loaded state predicts.",
)
@click.option(
    "--set",
    "settings",
    metavar="NAME=VALUE",
    multiple=True,
    callback=parse_setting_pairs,
    help="Turn a setting, as classifier.learning_rate=0.02; may be given several times.",
)
@preset_option
@click.option(
    "--label",
    "labels",
    metavar="NAME",
    multiple=True,
    help="Class name for every sample, in place of the recordings' own labels; `-` for none. Once"
    " for all recordings, or once for each.",
)
@rate_option
@click.option(
    "--state",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Go on from this state image.",
)
@click.option(
    "--save-state",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the state image at the end to this file.",
)
@click.option(
    "-o",
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write report.html, its plots and windows.csv into this folder.",
)
@click.option(
    "--each",
    is_flag=True,
    help="Each recording for itself, from the same start, through a twin of its own: a row each,"
    " and with --out a folder each. One that is refused does not stop the others.",
)
@click.option(
    "-j",
    "--jobs",
    metavar="N",
    type=click.IntRange(1, 1024),
    help="With --each, processes at a time; what comes out is the same.  [default: one a core]",
)
@click.option(
    "--stream/--in-memory",
    default=None,
    help="Read piece by piece, in memory that does not grow with the recordings, or all at once;"
    " the results are the same bits.  [default: --stream from 256 MB of recordings on]",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")
@click.pass_context
def replay(
    context: click.Context,
    recordings: tuple[Path, ...],
    model: Path | None,
    fine_tune: int | None,
    fine_tune_from: str,
    calibrate: int | None,
    learn: bool,
    settings: dict[str, float],
    preset: Preset | None,
    labels: tuple[str, ...],
    rate_hz: float | None,
    state: Path | None,
    save_state: Path | None,
    out: Path | None,
    each: bool,
    jobs: int | None,
    stream: bool | None,
    as_json: bool,
) -> None:
    """Stream RECORDINGS through the twin: what a board would have seen, said and learned.

    RECORDINGS are files (.csv, .npz, Edge Impulse .json) or folders of them, fed in this order,
    a gap between two. Without any, the shipped one is replayed: a minute of a simulated fan, then
    the same fan at its place of work, first unlabelled, then normal, stuck and tilted in turns.
    """
    if len(labels) not in (0, 1, max(1, len(recordings))):
        raise click.UsageError(
            f"--label is given {len(labels)} times for"
            f" {counted(len(recordings), 'recording')}: give it once, or once for each"
        )
    if jobs is not None and not each:
        raise click.UsageError("--jobs is for --each: one twin takes its samples in order")
    if save_state is not None and each:
        raise click.UsageError(
            "--save-state is one file, and --each gives a state each: with --out, each folder has"
            " an end.state"
        )
    plan = Plan(
        learn=learn,
        fine_tune=fine_tune,
        fine_tune_from=fine_tune_from,
        calibrate=calibrate,
        settings={**(preset.settings if preset else {}), **settings},
        state=read_start_state(state),
    )
    command = shlex.join(["tinyol", *(context.find_root().obj or ("replay",))])
    with resources.as_file(resources.files("tinyol_sim") / "data" / SHIPPED_RECORDING) as shipped:
        units = _units(recordings, labels, shipped, each)
        if each:
            bundle = None if model is None else Bundle.load(model)
            options = {"rate_hz": rate_hz, "stream": stream, "out": out, "command": command}
            run_each(units, bundle, plan, jobs or n_cores(), options, as_json=as_json)
            return
        result = _run(model, units, plan, rate_hz, stream, out)
    summary = summarise(result)
    if save_state is not None:
        write_whole(save_state, result.state)
        summary["state"]["file"] = str(save_state)
    if out is not None:
        from tinyol_sim import report  # drawing costs a second that others save

        page = report.write_report(result, out, command=command, summary=summary)
        summary["report"] = str(page)
        if not report.can_draw():
            click.echo(f"note: {report.NO_MATPLOTLIB}", err=True)
    if as_json:
        click.echo(json.dumps(summary, indent=2, allow_nan=False))
    else:
        print_summary(summary)


def _units(paths: Sequence[Path], labels: Sequence[str], shipped: Path, each: bool) -> list[Unit]:
    """The recordings at `paths`, each with the label that was given for it."""
    groups = [_found(path, each) for path in paths] or [[shipped]]
    if not labels:
        return [Unit(path) for group in groups for path in group]
    names = [None if label == "-" else label for label in labels]
    if len(names) < len(groups):
        names *= len(groups)
    return [
        Unit(path, relabel=True, label=name)
        for group, name in zip(groups, names, strict=True)
        for path in group
    ]


def _found(path: Path, each: bool) -> list[Path]:
    try:
        return recording_units([path])
    except RecordingError:
        if each:
            return [path]  # reading it says what is wrong, and the others are read, too
        raise


def _run(
    model: Path | None,
    units: Sequence[Unit],
    plan: Plan,
    rate_hz: float | None,
    stream: bool | None,
    out: Path | None,
) -> ReplayResult:
    bundle = None if model is None else Bundle.load(model)
    relabelled = any(unit.relabel for unit in units)
    labels = [unit.label for unit in units] if relabelled else None
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:,.0f} of {task.total:,.0f} s"),
        TimeElapsedColumn(),
    )
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not is_terminal(sys.stderr)) as bar:
        task = bar.add_task("reading", total=0)
        paths = [unit.path for unit in units]
        opened = open_files(paths, rate_hz=rate_hz, labels=labels, stream=stream)
        found_hz = opened[0].rate_hz
        bundle = bundle or shipped_model_for(found_hz)
        if out is not None:
            out.mkdir(parents=True, exist_ok=True)  # better now than after the work
        total_s = sum(recording.duration_s for recording in opened)
        bar.reset(task, description="replay", total=total_s)
        return replay_opened(
            bundle,
            opened,
            plan,
            lambda done, total: bar.update(task, completed=done / found_hz),
            out,
        )
