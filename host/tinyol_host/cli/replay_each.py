"""`tinyol replay --each`: many recordings, each through a twin of its own, a row each."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import click
from rich.console import Console

from tinyol_host.cli.progress import progress_bar
from tinyol_host.cli.replay_tables import figures_table
from tinyol_host.cli.tables import print_table
from tinyol_sim.bundle import Bundle
from tinyol_sim.counted import counted
from tinyol_sim.errors import TinyOLError
from tinyol_sim.replay import Plan
from tinyol_sim.replay_each import Replayed, Unit, replay_each
from tinyol_sim.reporting.notices import ALARM, UNKNOWN

COLUMNS = ("recording", "seconds", "windows", "anomalies", "alarms", "unknown", "macro F1")


def run_each(
    units: Sequence[Unit],
    bundle: Bundle | None,
    plan: Plan,
    jobs: int,
    options: Mapping[str, Any],
    *,
    as_json: bool,
) -> None:
    """Replays and prints; options: the others of `replay_each`.

    Raises TinyOLError behind the results if there are recordings that were refused: they have been
    named on stderr.
    """
    ended = 0
    with progress_bar("replay", len(units), "recordings") as show:

        def one_more() -> None:
            nonlocal ended
            ended += 1
            show(ended)

        show(0)
        found = replay_each(units, bundle, plan, jobs=jobs, on_ended=one_more, **options)
    failed = [one for one in found if one.error is not None]
    if as_json:
        rows = {"recordings": [_as_dict(one) for one in found], "failed": len(failed)}
        click.echo(json.dumps(rows, indent=2, allow_nan=False))
    else:
        console = Console(highlight=False)
        print_table(console, figures_table(COLUMNS, [_row(one) for one in found]))
    for one in failed:
        click.echo(f"error: {one.error}", err=True)
    if failed:
        raise TinyOLError(f"{len(failed)} of {counted(len(found), 'recording')} failed")


def _as_dict(one: Replayed) -> dict[str, Any]:
    what: dict[str, Any] = {"path": str(one.path)}
    if one.error is not None:
        return {**what, "error": one.error}
    return {**what, "summary": one.summary}


def _row(one: Replayed) -> tuple[str, ...]:
    summary = one.summary
    if summary is None:
        return (str(one.path), "failed", *[""] * (len(COLUMNS) - 2))
    classifier, notices = summary["classifier"], summary["notice_counts"]
    return (
        str(one.path),
        f"{summary['seconds']:,.1f}",
        f"{summary['windows']:,}",
        f"{100 * summary['anomalies'] / summary['windows']:.1f} %",
        f"{notices[ALARM]:,}",
        f"{notices[UNKNOWN]:,}",
        "–" if classifier is None else f"{classifier['macro_f1']:.3f}",
    )
