"""Writes .tflite files of small nets, without TensorFlow: random ones, and broken ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import flatbuffers
import numpy as np
import tflite
from numpy.typing import ArrayLike, NDArray

_DTYPES = {"INT8": "<i1", "UINT8": "<u1", "INT16": "<i2", "INT32": "<i4", "FLOAT32": "<f4"}


@dataclass
class _Tensor:
    name: str
    type: str
    shape: tuple[int, ...]
    scales: NDArray[np.float32]
    zero_points: NDArray[np.int64]
    quantized_dimension: int
    data: bytes | None
    is_sparse: bool
    is_variable: bool


@dataclass
class _Operator:
    kind: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    activation: str
    weights_format: int


@dataclass
class ModelBuilder:
    """Collects tensors and operators, then writes them: `finish()`."""

    tensors: list[_Tensor] = field(default_factory=list)
    operators: list[_Operator] = field(default_factory=list)

    def tensor(
        self,
        shape: Sequence[int],
        kind: str = "INT8",
        *,
        scale: ArrayLike | None = None,
        zero_point: ArrayLike | None = None,
        data: ArrayLike | None = None,
        name: str | None = None,
        quantized_dimension: int = 0,
        is_sparse: bool = False,
        is_variable: bool = False,
    ) -> int:
        """Add a tensor; returns its index. `data` makes it a constant."""
        scales = np.atleast_1d(np.asarray([] if scale is None else scale, np.float32))
        zeros = np.zeros(len(scales)) if zero_point is None else zero_point
        stored = None if data is None else np.asarray(data, dtype=_DTYPES[kind]).tobytes()
        self.tensors.append(
            _Tensor(
                name=name or f"tensor_{len(self.tensors)}",
                type=kind,
                shape=tuple(shape),
                scales=scales,
                zero_points=np.atleast_1d(np.asarray(zeros, np.int64)),
                quantized_dimension=quantized_dimension,
                data=stored,
                is_sparse=is_sparse,
                is_variable=is_variable,
            )
        )
        return len(self.tensors) - 1

    def operator(
        self,
        kind: str,
        inputs: Sequence[int],
        output: int,
        *,
        activation: str = "NONE",
        weights_format: int = 0,
    ) -> int:
        """Add an operator; returns the tensor that it writes."""
        self.operators.append(_Operator(kind, tuple(inputs), (output,), activation, weights_format))
        return output

    def finish(
        self, inputs: Sequence[int], outputs: Sequence[int], *, version: int = 3, graphs: int = 1
    ) -> bytes:
        """Return the file's bytes."""
        builder = flatbuffers.Builder(1024)
        kinds = list(dict.fromkeys(operator.kind for operator in self.operators))
        buffers = [_write_buffer(builder, None)]
        tensors = []
        for tensor in self.tensors:
            if tensor.data is not None:
                buffers.append(_write_buffer(builder, tensor.data))
            place = len(buffers) - 1 if tensor.data is not None else 0
            tensors.append(_write_tensor(builder, tensor, place))
        operators = [
            _write_operator(
                builder,
                operator,
                kinds.index(operator.kind),
                self.tensors[operator.outputs[0]].shape,
            )
            for operator in self.operators
        ]
        graph = _write_graph(builder, tensors, operators, inputs, outputs)
        codes = [_write_code(builder, kind) for kind in kinds]
        codes_vector = _offsets(builder, codes)
        graphs_vector = _offsets(builder, [graph] * graphs)
        buffers_vector = _offsets(builder, buffers)
        tflite.ModelStart(builder)
        tflite.ModelAddVersion(builder, version)
        tflite.ModelAddOperatorCodes(builder, codes_vector)
        tflite.ModelAddSubgraphs(builder, graphs_vector)
        tflite.ModelAddBuffers(builder, buffers_vector)
        builder.Finish(tflite.ModelEnd(builder), b"TFL3")
        return bytes(builder.Output())


def _offsets(builder: Any, offsets: Sequence[int]) -> int:
    builder.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        builder.PrependUOffsetTRelative(offset)
    return int(builder.EndVector())


def _ints(builder: Any, values: Sequence[int]) -> int:
    return int(builder.CreateNumpyVector(np.asarray(values, dtype=np.int32)))


def _write_buffer(builder: Any, data: bytes | None) -> int:
    vector = None
    if data:
        builder.StartVector(1, len(data), 16)  # interpreters use constants in place
        builder.head = builder.Head() - len(data)
        builder.Bytes[builder.Head() : builder.Head() + len(data)] = data
        builder.vectorNumElems = len(data)
        vector = builder.EndVector()
    tflite.BufferStart(builder)
    if vector is not None:
        tflite.BufferAddData(builder, vector)
    return int(tflite.BufferEnd(builder))


