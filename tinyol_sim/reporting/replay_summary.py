"""A replay in numbers, and the rows of text that the terminal and the report share."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from tinyol_sim.counted import counted
from tinyol_sim.replay import ReplayResult
from tinyol_sim.reporting import scores
from tinyol_sim.reporting.error_groups import END, error_figures, threshold_of
from tinyol_sim.reporting.notices import ALARM, TITLES, UNKNOWN, notices
from tinyol_sim.reporting.replay_notes import replay_notes

ERROR_COLUMNS = (
    "mean error",
    "windows",
    "frozen net",
    "fine-tuned",
    "change",
    "anomalies",
)
CLASS_COLUMNS = ("class", "labelled windows", "F1")
NOTICE_COLUMNS = ("noticed", "from", "to", "largest score")
MAX_NOTICE_ROWS = 30
_MANY = 4  # more recordings than this are counted, not named


def summarise(result: ReplayResult) -> dict[str, Any]:
    """A dictionary of JSON's types; shares are 0 to 1, errors squared units of the net's input."""
    stream, pipeline = result.stream, result.bundle.pipeline
    return {
        "model": {
            "id": result.bundle.model_id,
            "rate_hz": pipeline.rate_hz,
            "window_len": pipeline.window_len,
            "hop": pipeline.hop,
        },
        "recordings": [
            {"name": name, "samples": length, "seconds": length / stream.rate_hz}
            for name, length in zip(result.names, result.lengths, strict=True)
        ],
        "rate_hz": stream.rate_hz,
        "seconds": stream.duration_s,
        "gaps": len(stream.gaps),
        "windows": result.tally.n_windows,
        "anomalies": result.tally.anomalies,
        "unknown_windows": result.tally.unknown,
        "notices": _notices(result),
        "notices_left_out": result.tally.notices.left_out,
        "notice_counts": dict(result.tally.notices.counts),
        "fine_tuning": _fine_tuning(result),
        "threshold": threshold_of(result),
        "errors": _errors(result),
        "classifier": _classifier(result),
        "counters": result.counters,
        "settings": {name: float(short_float(v)) for name, v in result.settings.items()},
        "state": {
            "bytes": len(result.state),
            "sha256": hashlib.sha256(result.state).hexdigest(),
        },
        "speed": {
            "windows_per_s": result.windows_per_s,
            "times_real_time": result.times_real_time,
        },
        "notes": replay_notes(result),
    }


def _fine_tuning(result: ReplayResult) -> dict[str, Any] | None:
    start = result.fine_tune_start
    if start is None:
        return None
    return {
        "asked": result.plan.fine_tune or 0,
        "steps": result.counters["reconstruction_steps"],
        "from_s": start.sample / result.stream.rate_hz,
        "from": start.why,
        "calibrate": result.plan.calibrate or 0,
        "calibrate_left": result.calibrate_left,
        "windows_left": result.fine_tune_left,
        "ended": _fine_tuning_end(result),
    }


def _fine_tuning_end(result: ReplayResult) -> str:
    end = result.fine_tune_end
    if end is not None:
        return f"{end.label} at {end.sample / result.stream.rate_hz:.1f} s"
    return "the end of the recordings" if result.fine_tune_left else "as many as asked"


def _notices(result: ReplayResult) -> list[dict[str, Any]]:
    rate_hz = result.stream.rate_hz
    return [
        {
            "kind": notice.kind,
            "from_s": notice.first_sample / rate_hz,
            "to_s": notice.last_sample / rate_hz if notice.lasts else None,
            "open": notice.open,
            "windows": max(1, notice.last - notice.first + notice.open),
            "peak": notice.peak,
        }
        for notice in notices(result)
    ]


def _errors(result: ReplayResult) -> list[dict[str, Any]]:
    return [
        {
            "group": group.name,
            "phase": group.phase,
            "label": group.label,
            "windows": group.windows,
            "anomalies": group.anomalies,
            "mean_frozen": group.mean_frozen,
            "above_threshold_frozen": group.above_frozen,
            "mean_tuned": group.mean_tuned,
            "above_threshold_tuned": group.above_tuned,
        }
        for group in error_figures(result)
    ]


def _classifier(result: ReplayResult) -> dict[str, Any] | None:
    """None if no labelled window was predicted."""
    names, classes = result.class_names, result.tally.classes
    table = classes.confusion
    if not table.sum():
        return None
    f1 = scores.f1(table)
    involved = table.sum(axis=0) + table.sum(axis=1) > 0
    last, of_last = None, classes.last_showing
    if of_last is not None:
        last = {"windows": int(of_last.sum()), "macro_f1": float(scores.macro_f1(of_last))}
    return {
        "steps": result.counters["classifier_steps"],
        "labelled": int(table.sum()),
        "accuracy": scores.accuracy(table),
        "macro_f1": float(scores.macro_f1(table)),
        "last_showing": last,
        "classes": [
            {
                "name": name,
                "windows": int(table[i].sum()),
                "f1": float(f1[i]) if involved[i] else None,
            }
            for i, name in enumerate(names)
        ],
        "confusion": table.tolist(),
    }


def short_float(value: float) -> str:
    """The fewest digits that read back as the same float32: 0.05, not 0.05000000074505806."""
    text = str(np.float32(value))
    return text.removesuffix(".0")


def headline(summary: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What a person asks first, as names and values."""
    model, windows = summary["model"], summary["windows"]
    rows = [
        ("recorded", _recorded(summary)),
        ("windows", f"{windows:,} of {model['window_len']} samples, one every {model['hop']}"),
        ("fine-tuning", _fine_tuning_text(summary["fine_tuning"])),
    ]
    for row in summary["errors"]:
        if row["phase"] == END:
            before, after, change = _error_cells(row)
            rows.append(("error", f"{before} → {after} ({change}) at the end of fine-tuning"))
    classifier = summary["classifier"]
    if classifier is None:
        rows.append(("classifier", "nothing predicted"))
    else:
        taught = counted(classifier["steps"], "step") if classifier["steps"] else "not taught"
        n_classes = counted(len(classifier["classes"]), "class", "classes")
        rows.append(("classifier", f"{n_classes}, {taught}"))
        rows.append(("macro F1", _f1_text(classifier)))
    rows.append(("anomalies", _anomalies_text(summary)))
    if found := summary["notice_counts"][UNKNOWN]:
        count = counted(summary["unknown_windows"], "window")
        rows.append(("unknown", f"{count}, {counted(found, 'stretch', 'stretches')}"))
    return rows


