"""What `tinyol model show --json` tells of a bundle."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

from tinyol_sim.bundle import Bundle
from tinyol_sim.frozen_net.tflite_model import TfliteModel, read_tflite
from tinyol_sim.reporting.replay_summary import short_float
from tinyol_sim.twin import Twin


def model_facts(bundle: Bundle) -> dict[str, Any]:
    """In JSON's types."""
    twin = Twin(bundle)
    return {
        "model_id": bundle.model_id,
        "pipeline": asdict(bundle.pipeline),
        "n_features": twin.n_features,
        "fine_tuned_layer": {"inputs": twin.n_hidden, "outputs": twin.n_outputs},
        "net": _net(read_tflite(bundle.tflite)),
        "taps": asdict(bundle.taps),
        "settings": {name: float(short_float(value)) for name, value in twin.settings().items()},
        "normal": _normal(bundle),
        "bytes": {"tflite": len(bundle.tflite), "model_image": len(bundle.model_image)},
        "provenance": bundle.provenance,
    }


def _normal(bundle: Bundle) -> dict[str, Any] | None:
    """What a new board takes for normal; None where nothing is known."""
    normal = bundle.normal
    if not normal.count:
        return None
    return {
        "windows": int(normal.count),
        "error": math.exp(normal.mean[0]),
        "vibration_g": math.exp(normal.mean[1] / 2),
    }


def _net(net: TfliteModel) -> list[dict[str, Any]]:
    return [
        {
            "operator": operator.kind,
            "inputs": net.tensors[operator.inputs[0]].length,
            "outputs": net.tensors[operator.outputs[0]].length,
            "type": net.tensors[operator.outputs[0]].type,
            "activation": operator.activation,
        }
        for operator in net.operators
    ]
