"""Named sets of choices: --preset NAME of `tinyol train`, `tinyol replay` and `tinyol set`.

paper: as Ren, Anicic and Runkler (2021) have it. Softmax regression without bias, rehearsal or
class weights (eq. (6) to (8)) on embedding and error; plain SGD for the fine-tuned layer; one
fixed threshold of the error that raises an alarm at once; windows of 40 samples, from which the
training data's mean is taken.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .errors import DeviceError


@dataclass(frozen=True)
class Preset:
    """settings: of the device. options: fields of TrainOptions, for what is decided in training."""

    settings: Mapping[str, float]
    options: Mapping[str, Any] = field(default_factory=dict)


PRESETS = {
    "paper": Preset(
        settings={
            "classifier.head": 0.0,
            "classifier.bias": 0.0,
            "classifier.balanced": 0.0,
            "classifier.rehearsal": 0.0,
            "reconstruction.rule": 0.0,
            "reconstruction.loss": 0.0,
            "anomaly.detector": 0.0,
            "anomaly.raise_windows": 1.0,
            "anomaly.clear_windows": 1.0,
            "drift.lambda": 0.0,
        },
        options={"window_len": 40, "centring": "training", "features": ("embedding", "error")},
    ),
}


def preset(name: str) -> Preset:
    """The preset of that name; DeviceError says which there are."""
    if name not in PRESETS:
        raise DeviceError(f"no preset {name!r}; there are: {', '.join(PRESETS)}")
    return PRESETS[name]
