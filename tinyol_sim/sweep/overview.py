"""A sweep at a glance: a line for each choice of model and settings, over all recordings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean

from tinyol_sim.reporting.replay_summary import short_float
from tinyol_sim.sweep.table import Row

MEANS = {"accuracy": "accuracy", "macro_f1": "macro F1", "error_after": "error after"}
SUMS = {"alarms": "alarms", "unknown_events": "unknown"}


def overview(rows: Sequence[Row], axes: Mapping[str, type]) -> tuple[list[str], list[list[str]]]:
    """Titles and cells: the axes that differ, recordings, means and sums over those that ended.

    Columns in which no row has a figure are left out.
    """
    varied = [name for name in axes if name != "recording" and len({row[name] for row in rows}) > 1]
    groups: dict[tuple[object, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(tuple(row[name] for name in varied), []).append(row)
    means = {name: title for name, title in MEANS.items() if _known(rows, name)}
    titles = [*varied, "recordings", *means.values(), *SUMS.values()]
    cells = []
    for choice, group in groups.items():
        ended = [row for row in group if not row["error"]]
        failed = len(group) - len(ended)
        count = f"{len(ended)}, {failed} failed" if failed else str(len(ended))
        averages = [_mean([row[name] for row in _known(ended, name)]) for name in means]
        sums = [f"{sum(row[name] for row in ended):,}" for name in SUMS]
        cells.append([*map(_text, choice), count, *averages, *sums])
    return titles, cells


def _known(rows: Sequence[Row], name: str) -> list[Row]:
    return [row for row in rows if row[name] is not None]


def _mean(values: Sequence[float]) -> str:
    return f"{fmean(values):.4g}" if values else "–"


def _text(value: object) -> str:
    return short_float(value) if isinstance(value, float) else str(value)
