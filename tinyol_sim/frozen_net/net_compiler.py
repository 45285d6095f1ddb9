"""Compiles a .tflite model into the net blob that a board runs in place.

The layout is firmware/lib/frozen/src/frozen/net_blob.h. All of TFLM's preparation happens here:
input zero points go into the biases, scales become multipliers and shifts, operators from int8 to
int8 become tables of 256 bytes, a RESHAPE disappears.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyol_sim.errors import ModelError
from tinyol_sim.frozen_net.arena_plan import Lifetime, padded_to_word, plan_arena
from tinyol_sim.frozen_net.fixed_point import (
    activation_range,
    fully_connected_multipliers,
    wrap_int32,
)
from tinyol_sim.frozen_net.lookup_tables import (
    Int8Table,
    logistic_table,
    relu6_table,
    relu_table,
    requantize_table,
    tanh_table,
)
from tinyol_sim.frozen_net.tflite_model import Operator, Taps, Tensor, TfliteModel

MAGIC = b"TOLN"
VERSION = 2
MAX_TENSORS = 256
MAX_OPERATORS = 255

_HEADER = struct.Struct("<4s8HIII")
_TENSOR_RECORD = struct.Struct("<IHBbf")
_OPERATOR_RECORD = struct.Struct("<BBHHbbIIIHH")

_FULLY_CONNECTED_INT8 = 1
_LOOKUP_INT8 = 2
_FULLY_CONNECTED_FLOAT32 = 3
_UNARY_FLOAT32 = 4
_QUANTIZE = 5
_DEQUANTIZE = 6

_TYPES = {"INT8": 0, "FLOAT32": 1}
_VALUE_BYTES = {"INT8": 1, "FLOAT32": 4}
_ACTIVATIONS = {"NONE": 0, "RELU": 1, "RELU6": 2, "LOGISTIC": 3, "TANH": 4}


def compile_net(model: TfliteModel, taps: Taps) -> bytes:
    """Return the net blob of `model` with its taps; operators that no tap needs are left out.

    Raises ModelError for a tap that the model does not compute, or a net beyond the blob's
    limits (256 tensors, 255 operators).
    """
    tap_tensors = [
        _tap(model, name, getattr(taps, name)) for name in ("embedding", "hidden", "reconstruction")
    ]
    operators = _needed_operators(model, tap_tensors)
    tensors = _tensors_in_use(model, operators, tap_tensors)
    if len(operators) > MAX_OPERATORS or len(tensors) > MAX_TENSORS:
        raise ModelError(
            f"{model.source}: {len(operators)} operators on {len(tensors)} tensors; a board runs "
            f"at most {MAX_OPERATORS} on {MAX_TENSORS}"
        )
    offsets, arena_bytes = plan_arena(_lifetimes(model, operators, tensors, tap_tensors))
    place = {tensor: index for index, tensor in enumerate(tensors)}
    data = _Data(
        _HEADER.size + len(tensors) * _TENSOR_RECORD.size + len(operators) * _OPERATOR_RECORD.size
    )
    records = [
        _tensor_record(model.tensors[tensor], offset)
        for tensor, offset in zip(tensors, offsets, strict=True)
    ]
    for operator in operators:
        reads = place[model.storage_of(operator.inputs[0])]
        writes = place[operator.outputs[0]]
        records.append(_operator_record(model, operator, reads, writes, data))
    header = _HEADER.pack(
        MAGIC,
        VERSION,
        len(tensors),
        len(operators),
        place[model.inputs[0]],
        *(place[tensor] for tensor in tap_tensors),
        0,
        arena_bytes,
        data.end,
        0,
    )
    return b"".join((header, *records, data.content))


class _Data:
    """The blob's last part: arrays, each at a multiple of 4 from the blob's first byte."""

    def __init__(self, start: int) -> None:
        self.start = start
        self.content = bytearray()

    @property
    def end(self) -> int:
        return self.start + len(self.content)

    def append(self, values: NDArray[Any]) -> int:
        """Add an array and return its place in the blob."""
        place = self.end
        self.content += values.tobytes()
        self.content += bytes(padded_to_word(len(self.content)) - len(self.content))
        return place


def _tap(model: TfliteModel, name: str, index: int) -> int:
    """Return the tensor whose memory the tap is, if the model computes it."""
    written = {model.inputs[0], *(operator.outputs[0] for operator in model.operators)}
    if index not in written:
        raise ModelError(
            f"{model.source}: the {name} tap is tensor {index}, which the model does not compute; "
            f"it computes {', '.join(str(tensor) for tensor in sorted(written))}"
        )
    return model.storage_of(index)


def _needed_operators(model: TfliteModel, taps: list[int]) -> list[Operator]:
    needed, kept = set(taps), []
    for operator in reversed(model.operators):
        if operator.kind != "RESHAPE" and operator.outputs[0] in needed:
            needed.add(model.storage_of(operator.inputs[0]))
            kept.append(operator)
    return kept[::-1]


def _tensors_in_use(model: TfliteModel, operators: list[Operator], taps: list[int]) -> list[int]:
    used = [model.inputs[0]]
    for operator in operators:
        used += [model.storage_of(operator.inputs[0]), operator.outputs[0]]
    return list(dict.fromkeys([*used, *taps]))


def _lifetimes(
    model: TfliteModel, operators: list[Operator], tensors: list[int], taps: list[int]
) -> list[Lifetime]:
    """Step i is operator i; the input and the taps live for ever."""
    first = {operator.outputs[0]: step for step, operator in enumerate(operators)}
    last = {model.storage_of(op.inputs[0]): step for step, op in enumerate(operators)}
    lifetimes = []
    for index in tensors:
        tensor = model.tensors[index]
        begin, end = first.get(index, 0), last.get(index, len(operators))
        if index == model.inputs[0] or index in taps:
            begin, end = 0, len(operators)
        lifetimes.append(Lifetime(tensor.length * _VALUE_BYTES[tensor.type], begin, end))
    return lifetimes


def _tensor_record(tensor: Tensor, arena_offset: int) -> bytes:
    return _TENSOR_RECORD.pack(
        arena_offset, tensor.length, _TYPES[tensor.type], tensor.zero_point, tensor.scale
    )


def _operator_record(
    model: TfliteModel, operator: Operator, reads: int, writes: int, data: _Data
) -> bytes:
    source, target = model.tensors[operator.inputs[0]], model.tensors[operator.outputs[0]]
    kind, activation, least, greatest, weights, bias, multipliers, n_multipliers = (0,) * 8
    if operator.kind == "FULLY_CONNECTED" and source.type == "INT8":
        kind = _FULLY_CONNECTED_INT8
        least, greatest = activation_range(operator.activation, target.scale, target.zero_point)
        stored, folded, factors = int8_layer(model, operator)
        weights = data.append(in_blocks_of_four(stored))
        bias = data.append(folded)
        multipliers, n_multipliers = data.append(factors), len(factors)
    elif operator.kind == "FULLY_CONNECTED":
        kind = _FULLY_CONNECTED_FLOAT32
        activation = _ACTIVATIONS[operator.activation]
        weights, bias = (data.append(values) for values in float32_layer(model, operator))
    elif source.type == target.type == "INT8":
        kind = _LOOKUP_INT8
        weights = data.append(lookup_table(model, operator))
    elif source.type == target.type:
        kind = _UNARY_FLOAT32
        activation = _ACTIVATIONS[operator.kind]
    else:
        kind = _QUANTIZE if operator.kind == "QUANTIZE" else _DEQUANTIZE
    return _OPERATOR_RECORD.pack(
        kind,
        activation,
        reads,
        writes,
        least,
        greatest,
        weights,
        bias,
        multipliers,
        n_multipliers,
        0,
    )


def int8_layer(
    model: TfliteModel, operator: Operator
) -> tuple[NDArray[np.int8], NDArray[np.int32], NDArray[np.int32]]:
    """Return an int8 layer's weights (n_out, n_in), folded bias (n_out,) and factors (k, 2).

    The folded bias is bias - zero_point * sum(row), modulo 2^32; a factor is multiplier, shift;
    k is 1 or n_out.
    """
    source, target = model.tensors[operator.inputs[0]], model.tensors[operator.outputs[0]]
    weights = model.tensors[operator.inputs[1]]
    stored: NDArray[np.int8] = np.asarray(weights.data, dtype="<i1")
    folded = _bias(model, operator).astype(np.int64)
    folded -= source.zero_point * stored.sum(axis=1, dtype=np.int64)
    factors = fully_connected_multipliers(source.scale, weights.scales, target.scale)
    return stored, wrap_int32(folded).astype("<i4"), np.array(factors, dtype="<i4")


def in_blocks_of_four(weights: NDArray[np.int8]) -> NDArray[np.uint8]:
    """Return (n_out, n_in) weights as the blob has them: padded, and paired row with row.

    net_blob.h draws a block: halfword by halfword two rows' weights of one column, the even row's
    + 128; the columns of a word are 0 and 2, or 1 and 3.
    """
    n_out, n_in = weights.shape
    rows, columns = padded_to_word(n_out), padded_to_word(n_in)
    padded = np.pad(weights, ((0, rows - n_out), (0, columns - n_in))).view(np.uint8)
    padded[::2] ^= 0x80
    # block, pair, row of the pair; four columns, half, column of the half
    parts = padded.reshape(rows // 4, 2, 2, columns // 4, 2, 2)
    return parts.transpose(0, 3, 1, 5, 4, 2).ravel()


def float32_layer(
    model: TfliteModel, operator: Operator
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return a float32 layer's weights (n_out, n_in) and bias (n_out,)."""
    weights = np.asarray(model.tensors[operator.inputs[1]].data, dtype="<f4")
    return weights, _bias(model, operator).astype("<f4")


def lookup_table(model: TfliteModel, operator: Operator) -> Int8Table:
    """Return the 256-byte table of an operator from int8 to int8."""
    source, target = model.tensors[operator.inputs[0]], model.tensors[operator.outputs[0]]
    reads = (source.scale, source.zero_point)
    if operator.kind == "RELU":
        return relu_table(*reads, target.scale, target.zero_point)
    if operator.kind == "QUANTIZE":
        return requantize_table(*reads, target.scale, target.zero_point)
    return {"RELU6": relu6_table, "LOGISTIC": logistic_table, "TANH": tanh_table}[operator.kind](
        *reads
    )


def _bias(model: TfliteModel, operator: Operator) -> NDArray[Any]:
    if len(operator.inputs) == 3 and operator.inputs[2] != -1:
        return np.asarray(model.tensors[operator.inputs[2]].data).reshape(-1)
    return np.zeros(model.tensors[operator.outputs[0]].length, dtype=np.int32)
