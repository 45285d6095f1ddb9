"""Reads a .tflite model into plain dataclasses, without TensorFlow; refuses what cannot run.

The schema comes from the `tflite` package. Whatever the bytes, the outcome is a model whose every
operator this target runs exactly as TFLM does, or a ModelError that names operator and tensor.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import tflite
from numpy.typing import NDArray

from tinyol_sim.errors import ModelError
from tinyol_sim.frozen_net.tflite_file import naming_damage, open_tflite, with_outputs
from tinyol_sim.frozen_net.tflite_operators import SUPPORTED_OPERATORS, check_operator
from tinyol_sim.frozen_net.tflite_taps import LastLayer, Taps, find_taps, last_layer
from tinyol_sim.text import one_line

__all__ = [
    "LastLayer",
    "Operator",
    "Taps",
    "Tensor",
    "TfliteModel",
    "check_for_arduino_tflm",
    "find_taps",
    "last_layer",
    "read_tflite",
    "with_outputs",
]

MAX_TENSORS = 4096  # of a file; far beyond any net that fits a microcontroller
MAX_OPERATORS = 1024
MAX_RANK = 8
MAX_CHANNELS = 65535

_TYPE_NAMES = {code: name for name, code in vars(tflite.TensorType).items() if name.isupper()}
_ACTIVATION_NAMES = {
    code: name for name, code in vars(tflite.ActivationFunctionType).items() if name.isupper()
}
_CONSTANT_TYPES = {"INT8": "<i1", "INT32": "<i4", "FLOAT32": "<f4"}


@dataclass(frozen=True, eq=False)
class Tensor:
    """One tensor of the graph.

    type: the schema's name, "INT8", "FLOAT32" ...; scales: (0,), (1,) or (channels,) float32;
    zero_points: int64, as many; data: a constant's values in `shape`, None for an activation or a
    type that this target does not run.
    """

    index: int
    name: str
    type: str
    shape: tuple[int, ...]
    scales: NDArray[np.float32]
    zero_points: NDArray[np.int64]
    quantized_dimension: int
    is_variable: bool
    is_sparse: bool
    data: NDArray[Any] | None

    @property
    def length(self) -> int:
        """Number of values."""
        return math.prod(self.shape)

    @property
    def scale(self) -> float:
        """The only scale; 1.0 for a tensor that is not quantised."""
        return float(self.scales[0]) if self.type == "INT8" else 1.0

    @property
    def zero_point(self) -> int:
        """The only zero point; 0 for a tensor that is not quantised."""
        return int(self.zero_points[0]) if self.type == "INT8" else 0

    @property
    def label(self) -> str:
        """How messages name it."""
        return f"tensor {self.index} '{one_line(self.name)}'"


@dataclass(frozen=True)
class Operator:
    """One operator: `kind` is the schema's name; -1 in `inputs` is an optional tensor left out."""

    index: int
    kind: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    activation: str = "NONE"  # fused into a FULLY_CONNECTED
    weights_format: int = 0  # of a FULLY_CONNECTED; 0 is the plain one

    @property
    def label(self) -> str:
        """How messages name it."""
        return f"operator {self.index} ({self.kind})"


@dataclass(frozen=True, eq=False)
class TfliteModel:
    """A graph of supported operators in the order in which they run; `source` names it."""

    tensors: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    source: str

    @property
    def input(self) -> Tensor:
        """The graph's only input."""
        return self.tensors[self.inputs[0]]

    def storage_of(self, index: int) -> int:
        """The tensor whose memory tensor `index` is: a RESHAPE only renames its input."""
        for operator in reversed(self.operators):
            if operator.kind == "RESHAPE" and operator.outputs[0] == index:
                index = operator.inputs[0]
        return index


def read_tflite(model: bytes, source: str = "model") -> TfliteModel:
    """Read and check a .tflite file's bytes; `source` names it in messages.

    Raises ModelError: not a .tflite file, damaged, or with anything that this target cannot run
    with TFLM's exact results.
    """
    with naming_damage(source):
        root = open_tflite(model, source)
        graph = root.Subgraphs(0)
        operators = tuple(
            _read_operator(root, graph.Operators(i), i, source)
            for i in range(_bounded(graph.OperatorsLength(), MAX_OPERATORS, "operators"))
        )
        tensors = tuple(
            _read_tensor(root, graph.Tensors(i), i, source)
            for i in range(_bounded(graph.TensorsLength(), MAX_TENSORS, "tensors"))
        )
        inputs = _ints(graph.InputsLength(), graph.Inputs, "inputs")
        outputs = _ints(graph.OutputsLength(), graph.Outputs, "outputs")
    result = TfliteModel(tensors, operators, inputs, outputs, source)
    _check_graph(result)
    return result


def check_for_arduino_tflm(model: TfliteModel) -> None:
    """Raise ModelError for a model that the TFLM of 2023 for Arduino would run wrongly.

    It knows no per-channel scales on FULLY_CONNECTED weights: it takes the first for all of them
    and returns garbage without an error.
    """
    for operator in model.operators:
        if operator.kind != "FULLY_CONNECTED":
            continue
        weights = model.tensors[operator.inputs[1]]
        if len(weights.scales) > 1:
            raise ModelError(
                f"{model.source}: {operator.label}: weights, {weights.label}, have "
                f"{len(weights.scales)} scales (one a channel); the TFLM for Arduino computes "
                "garbage from them without an error. Convert the model again with "
                "converter._experimental_disable_per_channel_quantization_for_dense_layers = True"
            )


def _bounded(length: int, limit: int, what: str) -> int:
    if length > limit:
        raise ValueError(f"{length} {what}; at most {limit} are read")
    return int(length)


