"""The figures of one replay that a sweep's table shows, and what they mean."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from tinyol_sim.replay import ReplayResult
from tinyol_sim.reporting.error_groups import ALL, END
from tinyol_sim.reporting.notices import ALARM, UNKNOWN
from tinyol_sim.reporting.replay_summary import summarise

Figures = dict[str, str | int | float | None]

# By name, in the table's order: type, and what it is. None (an empty cell): there is no such.
FIGURES: dict[str, tuple[type, str]] = {
    "model_id": (str, "of the bundle, 16 hex digits"),
    "rate_hz": (float, "samples a second"),
    "recorded_s": (float, "seconds of signal"),
    "windows": (int, "in all"),
    "labelled": (int, "labelled windows that were predicted"),
    "accuracy": (
        float,
        "share of these that were predicted rightly, before they were learned from",
    ),
    "macro_f1": (float, "mean F1 over the classes that were seen or predicted"),
    "mean_loss": (float, "running cross-entropy at the end, as the device itself keeps it"),
    "alarms": (int, "that were raised"),
    "anomalies": (int, "windows above the detector's limit"),
    "unknown_events": (int, "stretches that no class explained"),
    "error_before": (
        float,
        "mean reconstruction error of the frozen net: on the last quarter of the windows that"
        " fine-tuning took a step on, without fine-tuning on all",
    ),
    "error_after": (float, "of the fine-tuned layer on the same windows, each before its own step"),
    "fine_tune_steps": (int, "steps of the fine-tuned layer"),
    "classifier_steps": (int, "steps of the classifier"),
    "state_crc": (str, "CRC-32 at the end of the state image, 8 hex digits: equal if all is"),
}


def figures_of(result: ReplayResult) -> Figures:
    """One value for each of FIGURES."""
    summary = summarise(result)
    classifier: Mapping[str, Any] = summary["classifier"] or {}
    noticed = summary["notice_counts"]
    before, after = _errors(summary["errors"])
    figures: Figures = {
        "model_id": summary["model"]["id"],
        "rate_hz": summary["rate_hz"],
        "recorded_s": summary["seconds"],
        "windows": summary["windows"],
        "labelled": classifier.get("labelled", 0),
        "accuracy": classifier.get("accuracy"),
        "macro_f1": classifier.get("macro_f1"),
        "mean_loss": result.metrics.mean_loss if classifier else None,
        "alarms": noticed[ALARM],
        "anomalies": summary["anomalies"],
        "unknown_events": noticed[UNKNOWN],
        "error_before": before,
        "error_after": after,
        "fine_tune_steps": summary["counters"]["reconstruction_steps"],
        "classifier_steps": summary["counters"]["classifier_steps"],
        "state_crc": f"{int.from_bytes(result.state[-4:], 'little'):08x}",
    }
    return {name: _finite(value) for name, value in figures.items()}


def _finite(value: str | int | float | None) -> str | int | float | None:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _errors(groups: Iterable[Mapping[str, Any]]) -> tuple[float | None, float | None]:
    chosen = [group for group in groups if group["phase"] in (END, ALL)]
    return _mean(chosen, "mean_frozen"), _mean(chosen, "mean_tuned")


def _mean(groups: Iterable[Mapping[str, Any]], name: str) -> float | None:
    """Over all windows of the groups."""
    rows = [(group["windows"], group[name]) for group in groups]
    if not rows or any(mean is None for _, mean in rows):
        return None
    return float(sum(n * mean for n, mean in rows) / sum(n for n, _ in rows))
