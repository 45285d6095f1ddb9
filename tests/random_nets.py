"""Random nets of every operator that the target runs, with the corners of int8 arithmetic."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tflite_builder import ModelBuilder

_SEPARATE = ("RELU", "RELU6", "LOGISTIC", "TANH", "QUANTIZE", "RESHAPE")


@dataclass(frozen=True)
class RandomNet:
    """A .tflite file and rows for its input, (n, length) in the input's type."""

    model: bytes
    inputs: NDArray[Any]


@dataclass
class _Signal:
    """The tensor that the next operator reads."""

    tensor: int
    length: int
    scale: float
    zero_point: int
    shape: tuple[int, ...] = ()  # (1, length) unless a RESHAPE has come last

    def __post_init__(self) -> None:
        self.shape = self.shape or (1, self.length)


def random_int8_net(seed: int, n_rows: int) -> RandomNet:
    """Layers of odd sizes, each with its own scales, zero points, activation and extremes."""
    rng = np.random.default_rng(seed)
    builder = ModelBuilder()
    length = int(rng.integers(1, 65))
    scale, zero_point = _random_scale(rng), _random_zero_point(rng)
    inputs: NDArray[Any] = rng.integers(-128, 128, (n_rows, length)).astype(np.int8)
    inputs[0], inputs[1] = -128, 127
    if float_ends := bool(rng.random() < 0.3):
        first = builder.tensor((1, length), "FLOAT32")
        inputs = _float_rows(rng, n_rows, length, scale)
    tensor = builder.tensor((1, length), scale=scale, zero_point=zero_point)
    if float_ends:
        builder.operator("QUANTIZE", [first], tensor)
    else:
        first = tensor
    signal = _Signal(tensor, length, scale, zero_point)
    for _ in range(int(rng.integers(1, 5))):
        signal = _random_layer(rng, builder, signal)
        if rng.random() < 0.5:
            signal = _random_separate(rng, builder, signal)
    last = signal.tensor
    if float_ends:
        last = builder.tensor(signal.shape, "FLOAT32")
        builder.operator("DEQUANTIZE", [signal.tensor], last)
    return RandomNet(builder.finish([first], [last]), inputs)


def random_float32_net(seed: int, n_rows: int) -> RandomNet:
    """Float32 layers with fused activations and one function behind them."""
    rng = np.random.default_rng(seed)
    builder = ModelBuilder()
    length = int(rng.integers(1, 65))
    first = tensor = builder.tensor((1, length), "FLOAT32")
    inputs = rng.normal(0, 1, (n_rows, length)).astype(np.float32)
    for function in rng.permutation(["RELU", "RELU6", "LOGISTIC", "TANH", "RESHAPE"]):
        n_out = int(rng.integers(1, 50))
        weights = rng.normal(0, 1.5 / np.sqrt(length), (n_out, length))
        constants = [builder.tensor((n_out, length), "FLOAT32", data=weights)]
        if rng.random() < 0.7:
            bias = rng.normal(0, 0.5, n_out)
            constants.append(builder.tensor((n_out,), "FLOAT32", data=bias))
        written = builder.tensor((1, n_out), "FLOAT32")
        fused = str(rng.choice(["NONE", "RELU", "RELU6"]))
        builder.operator("FULLY_CONNECTED", [tensor, *constants], written, activation=fused)
        shape = (n_out, 1, 1) if function == "RESHAPE" else (1, n_out)
        tensor = builder.tensor(shape, "FLOAT32")
        builder.operator(str(function), [written], tensor)
        length = n_out
        if function == "RESHAPE":
            back = builder.tensor((1, n_out), "FLOAT32")
            tensor = builder.operator("RESHAPE", [tensor], back)
    return RandomNet(builder.finish([first], [tensor]), inputs)


def autoencoder(
    lengths: tuple[int, ...] = (12, 7, 3, 7, 12),
    *,
    seed: int = 0,
    per_channel: bool = False,
    sigmoid: bool = False,
) -> bytes:
    """A plain int8 autoencoder, RELU inside, linear or LOGISTIC at its end."""
    rng = np.random.default_rng(seed)
    builder = ModelBuilder()
    first = builder.tensor((1, lengths[0]), scale=0.05, zero_point=3, name="input")
    signal = _Signal(first, lengths[0], float(np.float32(0.05)), 3)
    for layer, n_out in enumerate(lengths[1:]):
        last = layer == len(lengths) - 2
        n_scales = n_out if per_channel else 1
        weight_scale = rng.uniform(0.005, 0.02, n_scales).astype(np.float32)
        written = builder.tensor((1, n_out), scale=0.1, zero_point=-5, name=f"dense_{layer}")
        signal = _fully_connected(
            rng, builder, signal, written, weight_scale, "NONE" if last else "RELU"
        )
    tensor = signal.tensor
    if sigmoid:
        tensor = builder.tensor((1, lengths[-1]), scale=1 / 256, zero_point=-128, name="sigmoid")
        builder.operator("LOGISTIC", [signal.tensor], tensor)
    return builder.finish([first], [tensor])