def _ints(length: int, get: Callable[[int], int], what: str) -> tuple[int, ...]:
    return tuple(int(get(i)) for i in range(_bounded(length, MAX_TENSORS, what)))


def _text(raw: bytes | None) -> str:
    return (raw or b"").decode("utf-8", errors="replace")


def _read_operator(root: Any, raw: Any, index: int, source: str) -> Operator:
    n_codes = root.OperatorCodesLength()
    if raw.OpcodeIndex() >= n_codes:
        raise ValueError(f"operator {index} has code {raw.OpcodeIndex()} of {n_codes}")
    code = root.OperatorCodes(raw.OpcodeIndex())
    builtin = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
    if builtin == tflite.BuiltinOperator.CUSTOM:
        kind = f"the custom operator {_text(code.CustomCode())}"
    else:
        kind = tflite.BUILTIN_OPCODE2NAME.get(builtin, f"operator code {builtin}")
    if kind not in SUPPORTED_OPERATORS:
        raise ModelError(
            f"{source}: operator {index} is {kind}; "
            f"this target runs {', '.join(SUPPORTED_OPERATORS)}"
        )
    activation, weights_format = "NONE", 0
    table = raw.BuiltinOptions() if kind == "FULLY_CONNECTED" else None
    if table is not None:
        if raw.BuiltinOptionsType() != tflite.BuiltinOptions.FullyConnectedOptions:
            raise ValueError(f"operator {index} has options of another operator")
        options = tflite.FullyConnectedOptions()
        options.Init(table.Bytes, table.Pos)
        fused = options.FusedActivationFunction()
        activation = _ACTIVATION_NAMES.get(fused, f"activation {fused}")
        weights_format = options.WeightsFormat()
    return Operator(
        index=index,
        kind=kind,
        inputs=_ints(raw.InputsLength(), raw.Inputs, "inputs"),
        outputs=_ints(raw.OutputsLength(), raw.Outputs, "outputs"),
        activation=activation,
        weights_format=weights_format,
    )


def _read_tensor(root: Any, raw: Any, index: int, source: str) -> Tensor:
    n_dims = _bounded(raw.ShapeLength(), MAX_RANK, f"dimensions of tensor {index}")
    quantization = raw.Quantization()
    scales, zero_points, axis = np.empty(0, np.float32), np.empty(0, np.int64), 0
    if quantization is not None:
        n_scales = _bounded(quantization.ScaleLength(), MAX_CHANNELS, "scales")
        n_zero_points = _bounded(quantization.ZeroPointLength(), MAX_CHANNELS, "zero points")
        if n_scales:
            scales = quantization.ScaleAsNumpy().astype(np.float32)
        zero_points = np.zeros(n_scales, np.int64)
        if n_zero_points:
            zero_points = quantization.ZeroPointAsNumpy().astype(np.int64)
        axis = int(quantization.QuantizedDimension())
    tensor = Tensor(
        index=index,
        name=_text(raw.Name()),
        type=_TYPE_NAMES.get(raw.Type(), f"type {raw.Type()}"),
        shape=tuple(int(raw.Shape(i)) for i in range(n_dims)),
        scales=scales,
        zero_points=zero_points,
        quantized_dimension=axis,
        is_variable=bool(raw.IsVariable()),
        is_sparse=raw.Sparsity() is not None,
        data=None,
    )
    return replace(tensor, data=_constant(root, raw.Buffer(), tensor, source))


def _constant(root: Any, buffer_index: int, tensor: Tensor, source: str) -> NDArray[Any] | None:
    """Return the constant's values, None where the tensor has none."""
    if buffer_index == 0:
        return None
    if buffer_index >= root.BuffersLength():
        raise ValueError(f"{tensor.label} has buffer {buffer_index} of {root.BuffersLength()}")
    buffer = root.Buffers(buffer_index)
    if buffer.Offset() > 1:
        raise ModelError(f"{source}: {tensor.label} keeps its values outside the flatbuffer")
    if buffer.DataLength() == 0 or tensor.is_sparse or tensor.type not in _CONSTANT_TYPES:
        return None
    values = np.frombuffer(buffer.DataAsNumpy().tobytes(), dtype=_CONSTANT_TYPES[tensor.type])
    if min(tensor.shape, default=1) < 0 or len(values) != tensor.length:
        raise ValueError(f"{tensor.label} has {len(values)} values for its shape {tensor.shape}")
    return values.reshape(tensor.shape)


def _check_graph(model: TfliteModel) -> None:
    """Every operator is one that runs, and reads what the input or an earlier one wrote."""
    source, n_tensors = model.source, len(model.tensors)
    used = [*model.inputs, *model.outputs]
    for operator in model.operators:
        used += [index for index in operator.inputs if index != -1]
        used += operator.outputs
    for index in used:
        if not 0 <= index < n_tensors:
            raise ModelError(f"{source}: damaged .tflite file: tensor {index} of {n_tensors}")
    if len(model.inputs) != 1:
        raise ModelError(f"{source}: {len(model.inputs)} inputs; a model of one input is needed")
    if not model.outputs:
        raise ModelError(f"{source}: the model has no output")
    if model.input.data is not None:
        raise ModelError(f"{source}: the input, {model.input.label}, is a constant")
    written = {model.inputs[0]}
    for operator in model.operators:
        check_operator(model, operator)
        if operator.inputs[0] not in written:
            raise ModelError(
                f"{source}: {operator.label} reads {model.tensors[operator.inputs[0]].label} "
                "before anything has written it"
            )
        if operator.outputs[0] in written:
            raise ModelError(
                f"{source}: {operator.label} writes {model.tensors[operator.outputs[0]].label} "
                "a second time"
            )
        written.add(operator.outputs[0])
    for index in model.outputs:
        if index not in written:
            raise ModelError(f"{source}: nothing writes the output {model.tensors[index].label}")
