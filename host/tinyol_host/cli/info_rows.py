"""What `tinyol info` shows of a board, group by group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.markup import escape
from rich.table import Table

from tinyol_host.hardware import SensorState
from tinyol_sim.counted import counted
from tinyol_sim.text import printable

_LEVELS = {1: "note", 2: "warning", 3: "error"}
PAGE_ENDURES = 10_000  # erases, by the nRF52840's data sheet

_Rows = list[tuple[str, str]]


def info_table(facts: Mapping[str, Any]) -> Table:
    """Each group's title stands before its first row; a board without a model has fewer."""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for title, rows_of in _GROUPS.items():
        rows = rows_of(facts[title]) if facts["model"] or title in _ALWAYS else _NO_MODEL[title]
        for i, (name, value) in enumerate(rows):
            table.add_row("" if i else title, name, escape(printable(value)))
    return table


def _board(facts: Mapping[str, Any]) -> _Rows:
    passed = "passed" if facts["self_test_at_boot"] else "FAILED: do not trust its results"
    return [
        ("device", ", ".join(filter(None, (facts["uri"], facts["name"], facts["kind"])))),
        (
            "firmware",
            f"{facts['firmware']}, state format {facts['state_format']}, arithmetic"
            f" {facts['arithmetic_version']}, the frozen net runs on {_frozen(facts['kernels'])};"
            f" self-test at boot {passed}",
        ),
        ("samples from", _sensor(facts)),
        *(
            (_LEVELS.get(condition["level"], "note"), condition["text"])
            for condition in facts["conditions"]
        ),
    ]


def _frozen(kernels: Sequence[str]) -> str:
    return " and ".join({"own": "our own kernels"}.get(name, name) for name in kernels) or "nothing"


def _sensor(facts: Mapping[str, Any]) -> str:
    if facts["sensor"] == "none":
        return "no sensor: it is fed"
    state = SensorState[facts["sensor"].upper()]
    rate = f" at {facts['sensor_hz']:g} Hz" if facts["sensor_hz"] else ""
    return (
        f"a sensor of its own{rate}: {state.words};"
        f" {counted(facts['dropped_samples'], 'sample')} dropped since boot"
    )


def _model(facts: Mapping[str, Any]) -> _Rows:
    window_s = facts["window_len"] / facts["rate_hz"] if facts["rate_hz"] else 0.0
    layer = facts["fine_tuned_layer"]
    return [
        ("id", facts["id"]),
        (
            "windows",
            f"{facts['window_len']} samples ({window_s:.3g} s), every {facts['hop']}, at"
            f" {facts['rate_hz']:g} Hz",
        ),
        (
            "layers",
            f"{counted(facts['n_features'], 'feature')}, at most"
            f" {counted(facts['max_classes'], 'class', 'classes')}; fine-tuned"
            f" {layer['inputs']} -> {layer['outputs']}",
        ),
        (
            "memory",
            f"{counted(facts['windows_for_late_labels'], 'window')} for late labels; state image"
            f" of at most {facts['max_image_bytes']:,} bytes; the frozen net uses"
            f" {facts['arena']['used']:,} of {facts['arena']['bytes']:,} bytes of arena",
        ),
    ]


def _seen(facts: Mapping[str, Any]) -> _Rows:
    refused = [
        counted(facts[f"refused_{what}s"], what)
        for what in ("sample", "window")
        if facts[f"refused_{what}s"]
    ]
    stream = [counted(facts["samples"], "sample"), counted(facts["gaps"], "gap")]
    stream.append(counted(facts["windows"], "window"))
    bad = f"; {' and '.join(refused)} refused" if refused else ""
    now = "; fed by a link now" if facts["fed_by_a_link"] else ""
    return [
        ("stream", f"{', '.join(stream)}{bad}{now}"),
        ("alarms", _alarms(facts)),
        ("unknown", _unknown(facts)),
    ]


def _unknown(facts: Mapping[str, Any]) -> str:
    if not facts["unknown_events"]:
        return "none"
    now = "the latest goes on" if facts["unknown_goes_on"] else "none now"
    return f"{counted(facts['unknown_events'], 'event')}, {now}: `tinyol unknown`"