def _fully_connected(
    rng: np.random.Generator,
    builder: ModelBuilder,
    signal: _Signal,
    written: int,
    weight_scale: NDArray[np.float32],
    activation: str,
) -> _Signal:
    target = builder.tensors[written]
    n_out = target.shape[-1]
    weights = rng.integers(-127, 128, (n_out, signal.length))
    bias = rng.integers(-3000, 3000, n_out)
    bias_scale = np.float32(signal.scale) * weight_scale
    constants = [
        builder.tensor(weights.shape, scale=weight_scale, data=weights),
        builder.tensor((n_out,), "INT32", scale=bias_scale, data=bias),
    ]
    builder.operator("FULLY_CONNECTED", [signal.tensor, *constants], written, activation=activation)
    return _Signal(written, n_out, float(target.scales[0]), int(target.zero_points[0]))


def _random_layer(rng: np.random.Generator, builder: ModelBuilder, signal: _Signal) -> _Signal:
    n_in, n_out = signal.length, int(rng.integers(1, 65))
    per_channel = n_out > 1 and rng.random() < 0.35
    weight_scale = (
        10 ** rng.uniform(-3, -0.5) * rng.uniform(0.3, 1, n_out if per_channel else 1)
    ).astype(np.float32)
    # From a tenth of the sums' spread (most saturate) to ten times it; a few beyond factor 1.
    spread = signal.scale * float(weight_scale.mean()) * 73 * 73 * np.sqrt(n_in) / 60
    scale = float(np.float32(spread * 10 ** rng.uniform(-1, 0.5)))
    if rng.random() < 0.15:
        scale = float(np.float32(signal.scale * weight_scale.mean() * rng.uniform(0.01, 0.9)))
    scale = max(scale, 1e-6)
    zero_point = _random_zero_point(rng)
    weights = rng.integers(-127, 128, (n_out, n_in))
    if rng.random() < 0.2:
        weights = np.where(weights > 0, 127, -128)
    constants = [builder.tensor(weights.shape, scale=weight_scale, data=weights)]
    if rng.random() < 0.8:
        reach = 2**31 if rng.random() < 0.1 else 2 ** int(rng.integers(4, 18))
        bias = rng.integers(-reach, reach, n_out)
        bias_scale = np.float32(signal.scale) * weight_scale
        constants.append(builder.tensor((n_out,), "INT32", scale=bias_scale, data=bias))
    elif rng.random() < 0.5:
        constants.append(-1)  # the bias left out, in so many words
    written = builder.tensor((1, n_out), scale=scale, zero_point=zero_point)
    fused = str(rng.choice(["NONE", "RELU", "RELU6"]))
    builder.operator("FULLY_CONNECTED", [signal.tensor, *constants], written, activation=fused)
    return _Signal(written, n_out, scale, zero_point)


def _random_separate(rng: np.random.Generator, builder: ModelBuilder, signal: _Signal) -> _Signal:
    kind = str(rng.choice(_SEPARATE))
    if kind in ("LOGISTIC", "TANH") and signal.scale >= 4:
        kind = "RELU6"  # TFLM's LOGISTIC and TANH go wrong from there on; such a model is refused
    scale, zero_point, shape = signal.scale, signal.zero_point, signal.shape
    if kind in ("RELU", "QUANTIZE"):
        scale = float(np.float32(scale * 10 ** rng.uniform(-1.5, 1.5)))
        zero_point = _random_zero_point(rng)
    elif kind == "LOGISTIC":
        scale, zero_point = 1 / 256, -128
    elif kind == "TANH":
        scale, zero_point = 1 / 128, 0
    elif kind == "RESHAPE":
        shape = (1, 1, signal.length)
    written = builder.tensor(shape, scale=scale, zero_point=zero_point)
    builder.operator(kind, [signal.tensor], written)
    return _Signal(written, signal.length, scale, zero_point, shape)


def _random_scale(rng: np.random.Generator) -> float:
    return float(np.float32(10 ** rng.uniform(-3, 0)))


def _random_zero_point(rng: np.random.Generator) -> int:
    return int(rng.choice([-128, 127, 0, rng.integers(-128, 128), rng.integers(-128, 128)]))


def _float_rows(
    rng: np.random.Generator, n_rows: int, length: int, scale: float
) -> NDArray[np.float32]:
    """Real numbers around and beyond int8's range, many of them exactly between two steps."""
    steps = rng.integers(-300, 300, (n_rows, length)) * 0.5
    exact = (steps * np.float32(scale)).astype(np.float32)
    free = (rng.normal(0, 100 * scale, (n_rows, length))).astype(np.float32)
    return np.where(rng.random((n_rows, length)) < 0.5, exact, free)
