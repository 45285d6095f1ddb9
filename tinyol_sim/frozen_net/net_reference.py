"""A frozen net in numpy, tensor by tensor: what the C++ kernels are held against."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyol_sim.frozen_net.fixed_point import (
    activation_range,
    multiply_by_quantized_multiplier,
    wrap_int32,
)
from tinyol_sim.frozen_net.net_compiler import float32_layer, int8_layer, lookup_table
from tinyol_sim.frozen_net.tflite_model import Operator, Tensor, TfliteModel


def run_reference(model: TfliteModel, inputs: NDArray[Any]) -> dict[int, NDArray[Any]]:
    """Run every operator; returns the (n, length) values of every tensor that is computed.

    inputs: (n, length) in the type of the model's input. int8 is TFLM's arithmetic, bit for bit.
    A float32 layer has the kernels' bits; LOGISTIC and TANH of float32 are numpy's, within a few
    ulp of the kernels'.
    """
    values: dict[int, NDArray[Any]] = {model.inputs[0]: inputs}
    for operator in model.operators:
        read = values[operator.inputs[0]]
        values[operator.outputs[0]] = _run(model, operator, read)
    return values


def _run(model: TfliteModel, operator: Operator, read: NDArray[Any]) -> NDArray[Any]:
    source, target = model.tensors[operator.inputs[0]], model.tensors[operator.outputs[0]]
    if operator.kind == "RESHAPE":
        return read
    if operator.kind == "FULLY_CONNECTED":
        layer = _fully_connected_int8 if source.type == "INT8" else _fully_connected_float32
        return layer(model, operator, read)
    if operator.kind == "DEQUANTIZE":
        centred = (read.astype(np.int32) - source.zero_point).astype(np.float32)
        return centred * np.float32(source.scale)
    if source.type == "INT8":
        return lookup_table(model, operator)[read.view(np.uint8)]
    if operator.kind == "QUANTIZE":
        return _quantize(target, read)
    return _activate(operator.kind, read)


def _fully_connected_int8(
    model: TfliteModel, operator: Operator, read: NDArray[np.int8]
) -> NDArray[np.int8]:
    target = model.tensors[operator.outputs[0]]
    weights, bias, factors = int8_layer(model, operator)
    # A product in float64 is exact here (below 2^53), and many times faster than numpy's integers.
    sums = (read.astype(np.float64) @ weights.T.astype(np.float64)).astype(np.int64)
    scaled = multiply_by_quantized_multiplier(wrap_int32(sums + bias), *factors.T.astype(np.int64))
    least, greatest = activation_range(operator.activation, target.scale, target.zero_point)
    shifted = wrap_int32(scaled + target.zero_point)
    return np.clip(shifted, least, greatest).astype(np.int8)


def _fully_connected_float32(
    model: TfliteModel, operator: Operator, read: NDArray[np.float32]
) -> NDArray[np.float32]:
    weights, bias = float32_layer(model, operator)
    sums = np.zeros((4, len(read), len(weights)), dtype=np.float32)
    for i in range(weights.shape[1]):
        sums[i % 4] += read[:, i, None] * weights[None, :, i]
    return _activate(operator.activation, ((sums[0] + sums[1]) + (sums[2] + sums[3])) + bias)


def _quantize(target: Tensor, read: NDArray[np.float32]) -> NDArray[np.int8]:
    with np.errstate(over="ignore", under="ignore"):
        quotient = np.clip(read / np.float32(target.scale), -512, 512)
    whole = np.trunc(quotient)
    rounded = whole + np.sign(quotient) * (np.abs(quotient - whole) >= 0.5)
    clamped: NDArray[np.float32] = np.clip(rounded + target.zero_point, -128, 127)
    return clamped.astype(np.int8)


def _activate(function: str, x: NDArray[np.float32]) -> NDArray[np.float32]:
    if function == "RELU":
        return np.where(x < 0, np.float32(0), x)
    if function == "RELU6":
        return np.where(x > 6, np.float32(6), np.where(x < 0, np.float32(0), x))
    if function == "TANH":
        return np.tanh(x)
    if function == "LOGISTIC":
        with np.errstate(over="ignore", under="ignore"):
            return np.float32(1) / (np.float32(1) + np.exp(-x))
    return x