def _watch(facts: Mapping[str, Any]) -> _Rows:
    left = facts["calibration_windows_left"]
    if left:
        steps = facts["calibration_steps_left"]
        first = f"{counted(steps, 'fine-tuning step')}, then " if steps else ""
        normal = f"calibrating: {first}{counted(left, 'window')} left"
    elif not facts["normal_windows"]:
        normal = "not known yet: `tinyol calibrate` while the machine runs well"
    else:
        normal = (
            f"error {facts['normal_error']:.3g}, vibration {facts['normal_vibration_g']:.3g} g over"
            f" {counted(facts['normal_windows'], 'window')}"
        )
        if facts["limit"] is None:
            normal += "; settling"
    turned = f"{facts['tilt_deg']:.1f} degrees from where it was calibrated"
    return [
        ("normal", normal),
        ("now", _now(facts)),
        ("sensor hangs", f"{turned}: `tinyol calibrate`" if facts["moved"] else turned),
    ]


def _now(facts: Mapping[str, Any]) -> str:
    score = f"score {facts['score']:.2g} of 1" if facts["score"] else "not judged yet"
    found = [word for word in ("alarm", "unknown", "changed") if facts[word]]
    return f"{score}; {', '.join(found)}" if found else score


def _alarms(facts: Mapping[str, Any]) -> str:
    if not facts["alarms"]:
        return "none"
    latest = facts["latest_alarms"][0]
    return (
        f"{facts['alarms']:,}; the latest ended {latest['ended_s_ago']:,.0f} s ago after"
        f" {counted(latest['windows'], 'window')}, score up to {latest['peak_score']:.3g}"
    )


def _learned(facts: Mapping[str, Any]) -> _Rows:
    label, left = facts["label"], facts["label_windows_left"]
    steps_left = facts["fine_tuning_steps_left"]
    tuning = {None: "on until stopped", 0: "off"}.get(
        steps_left, f"on, {counted(steps_left or 0, 'step')} left"
    )
    reconstruction = _steps(facts["reconstruction"])
    if facts["clamped_targets"]:
        reconstruction += f", {counted(facts['clamped_targets'], 'target')} clamped"
    until = "until stopped" if left is None else f"{counted(left, 'window')} left"
    return [
        ("classes", ", ".join(facts["classes"]) or "none"),
        ("label now", "none" if label is None else f"{label}, {until}"),
        ("classifier", _steps(facts["classifier"])),
        ("fine-tuning", f"{tuning}; {reconstruction}"),
        ("saved", _saved(facts)),
    ]


def _saved(facts: Mapping[str, Any]) -> str:
    if not facts["saved_by_the_board"]:
        return "not by the board itself"
    if facts["save_failed"]:
        state = "the last save FAILED"
    else:
        state = "not the latest" if facts["unsaved"] else "all of it"
    return f"{state}; {counted(facts['saves'], 'save')} since boot, {worn(facts['wear'])}"


def worn(erases: int) -> str:
    """How much of its flash's life is gone."""
    return f"wear {erases:,} of {PAGE_ENDURES:,}"


def _steps(counts: Mapping[str, int]) -> str:
    text = f"{counted(counts['applied'], 'step')}"
    skipped = counts["skipped_not_finite"] + counts["skipped_over_limit"]
    if skipped:
        text += (
            f", {skipped:,} skipped ({counts['skipped_not_finite']:,} not finite,"
            f" {counts['skipped_over_limit']:,} over the limit)"
        )
    return text


def _link(facts: Mapping[str, Any]) -> _Rows:
    trip = facts["round_trip_ms"]
    took = "" if trip is None else f", round trip {trip:.3g} ms"
    return [
        ("messages", f"up to {facts['max_message']} bytes{took}"),
        ("session", _session(facts)),
        ("since boot", _troubles(facts)),
    ]


def _session(facts: Mapping[str, Any]) -> str:
    if facts["authenticated"]:
        return f"authenticated by the board's key, {facts['key_id']}"
    if facts["paired"]:
        return f"may read only: the board has a key, {facts['key_id']}, which is not here"
    return "not authenticated: never paired (`tinyol pair`)"


def _troubles(facts: Mapping[str, Any]) -> str:
    counts = {
        "malformed": facts["malformed"],
        "repeated": facts["repeated"],
        "refused": facts["refused"],
        "lost peers": facts["lost_peers"],
        "lost events": facts["lost_events"],
    }
    return ", ".join(f"{n:,} {what}" for what, n in counts.items() if n) or "no trouble"


_NO_MODEL: Mapping[str, _Rows] = {
    "model": [("id", "no model that it can run: `tinyol flash --model BUNDLE` gives it one")],
    "watch": [],
    "learned": [],
}
_ALWAYS = ("board", "seen", "link")
_GROUPS = {
    "board": _board,
    "model": _model,
    "seen": _seen,
    "watch": _watch,
    "learned": _learned,
    "link": _link,
}
