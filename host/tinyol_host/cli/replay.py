"""`tinyol replay`: recordings through the twin, a table, and a report."""

from __future__ import annotations

import json
import math
import shlex
import sys
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from tinyol_host.cli.preset_option import preset_option
from tinyol_host.cli.setting_pairs import parse_setting_pairs
from tinyol_host.cli.tables import pairs_table, print_table
from tinyol_host.cli.terminal import is_terminal
from tinyol_sim.bundle import DEFAULT_BUNDLES, Bundle, default_bundle
from tinyol_sim.counted import counted
from tinyol_sim.errors import BundleError, StateImageError
from tinyol_sim.files import write_whole
from tinyol_sim.presets import Preset
from tinyol_sim.recordings import Recording, read_recording, read_recordings
from tinyol_sim.replay import RATE_TOLERANCE, Plan, ReplayResult
from tinyol_sim.replay import replay as run_replay
from tinyol_sim.reporting.replay_summary import (
    CLASS_COLUMNS,
    ERROR_COLUMNS,
    NOTICE_COLUMNS,
    class_rows,
    error_rows,
    headline,
    notice_rows,
    summarise,
)

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
@click.option(
    "--rate-hz",
    metavar="HZ",
    type=click.FloatRange(min=0, min_open=True),
    help="Samples a second; needed where neither a file nor its regular `t` says it.",
)
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
    found = _read(recordings, labels, rate_hz)
    plan = Plan(
        learn=learn,
        fine_tune=fine_tune,
        fine_tune_from=fine_tune_from,
        calibrate=calibrate,
        settings={**(preset.settings if preset else {}), **settings},
        state=None if state is None else _read_state(state),
    )
    bundle = _bundle_for(model, found[0].rate_hz)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)  # better now than after the work
    result = _run(bundle, found, plan)
    summary = summarise(result)
    if save_state is not None:
        write_whole(save_state, result.state)
        summary["state"]["file"] = str(save_state)
    if out is not None:
        from tinyol_sim import report  # drawing costs a second that others save

        command = shlex.join(["tinyol", *(context.find_root().obj or ("replay",))])
        page = report.write_report(result, out, command=command, summary=summary)
        summary["report"] = str(page)
        if not report.can_draw():
            click.echo(f"note: {report.NO_MATPLOTLIB}", err=True)
    if as_json:
        click.echo(json.dumps(summary, indent=2, allow_nan=False))
    else:
        _print(summary)


def _read(paths: Sequence[Path], labels: Sequence[str], rate_hz: float | None) -> list[Recording]:
    if paths:
        groups = [read_recordings([path], rate_hz=rate_hz) for path in paths]
    else:
        shipped = resources.files("tinyol_sim") / "data" / SHIPPED_RECORDING
        with resources.as_file(shipped) as path:
            groups = [[read_recording(path, rate_hz=rate_hz)]]
    if not labels:
        return [recording for group in groups for recording in group]
    names = [None if label == "-" else label for label in labels]
    if len(names) < len(groups):
        names *= len(groups)
    return [r.with_label(name) for group, name in zip(groups, names, strict=True) for r in group]


def _read_state(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise StateImageError(f"{path}: cannot be read: {error.strerror}") from None


def _bundle_for(path: Path | None, rate_hz: float) -> Bundle:
    if path is not None:
        return Bundle.load(path)
    for shipped_hz in DEFAULT_BUNDLES:
        if math.isclose(rate_hz, shipped_hz, rel_tol=RATE_TOLERANCE):
            return default_bundle(shipped_hz)
    rates = " and ".join(f"{rate:g}" for rate in DEFAULT_BUNDLES)
    raise BundleError(
        f"no model ships for {rate_hz:g} Hz, only for {rates} Hz: give yours with --model, or make"
        " one with `tinyol train`"
    )


def _run(bundle: Bundle, recordings: Sequence[Recording], plan: Plan) -> ReplayResult:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:,.0f} of {task.total:,.0f} s"),
        TimeElapsedColumn(),
    )
    rate_hz = recordings[0].rate_hz
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not is_terminal(sys.stderr)) as bar:
        task = bar.add_task("replay", total=sum(r.duration_s for r in recordings))
        return run_replay(
            bundle, recordings, plan, lambda done, total: bar.update(task, completed=done / rate_hz)
        )


def _print(summary: Mapping[str, Any]) -> None:
    console = Console(highlight=False)
    print_table(console, pairs_table(headline(summary)))
    for columns, rows in (
        (NOTICE_COLUMNS, notice_rows(summary)),
        (ERROR_COLUMNS, error_rows(summary)),
        (CLASS_COLUMNS, class_rows(summary)),
    ):
        if rows:
            console.print()
            print_table(console, _figures(columns, rows))
    notes = [f"note: {note}" for note in summary["notes"]]
    places = [f"{name}: {path}" for name, path in _places(summary)]
    if notes or places:
        console.print()
    for line in (*notes, *places):
        console.print(escape(line), soft_wrap=True)


def _places(summary: Mapping[str, Any]) -> list[tuple[str, str]]:
    places = [("state", summary["state"].get("file")), ("report", summary.get("report"))]
    return [(name, path) for name, path in places if path is not None]


def _figures(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column(columns[0], overflow="fold")
    for title in columns[1:]:
        table.add_column(title, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(*(escape(cell) for cell in row))
    return table
