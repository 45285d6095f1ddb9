"""What matters in a bundle, as the rows of `tinyol model show`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tinyol_sim.counted import counted
from tinyol_sim.reporting.flat_text import flattened
from tinyol_sim.reporting.replay_summary import short_float
from tinyol_sim.settings import SETTINGS

_RATES = {"classifier": "classifier.learning_rate", "fine-tuning": "reconstruction.learning_rate"}
_THRESHOLD, _DETECTOR = "anomaly.threshold", "anomaly.detector"
_MAX_PROVENANCE = 4  # lines of a foreign bundle's


def model_rows(facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Names and values, empty ones left out; facts: what `tinyol model show --json` prints."""
    pipeline, settings = facts["pipeline"], facts["settings"]
    rows = [
        ("model id", facts["model_id"]),
        ("rate", f"{pipeline['rate_hz']:g} Hz"),
        ("window", f"{pipeline['window_len']} samples, a new one every {pipeline['hop']}"),
        ("input", _input(pipeline)),
        ("net", _net(facts)),
        ("features", _features(facts)),
        ("centring", _centring(pipeline)),
        ("alarm", _alarm(settings, facts["normal"])),
        ("learning rates", ", ".join(f"{n} {settings[s]:g}" for n, s in _RATES.items())),
        ("other settings", _changed(settings)),
        ("classes", f"room for {pipeline['max_classes']}"),
        *_made(facts["provenance"]),
    ]
    return [(name, value) for name, value in rows if value]


def _input(pipeline: Mapping[str, Any]) -> str:
    if pipeline["axes"] == "all":
        return "x, y and z, interleaved"
    return "one channel, along " + ", ".join(f"{value:.3g}" for value in pipeline["projection"])


def _centring(pipeline: Mapping[str, Any]) -> str:
    if pipeline["centring"] == "window":
        return "each window's own mean is removed"
    centre = ", ".join(f"{value:.3g}" for value in pipeline["centre"])
    return f"the training data's mean is removed: {centre} g"


def _net(facts: Mapping[str, Any]) -> str:
    layers = facts["net"]
    if any(layer["operator"] != "FULLY_CONNECTED" for layer in layers):
        shape = ", ".join(f"{la['operator']} {la['inputs']} to {la['outputs']}" for la in layers)
    else:
        widths = [layers[0]["inputs"], *(layer["outputs"] for layer in layers)]
        shape = "-".join(map(str, widths)) + ", fully connected"
    return f"{shape}, int8; {counted(facts['bytes']['tflite'], 'byte')} of .tflite"


def _features(facts: Mapping[str, Any]) -> str:
    pipeline = facts["pipeline"]
    names = pipeline["features"]
    text = f"{', '.join(names)} ({counted(facts['n_features'], 'number')})"
    if pipeline["covariance"] != "diagonal":
        text += f", {pipeline['covariance']} covariance"
    if any(name in ("error", "log_error") for name in names):
        layer = "the fine-tuned layer" if pipeline["error_source"] == "tuned" else "the frozen net"
        text += f"; the error is that of {layer}"
    return text


def _alarm(settings: Mapping[str, float], normal: Mapping[str, Any] | None) -> str:
    if not settings[_DETECTOR]:
        value = settings[_THRESHOLD]
        return "none" if value >= SETTINGS[_THRESHOLD].maximum else f"above an error of {value:g}"
    if normal is None:
        return "by the distance from normal, which a board learns first"
    return (
        f"by the distance from normal: error {normal['error']:.3g}, vibration"
        f" {normal['vibration_g']:.3g} g over {counted(normal['windows'], 'window')}"
    )


def _changed(settings: Mapping[str, float]) -> str:
    """Settings that are neither shown above nor the device's defaults."""
    shown = {*_RATES.values(), _THRESHOLD, _DETECTOR}
    return ", ".join(
        f"{name} {value:g}"
        for name, value in settings.items()
        if name not in shown and short_float(value) != short_float(SETTINGS[name].initial)
    )


def _made(provenance: Mapping[str, Any]) -> list[tuple[str, str]]:
    """How it was trained; of a bundle that `tinyol train` did not make, what it says of itself."""
    figures, options = provenance.get("figures"), provenance.get("options")
    sources = provenance.get("recordings")
    if not (isinstance(figures, dict) and isinstance(options, dict) and isinstance(sources, list)):
        plain = {k: v for k, v in provenance.items() if not isinstance(v, (dict, list))}
        return list(flattened(plain))[:_MAX_PROVENANCE]
    normal = " and ".join(options.get("normal") or ())
    training, held_out = (_number(figures, f"{part}_windows") for part in ("training", "held_out"))
    auc = figures.get("auc_int8")
    rows = [
        (
            "trained on",
            f"{training} normal windows of {counted(len(sources), 'recording')}"
            + (f", labelled {normal}" if normal else ""),
        ),
        ("held out", f"{held_out} normal windows" + (f", AUC {auc:.3g}" if auc else "")),
        (
            "trained by",
            f"{provenance.get('program', '')}, TensorFlow {provenance.get('tensorflow', '')}, "
            f"{_number(options, 'epochs')} epochs, seed {options.get('seed')}",
        ),
        ("date", str(provenance.get("date", ""))),
    ]
    return rows


def _number(values: Mapping[str, Any], name: str) -> str:
    value = values.get(name)
    return f"{value:,}" if isinstance(value, int) else "?"