def _write_tensor(builder: Any, tensor: _Tensor, buffer: int) -> int:
    name = builder.CreateString(tensor.name)
    shape = _ints(builder, tensor.shape)
    quantization = sparsity = None
    if len(tensor.scales):
        scales = builder.CreateNumpyVector(tensor.scales)
        zero_points = builder.CreateNumpyVector(tensor.zero_points)
        tflite.QuantizationParametersStart(builder)
        tflite.QuantizationParametersAddScale(builder, scales)
        tflite.QuantizationParametersAddZeroPoint(builder, zero_points)
        tflite.QuantizationParametersAddQuantizedDimension(builder, tensor.quantized_dimension)
        quantization = tflite.QuantizationParametersEnd(builder)
    if tensor.is_sparse:
        tflite.SparsityParametersStart(builder)
        sparsity = tflite.SparsityParametersEnd(builder)
    tflite.TensorStart(builder)
    tflite.TensorAddShape(builder, shape)
    tflite.TensorAddType(builder, getattr(tflite.TensorType, tensor.type))
    tflite.TensorAddBuffer(builder, buffer)
    tflite.TensorAddName(builder, name)
    tflite.TensorAddIsVariable(builder, tensor.is_variable)
    if quantization is not None:
        tflite.TensorAddQuantization(builder, quantization)
    if sparsity is not None:
        tflite.TensorAddSparsity(builder, sparsity)
    return int(tflite.TensorEnd(builder))


def _write_operator(
    builder: Any, operator: _Operator, code: int, output_shape: tuple[int, ...]
) -> int:
    inputs, outputs = _ints(builder, operator.inputs), _ints(builder, operator.outputs)
    options, options_type = None, tflite.BuiltinOptions.FullyConnectedOptions
    if operator.kind == "FULLY_CONNECTED":
        fused = getattr(tflite.ActivationFunctionType, operator.activation)
        tflite.FullyConnectedOptionsStart(builder)
        tflite.FullyConnectedOptionsAddFusedActivationFunction(builder, fused)
        tflite.FullyConnectedOptionsAddWeightsFormat(builder, operator.weights_format)
        options = tflite.FullyConnectedOptionsEnd(builder)
    if operator.kind == "RESHAPE":
        new_shape = _ints(builder, output_shape)
        tflite.ReshapeOptionsStart(builder)
        tflite.ReshapeOptionsAddNewShape(builder, new_shape)
        options, options_type = (
            tflite.ReshapeOptionsEnd(builder),
            tflite.BuiltinOptions.ReshapeOptions,
        )
    tflite.OperatorStart(builder)
    tflite.OperatorAddOpcodeIndex(builder, code)
    tflite.OperatorAddInputs(builder, inputs)
    tflite.OperatorAddOutputs(builder, outputs)
    if options is not None:
        tflite.OperatorAddBuiltinOptionsType(builder, options_type)
        tflite.OperatorAddBuiltinOptions(builder, options)
    return int(tflite.OperatorEnd(builder))


def _write_code(builder: Any, kind: str) -> int:
    code = getattr(tflite.BuiltinOperator, kind)
    tflite.OperatorCodeStart(builder)
    tflite.OperatorCodeAddDeprecatedBuiltinCode(builder, min(code, 127))
    tflite.OperatorCodeAddBuiltinCode(builder, code)
    # The version from which the kernels know int8.
    version = {"FULLY_CONNECTED": 4, "RESHAPE": 1}.get(kind, 2)
    tflite.OperatorCodeAddVersion(builder, version)
    return int(tflite.OperatorCodeEnd(builder))


def _write_graph(
    builder: Any,
    tensors: Sequence[int],
    operators: Sequence[int],
    inputs: Sequence[int],
    outputs: Sequence[int],
) -> int:
    tensors_vector, operators_vector = _offsets(builder, tensors), _offsets(builder, operators)
    inputs_vector, outputs_vector = _ints(builder, inputs), _ints(builder, outputs)
    tflite.SubGraphStart(builder)
    tflite.SubGraphAddTensors(builder, tensors_vector)
    tflite.SubGraphAddInputs(builder, inputs_vector)
    tflite.SubGraphAddOutputs(builder, outputs_vector)
    tflite.SubGraphAddOperators(builder, operators_vector)
    return int(tflite.SubGraphEnd(builder))