def _anomalies_text(summary: Mapping[str, Any]) -> str:
    alarms = summary["notice_counts"][ALARM]
    share = _percent(summary["anomalies"] / summary["windows"])
    text = f"{counted(summary['anomalies'], 'window')}, {share}; {counted(alarms, 'alarm')}"
    if summary["threshold"] is not None:
        text += f"; above the threshold of {summary['threshold']:.3g}"
    return text


def notice_rows(summary: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Under NOTICE_COLUMNS, what the device noticed by itself; the first MAX_NOTICE_ROWS."""
    rows: list[tuple[str, ...]] = []
    for notice in summary["notices"][:MAX_NOTICE_ROWS]:
        until = "the end" if notice["open"] else "–"
        if notice["to_s"] is not None and not notice["open"]:
            until = f"{notice['to_s']:.1f} s"
        peak = "–" if notice["peak"] is None else f"{notice['peak']:.3g}"
        rows.append((TITLES[notice["kind"]], f"{notice['from_s']:.1f} s", until, peak))
    n_all = len(summary["notices"]) + summary.get("notices_left_out", 0)
    if more := n_all - len(rows):
        rows.append((f"{more:,} more", "", "", ""))
    return rows


def error_rows(summary: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Under ERROR_COLUMNS, a group of windows a row."""
    rows: list[tuple[str, ...]] = []
    for row in summary["errors"]:
        shares = [row["above_threshold_frozen"], row["above_threshold_tuned"]]
        above = " → ".join(_percent(share) for share in shares if share is not None)
        above = above or _percent(row["anomalies"])
        rows.append((row["group"], f"{row['windows']:,}", *_error_cells(row), above))
    return rows


def class_rows(summary: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Under CLASS_COLUMNS, a class a row; none where nothing was predicted."""
    classifier = summary["classifier"]
    return [
        (c["name"], f"{c['windows']:,}", "–" if c["f1"] is None else f"{c['f1']:.3f}")
        for c in (classifier["classes"] if classifier else ())
    ]


def _recorded(summary: Mapping[str, Any]) -> str:
    names = [recording["name"] for recording in summary["recordings"]]
    what = ", ".join(names) if len(names) <= _MANY else f"{len(names)} recordings"
    gaps = counted(summary["gaps"], "gap")
    return f"{what}: {summary['seconds']:.1f} s at {summary['rate_hz']:g} Hz, {gaps}"


def _fine_tuning_text(fine_tuning: Mapping[str, Any] | None) -> str:
    if fine_tuning is None:
        return "none"
    start = f"{fine_tuning['from_s']:.1f} s ({fine_tuning['from']})"
    text = f"{counted(fine_tuning['steps'], 'step')} from {start}"
    if fine_tuning["calibrate"]:
        done = fine_tuning["calibrate"] - fine_tuning["calibrate_left"]
        text += f", then calibrated on {done:,} of {counted(fine_tuning['calibrate'], 'window')}"
    if fine_tuning["windows_left"]:
        text += f" of {fine_tuning['asked']:,} asked for, until {fine_tuning['ended']}"
    return text


def _f1_text(classifier: Mapping[str, Any]) -> str:
    text = f"{classifier['macro_f1']:.3f}"
    if last := classifier["last_showing"]:
        text += f"; {last['macro_f1']:.3f} the last time that each class was shown"
    return text


def _error_cells(row: Mapping[str, Any]) -> tuple[str, str, str]:
    frozen, tuned = row["mean_frozen"], row["mean_tuned"]
    if tuned is None:
        return f"{frozen:.3g}", "–", "–"
    change = f"{100 * (tuned / frozen - 1):+.0f} %" if frozen > 0 else "–"
    return f"{frozen:.3g}", f"{tuned:.3g}", change.replace("-", "−")


def _percent(share: float) -> str:
    return f"{100 * share:.{0 if share in (0, 1) else 1}f} %"
