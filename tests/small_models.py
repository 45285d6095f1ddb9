"""Small autoencoders as bundles: quick to run, and plain enough to do again in float64."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from random_nets import autoencoder
from reference_learner import TapValues, WindowPlan
from tflite_builder import ModelBuilder

from tinyol_sim.bundle import Bundle
from tinyol_sim.frozen_net.net import Net
from tinyol_sim.frozen_net.net_compiler import compile_net
from tinyol_sim.frozen_net.tflite_model import read_tflite
from tinyol_sim.model_image import Pipeline

Array = NDArray[np.float64]
LENGTHS = (8, 6, 2, 5, 8)
DEFAULTS: dict[str, Any] = {
    "rate_hz": 100.0,
    "window_len": 8,
    "hop": 4,
    "scale": (4.0, 4.0, 4.0),
    "projection": (0.5, 0.25, 0.75),
}


def int8_bundle(settings: dict[str, float] | None = None, **pipeline: Any) -> Bundle:
    """An int8 net of windows of 8 values, 2-dimensional embedding; arguments as for Pipeline."""
    return _int8_bundle(tuple((settings or {}).items()), tuple(pipeline.items()))


@cache
def _int8_bundle(settings: tuple[Any, ...], pipeline: tuple[Any, ...]) -> Bundle:
    chosen = Pipeline(**{**DEFAULTS, **dict(pipeline)})
    lengths = (chosen.n_inputs, *LENGTHS[1:-1], chosen.n_inputs)
    return Bundle.create(autoencoder(lengths), chosen, settings=dict(settings))


@dataclass(frozen=True, eq=False)
class FloatNet:
    """A float32 autoencoder: RELU inside, linear embedding and end."""

    weights: list[NDArray[np.float32]]  # (n_out, n_in) a layer
    biases: list[NDArray[np.float32]]
    tflite: bytes

    def taps(self, inputs: Array) -> TapValues:
        """The same in float64."""
        values, a = [], inputs
        for layer, (weights, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            a = weights.astype(float) @ a + bias
            a = np.maximum(a, 0) if layer in (0, 2) else a
            values.append(a)
        return TapValues(embedding=values[1], hidden=values[2], reconstruction=values[3])


def float_net(
    seed: int = 0,
    gain: float = 1.0,
    n_inputs: int = LENGTHS[0],
    mute_decoder: bool = False,
    biased: bool = True,
) -> FloatNet:
    """Random weights; `gain` multiplies the embedding's, a mute decoder does not look at it."""
    rng = np.random.default_rng(seed)
    builder = ModelBuilder()
    lengths = (n_inputs, *LENGTHS[1:-1], n_inputs)
    first = tensor = builder.tensor((1, lengths[0]), "FLOAT32")
    weights, biases = [], []
    for layer, (n_in, n_out) in enumerate(zip(lengths[:-1], lengths[1:], strict=True)):
        size = gain if layer == 1 else 0 if layer == 2 and mute_decoder else 1
        w = (size * rng.normal(0, 1 / np.sqrt(n_in), (n_out, n_in))).astype(np.float32)
        b = (biased * rng.normal(0, 0.1, n_out)).astype(np.float32)
        constants = [builder.tensor(a.shape, "FLOAT32", data=a) for a in (w, b)]
        written = builder.tensor((1, n_out), "FLOAT32")
        activation = "RELU" if layer in (0, 2) else "NONE"
        builder.operator("FULLY_CONNECTED", [tensor, *constants], written, activation=activation)
        tensor = written
        weights.append(w)
        biases.append(b)
    return FloatNet(weights, biases, builder.finish([first], [tensor]))


def float_bundle(
    net: FloatNet, settings: dict[str, float] | None = None, **pipeline: Any
) -> Bundle:
    """A bundle of it."""
    return Bundle.create(net.tflite, Pipeline(**{**DEFAULTS, **pipeline}), settings=settings)


def plan_of(pipeline: Pipeline) -> WindowPlan:
    """The windows of a bundle, for the reference."""
    names = WindowPlan.__dataclass_fields__
    return WindowPlan(**{name: getattr(pipeline, name) for name in names})


def taps_of(bundle: Bundle, inputs: NDArray[np.float32]) -> TapValues:
    """What the device's own kernels make of one window (n_inputs,), in real numbers."""
    net = _net_of(bundle)
    row = inputs[None].astype(np.float32)
    if net.input.dtype == np.int8:
        scaled = (row / np.float32(net.input.scale)).astype(float)  # the sum below is exact
        whole = np.trunc(scaled + np.copysign(0.5, scaled)) + net.input.zero_point
        row = np.clip(whole, -128, 127).astype(np.int8)
    outputs = net.run(row)
    real = {name: net.taps[name].to_real(values)[0] for name, values in outputs.items()}
    return TapValues(**{name: values.astype(float) for name, values in real.items()})


@cache
def _net_of(bundle: Bundle) -> Net:
    return Net(compile_net(read_tflite(bundle.tflite), bundle.taps))


def vibration(n: int, seed: int = 0) -> NDArray[np.float32]:
    """n samples (n, 3) in g whose size and pitch change every 200 samples: three kinds in turn."""
    rng = np.random.default_rng(seed)
    t = np.arange(n)
    kind = t // 200 % 3
    wave = np.array([0.2, 0.5, 0.1])[kind] * np.sin(t * np.array([0.3, 0.7, 1.9])[kind])
    noise = rng.normal(0, 0.03, (n, 3))
    return (np.array([0.0, 0.0, 1.0]) + wave[:, None] * [1, 0.5, 0.3] + noise).astype(np.float32)
