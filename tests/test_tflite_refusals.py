"""What is refused of a .tflite file: each refusal names operator and tensor, and what would do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from tflite_builder import ModelBuilder

from tinyol_sim.errors import ModelError
from tinyol_sim.frozen_net.tflite_model import read_tflite

# One model a refusal: a layer, a function or a chain that differs in one point from what runs.


def layer(
    *,
    types: Sequence[str] = ("INT8", "INT8", "INT32", "INT8"),
    shapes: Sequence[Sequence[int]] = ((1, 4), (3, 4), (3,), (1, 3)),
    scales: Sequence[Any] = (0.5, 0.25, 0.125, 1.0),
    zero_points: Sequence[Any] = (0, 0, 0, 0),
    data: bool = True,
    activation: str = "NONE",
    **weights: Any,
) -> bytes:
    """A FULLY_CONNECTED: input, weights, bias, output."""
    builder = ModelBuilder()
    weights_format = weights.pop("weights_format", 0)
    tensors = []
    for i, name in enumerate(("in", "weights", "bias", "out")):
        constant = np.ones(shapes[i]) if name in ("weights", "bias") and data else None
        tensors.append(
            builder.tensor(
                shapes[i],
                types[i],
                scale=scales[i],
                zero_point=zero_points[i],
                data=constant,
                name=name,
                **(weights if name == "weights" else {}),
            )
        )
    first, stored, bias, last = tensors
    builder.operator(
        "FULLY_CONNECTED",
        [first, stored, bias],
        last,
        activation=activation,
        weights_format=weights_format,
    )
    return builder.finish([first], [last])


def function(
    kind: str,
    *,
    types: Sequence[str] = ("INT8", "INT8"),
    shapes: Sequence[Sequence[int]] = ((1, 4), (1, 4)),
    scales: Sequence[Any] = (0.5, 0.5),
    zero_points: Sequence[Any] = (0, 0),
    **first: Any,
) -> bytes:
    """An operator of one input: in, out."""
    builder = ModelBuilder()
    tensors = [
        builder.tensor(
            shapes[i],
            types[i],
            scale=scales[i],
            zero_point=zero_points[i],
            name=("in", "out")[i],
            **(first if i == 0 else {}),
        )
        for i in range(2)
    ]
    builder.operator(kind, [tensors[0]], tensors[1])
    return builder.finish([tensors[0]], [tensors[1]])


def chain(change: Callable[[ModelBuilder, list[int]], tuple[list[int], list[int]]]) -> bytes:
    """Two RELUs, changed by `change`, which returns inputs and outputs."""
    builder = ModelBuilder()
    tensors = [builder.tensor((1, 4), scale=0.5, name=name) for name in ("a", "b", "c", "d")]
    builder.operator("RELU", [tensors[0]], tensors[1])
    builder.operator("RELU", [tensors[1]], tensors[2])
    inputs, outputs = change(builder, tensors)
    return builder.finish(inputs, outputs)


def swapped(builder: ModelBuilder, tensors: list[int]) -> tuple[list[int], list[int]]:
    builder.operators.reverse()
    return tensors[:1], [tensors[2]]


def written_twice(builder: ModelBuilder, tensors: list[int]) -> tuple[list[int], list[int]]:
    builder.operators[1].outputs = (tensors[1],)
    return tensors[:1], [tensors[1]]


def of_no_tensor(builder: ModelBuilder, tensors: list[int]) -> tuple[list[int], list[int]]:
    builder.operators[1].inputs = (40,)
    return tensors[:1], [tensors[2]]


SAME_SCALES = (0.5, np.full(3, 0.25), 0.125, 1.0)
REFUSALS: dict[str, tuple[bytes, str]] = {
    "operator": (
        function("SOFTMAX"),
        "operator 0 is SOFTMAX; this target runs FULLY_CONNECTED, RELU, RELU6, LOGISTIC, TANH, "
        "QUANTIZE, DEQUANTIZE, RESHAPE",
    ),
    "activation": (layer(activation="TANH"), "the fused activation is TANH; this target runs NONE"),
    "shuffled": (layer(weights_format=1), "the weights are shuffled"),
    "hybrid": (
        layer(types=("FLOAT32", "INT8", "FLOAT32", "FLOAT32")),
        "weights INT8 (tensor 1 'weights'), output FLOAT32; this target runs all INT8 or all "
        "FLOAT32: quantise the activations too",
    ),
    "uint8": (layer(types=("UINT8", "UINT8", "INT32", "UINT8")), "input UINT8, weights UINT8"),
    "int16": (layer(types=("INT16", "INT8", "INT32", "INT16")), "input INT16, weights INT8"),
    "bias type": (layer(types=("INT8", "INT8", "FLOAT32", "INT8")), "tensor 2 'bias', is FLOAT32"),
    "no weights": (layer(data=False), "the weights, tensor 1 'weights', are no constant"),
    "sparse": (layer(is_sparse=True), "the weights, tensor 1 'weights', is sparse"),
    "rank": (layer(shapes=((1, 4), (1, 3, 4), (3,), (1, 3))), "have the shape (1, 3, 4)"),
    "batch": (
        layer(shapes=((5, 4), (3, 4), (3,), (5, 3))),
        "tensor 0 'in' is a batch of 5 rows of 4; export the model with a batch of 1",
    ),
    "lengths": (
        layer(shapes=((1, 6), (3, 4), (3,), (1, 3))),
        "weights of 3 by 4 do not lead from 6 values, tensor 0 'in'",
    ),
    "bias length": (layer(shapes=((1, 4), (3, 4), (2,), (1, 3))), "no constant of 3 values"),
    "dynamic": (
        layer(shapes=((-1, 4), (3, 4), (3,), (1, 3))),
        "the input, tensor 0 'in', has the shape (-1, 4); export the model with a fixed shape",
    ),
    "too long": (function("RELU", shapes=((1, 65536),) * 2), "has 65536 values; at most 65535"),
    "weights zero point": (layer(zero_points=(0, 3, 0, 0)), "have a zero point that is not 0"),
    "zero point": (layer(zero_points=(0, 0, 0, 128)), "has the zero point 128"),
    "zero scale": (layer(scales=(0.5, 0.0, 0.125, 1)), "tensor 1 'weights', has the scale 0.0"),
    "infinite scale": (layer(scales=(np.inf, 0.25, 0.125, 1)), "tensor 0 'in', has the scale inf"),
    "nan scale": (layer(scales=(0.5, 0.25, 0.125, np.nan)), "tensor 3 'out', has the scale nan"),
    "negative scale": (layer(scales=(-0.5, 0.25, 0.125, 1)), "has the scale -0.5; it must be"),
    "no scale": (layer(scales=(None, 0.25, 0.125, 1)), "tensor 0 'in', is INT8 without a scale"),
    "scales": (
        layer(scales=(0.5, [0.25, 0.25], 0.125, 1), zero_points=(0, [0, 0], 0, 0)),
        "have 2 scales along dimension 0",
    ),
    "dimension": (
        layer(scales=SAME_SCALES, zero_points=(0, [0] * 3, 0, 0), quantized_dimension=1),
        "have 3 scales along dimension 1",
    ),
    "zero points": (
        layer(scales=SAME_SCALES, zero_points=(0, [0, 0], 0, 0)),
        "has 3 scales and 2 zero points",
    ),
    "activation scales": (
        layer(scales=([0.5, 0.5], 0.25, 0.125, 1), zero_points=([0, 0], 0, 0, 0)),
        "tensor 0 'in', has 2 scales",
    ),
    "bias scale": (layer(scales=(0.5, 0.25, 0.5, 1)), "has the scale 0.5; TFLM needs"),
    "factor": (layer(scales=(1e12, 1, 1e12, 1)), "more than 2^30 apart"),
    "overflow": (layer(scales=(9e29, 9e29, 1, 9e29)), "more than 2^30 apart"),
    "six": (layer(scales=(1e-6, 1e-6, 1e-12, 1e-10), activation="RELU6"), "RELU6's 6 is no int32"),
    "empty shape": (
        function("RELU", types=("FLOAT32", "FLOAT32"), shapes=((1, 0), (1, 0))),
        "has the shape (1, 0)",
    ),
    "constant": (function("RELU", data=np.zeros(4)), "the input, tensor 0 'in', is a constant"),
    "variable": (function("RELU", is_variable=True), "keeps a state between runs"),
    "relu6 scales": (function("RELU6", scales=(0.5, 0.25)), "TFLM's RELU6 does not rescale"),
    "logistic output": (function("LOGISTIC"), "TFLM writes 0.00390625 and -128"),
    "logistic input": (
        function("LOGISTIC", scales=(4, 1 / 256), zero_points=(0, -128)),
        "tensor 0 'in' has the scale 4; TFLM computes",
    ),
    "tanh output": (function("TANH", scales=(0.5, 1 / 256)), "TFLM writes 0.0078125 and 0"),
    "quantize": (
        function("QUANTIZE", types=("INT8", "INT16")),
        "tensor 1 'out' is INT16; this target runs FLOAT32 to INT8 or INT8 to INT8",
    ),
    "dequantize": (function("DEQUANTIZE", types=("INT8", "INT8")), "runs INT8 to FLOAT32"),
    "relu shapes": (function("RELU", shapes=((1, 4), (4,))), "reads the shape (1, 4)"),
    "reshape length": (function("RESHAPE", shapes=((1, 4), (5,))), "reads 4 values"),
    "reshape scales": (function("RESHAPE", scales=(0.5, 0.25)), "moves bytes and rescales nothing"),
    "order": (chain(swapped), "operator 0 (RELU) reads tensor 1 'b' before anything"),
    "twice": (chain(written_twice), "operator 1 (RELU) writes tensor 1 'b' a second time"),
    "no tensor": (chain(of_no_tensor), "damaged .tflite file: tensor 40 of 4"),
    "two inputs": (chain(lambda _, t: ([t[0], t[3]], [t[2]])), "2 inputs; a model of one input"),
    "no output": (chain(lambda _, t: ([t[0]], [])), "the model has no output"),
    "output": (chain(lambda _, t: ([t[0]], [t[3]])), "nothing writes the output tensor 3 'd'"),
    "version": (ModelBuilder().finish([], [], version=2), "schema version 2; version 3 is needed"),
    "graphs": (ModelBuilder().finish([], [], graphs=2), "2 subgraphs; a model of one graph"),
    "empty": (b"", "not a .tflite file"),
    "foreign": (b"\x89PNG\r\n\x1a\n" * 9, "not a .tflite file (no identifier TFL3 at byte 4)"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_refusals_name_what_is_wrong(name: str) -> None:
    file, message = REFUSALS[name]
    with pytest.raises(ModelError) as caught:
        read_tflite(file, "net.tflite")
    assert str(caught.value).startswith("net.tflite: ")
    assert message in str(caught.value)


def test_the_models_of_the_refusals_run_unchanged() -> None:
    """So that each refusal is for the one point that its model changes."""
    assert read_tflite(layer()).operators[0].kind == "FULLY_CONNECTED"
    read_tflite(layer(scales=SAME_SCALES, zero_points=(0, [0] * 3, 0, 0), activation="RELU6"))
    read_tflite(chain(lambda _, t: ([t[0]], [t[2]])))
    for kind in ("RELU", "RELU6", "QUANTIZE", "RESHAPE"):
        read_tflite(function(kind))
    read_tflite(function("LOGISTIC", scales=(0.5, 1 / 256), zero_points=(0, -128)))
    read_tflite(function("TANH", scales=(0.5, 1 / 128)))


def test_float_weights_must_be_finite() -> None:
    builder = ModelBuilder()
    first, last = (builder.tensor((1, 2), "FLOAT32") for _ in range(2))
    stored = builder.tensor((2, 2), "FLOAT32", data=np.array([[1, 2], [3, np.nan]]), name="weights")
    builder.operator("FULLY_CONNECTED", [first, stored], last)
    with pytest.raises(ModelError, match="'weights', hold a number that is not finite"):
        read_tflite(builder.finish([first], [last]))
