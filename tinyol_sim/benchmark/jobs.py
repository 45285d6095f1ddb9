"""The jobs: windows of a recording, and rows of features."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..bundle import Bundle
from ..errors import DeviceError
from ..frozen_net.tflite_model import Tensor, last_layer, read_tflite
from ..model_image import Pipeline
from ..settings import SETTINGS
from ..synth import MODES, synthesize
from .paper_bundle import paper_bundle

INFERENCE, LEARNING, TUNING = "inference", "inference + learning", "inference + fine-tuning"
WINDOW_JOBS = (INFERENCE, LEARNING, TUNING)
ROWS = "standardise, predict, learn"
ROUNDS = 2  # of the fan's modes

Singles = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class WindowJob:
    """A recording of a simulated fan, to be cut into overlapping windows, each inferred from, and
    learned from if the job says so, before the next one: as they come from a sensor.

    samples: (n, 3) g; labels: (n,) class of each sample; bundle: the paper's variant.
    """

    bundle: Bundle
    samples: Singles
    labels: NDArray[np.int16]

    @property
    def n_windows(self) -> int:
        """How many windows it has."""
        pipeline = self.bundle.pipeline
        return max(0, 1 + (len(self.samples) - pipeline.window_len) // pipeline.hop)

    @property
    def n_classes(self) -> int:
        """Each mode of the fan is one."""
        return len(MODES)

    def window_labels(self) -> NDArray[np.int64]:
        """(n,): the class of each window, -1 where it changed within it."""
        pipeline = self.bundle.pipeline
        last = pipeline.window_len - 1 + np.arange(self.n_windows) * pipeline.hop
        changed = np.concatenate(([0], np.cumsum(np.diff(self.labels) != 0)))
        first = last - pipeline.window_len + 1
        return np.where(changed[last] == changed[first], self.labels[last], -1).astype(np.int64)

    def setting(self, name: str) -> float:
        """Where the twin starts from."""
        return self.bundle.settings.get(name, SETTINGS[name].initial)


@dataclass(frozen=True, eq=False)
class RowJob:
    """Features, each standardised, predicted and, if labelled, learned before the next one.

    features: (n, d); labels: (n,), -1 = none; settings: the twin's.
    """

    features: Singles
    labels: NDArray[np.int16]
    settings: dict[str, float]
    classes: tuple[str, ...] = field(default=MODES)

    @property
    def rate(self) -> float:
        """Of the gradient steps."""
        return self.settings["classifier.learning_rate"]


@dataclass(frozen=True, eq=False)
class NetFacts:
    """What one who runs the .tflite model has to know of it."""

    model: bytes
    input: Tensor
    embedding: Tensor
    hidden: Tensor
    reconstruction: Tensor
    weights: Singles  # of the last layer, (n_out, n_in), which is fine-tuned
    bias: Singles
    pipeline: Pipeline

    @classmethod
    def of(cls, bundle: Bundle) -> NetFacts:
        """Reads them from its model.tflite, whose outputs are the taps in this order."""
        model, taps = read_tflite(bundle.tflite), bundle.taps
        layer = last_layer(model, taps)
        return cls(
            bundle.tflite,
            model.input,
            model.tensors[taps.embedding],
            model.tensors[taps.hidden],
            model.tensors[taps.reconstruction],
            layer.weights,
            layer.bias,
            bundle.pipeline,
        )


def window_job(bundle: Bundle, seconds: float, *, hop: int = 1) -> WindowJob:
    """Of so many seconds, at least a window, in which the fan goes through its modes ROUNDS times.

    Raises:
        DeviceError: it holds no window.
    """
    rate_hz = bundle.pipeline.rate_hz
    n = round(seconds * rate_hz)
    if n < bundle.pipeline.window_len:
        raise DeviceError(
            f"{seconds:g} s at {rate_hz:g} Hz hold no window: it takes "
            f"{bundle.pipeline.window_len / rate_hz:.3g} s"
        )
    stretch = -(-n // (ROUNDS * len(MODES)))  # samples
    stretches = [
        synthesize(MODES[i % len(MODES)], stretch / rate_hz, rate_hz=rate_hz, seed=i).samples
        for i in range(ROUNDS * len(MODES))
    ]
    labels = [np.full(len(s), i % len(MODES), np.int16) for i, s in enumerate(stretches)]
    return WindowJob(
        paper_bundle(bundle, hop=hop),
        np.ascontiguousarray(np.concatenate(stretches)[:n]),
        np.ascontiguousarray(np.concatenate(labels)[:n]),
    )
