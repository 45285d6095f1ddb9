"""What this target runs of each .tflite operator: exactly as TFLM does, or not at all.

One check an operator kind. Where TFLM itself refuses a model, or would compute something that the
model does not mean, the check refuses it too and says why.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from tinyol_sim.frozen_net.fixed_point import fully_connected_multipliers
from tinyol_sim.frozen_net.lookup_tables import (
    LOGISTIC_SCALE,
    LOGISTIC_ZERO_POINT,
    TANH_SCALE,
    TANH_ZERO_POINT,
    relu_multiplier,
    requantize_multiplier,
)
from tinyol_sim.frozen_net.operator_check import OperatorCheck

if TYPE_CHECKING:
    from tinyol_sim.frozen_net.tflite_model import Operator, Tensor, TfliteModel

MAX_BIAS_SCALE_ERROR = 0.02  # TFLM: kernel_util.cc, GetQuantizedConvolutionMultipler
FUSED_ACTIVATIONS = ("NONE", "RELU", "RELU6")


def check_operator(model: TfliteModel, operator: Operator) -> None:
    """Raise ModelError unless this target runs `operator` of `model` with TFLM's results."""
    _CHECKS[operator.kind](OperatorCheck(model, operator))


def _check_fully_connected(check: OperatorCheck) -> None:
    operator, n_in, n_out = check.operator, check.input.length, check.output.length
    if operator.activation not in FUSED_ACTIVATIONS:
        raise check.refusal(
            f"the fused activation is {operator.activation}; "
            f"this target runs {', '.join(FUSED_ACTIVATIONS)}"
        )
    if operator.weights_format != 0:
        raise check.refusal("the weights are shuffled; this target runs the default format")
    weights = check.tensor("weights", operator.inputs[1])
    has_bias = len(operator.inputs) == 3 and operator.inputs[2] != -1
    bias = check.tensor("bias", operator.inputs[2]) if has_bias else None
    _check_layer_types(check, weights, bias)
    if weights.data is None:
        raise check.refusal(
            f"the weights, {weights.label}, are no constant of the file; this target runs weights "
            "that are stored as they are used"
        )
    if len(weights.shape) != 2 or 0 in weights.shape:
        raise check.refusal(f"the weights, {weights.label}, have the shape {weights.shape}")
    rows, columns = weights.shape
    if n_in != columns and n_in % columns == 0 and n_out == rows * (n_in // columns):
        raise check.refusal(
            f"{check.input.label} is a batch of {n_in // columns} rows of {columns}; "
            "export the model with a batch of 1"
        )
    if (n_out, n_in) != (rows, columns):
        raise check.refusal(
            f"weights of {rows} by {columns} do not lead from {n_in} values, {check.input.label}, "
            f"to {n_out}, {check.output.label}"
        )
    if bias is not None and (bias.data is None or bias.length != rows):
        raise check.refusal(f"the bias, {bias.label}, is no constant of {rows} values")
    if weights.type == "FLOAT32":
        for role, tensor in (("weights", weights), ("bias", bias)):
            if tensor is not None and not np.isfinite(np.asarray(tensor.data)).all():
                raise check.refusal(f"the {role}, {tensor.label}, hold a number that is not finite")
        return
    _check_layer_scales(check, weights, bias)


def _check_layer_types(check: OperatorCheck, weights: Tensor, bias: Tensor | None) -> None:
    wanted_bias = {"INT8": "INT32", "FLOAT32": "FLOAT32"}.get(weights.type)
    if check.types == (weights.type, weights.type) and wanted_bias is not None:
        if bias is not None and bias.type != wanted_bias:
            raise check.refusal(
                f"the bias, {bias.label}, is {bias.type}; {wanted_bias} goes with {weights.type}"
            )
        return
    hybrid = check.types == ("FLOAT32", "FLOAT32")
    raise check.refusal(
        f"input {check.input.type}, weights {weights.type} ({weights.label}), output "
        f"{check.output.type}; this target runs all INT8 or all FLOAT32"
        + (": quantise the activations too, not the weights alone" if hybrid else "")
    )


def _check_layer_scales(check: OperatorCheck, weights: Tensor, bias: Tensor | None) -> None:
    check.check_scales("weights", weights)
    per_channel = len(weights.scales) > 1
    if per_channel and (
        weights.quantized_dimension != 0 or len(weights.scales) != weights.shape[0]
    ):
        raise check.refusal(
            f"the weights, {weights.label}, have {len(weights.scales)} scales along dimension "
            f"{weights.quantized_dimension}; one is needed, or one an output"
        )
    if weights.zero_points.any():
        raise check.refusal(
            f"the weights, {weights.label}, have a zero point that is not 0; TFLM needs 0"
        )
    input_scale, output_scale = check.input.scale, check.output.scale
    for multiplier in fully_connected_multipliers(input_scale, weights.scales, output_scale):
        check.check_shift(multiplier)
    if check.operator.activation == "RELU6":
        check.check_six()
    if bias is not None and not per_channel:
        bias_scale = float(bias.scales[0]) if len(bias.scales) else 0.0
        error = abs(input_scale * float(weights.scales[0]) - bias_scale) / output_scale
        if not error <= MAX_BIAS_SCALE_ERROR:
            raise check.refusal(
                f"the bias, {bias.label}, has the scale {bias_scale:g}; TFLM needs that of the "
                f"input times that of the weights, {input_scale * float(weights.scales[0]):g}"
            )


_SAME_TYPES = (("INT8", "INT8"), ("FLOAT32", "FLOAT32"))


def _check_relu(check: OperatorCheck) -> None:
    check.one_of_types(*_SAME_TYPES)
    check.same_shape()
    if check.input.type == "INT8":
        check.check_shift(relu_multiplier(check.input.scale, check.output.scale))


def _check_relu6(check: OperatorCheck) -> None:
    check.one_of_types(*_SAME_TYPES)
    check.same_shape()
    check.same_quantization("TFLM's RELU6 does not rescale and would give wrong values")
    check.check_six()


def _check_logistic(check: OperatorCheck) -> None:
    check.one_of_types(*_SAME_TYPES)
    check.same_shape()
    if check.input.type == "INT8":
        _check_transcendental_scale(check)
        check.written_as(LOGISTIC_SCALE, LOGISTIC_ZERO_POINT)


def _check_tanh(check: OperatorCheck) -> None:
    check.one_of_types(*_SAME_TYPES)
    check.same_shape()
    if check.input.type == "INT8":
        _check_transcendental_scale(check)
        check.written_as(TANH_SCALE, TANH_ZERO_POINT)


def _check_transcendental_scale(check: OperatorCheck) -> None:
    """TFLM cannot shift below 2^-28; from 4 on it saturates too early, from 8 on even at 0."""
    if not 2.0**-28 <= check.input.scale < 4.0:
        raise check.refusal(
            f"{check.input.label} has the scale {check.input.scale:g}; TFLM computes this operator "
            "rightly from 2^-28 to below 4"
        )


def _check_quantize(check: OperatorCheck) -> None:
    check.one_of_types(("FLOAT32", "INT8"), ("INT8", "INT8"))
    check.same_shape()
    if check.input.type == "INT8":
        check.check_shift(requantize_multiplier(check.input.scale, check.output.scale))


def _check_dequantize(check: OperatorCheck) -> None:
    check.one_of_types(("INT8", "FLOAT32"))
    check.same_shape()


def _check_reshape(check: OperatorCheck) -> None:
    check.one_of_types(*_SAME_TYPES)
    check.same_length()
    check.same_quantization("a RESHAPE moves bytes and rescales nothing")


_CHECKS: dict[str, Callable[[OperatorCheck], None]] = {
    "FULLY_CONNECTED": _check_fully_connected,
    "RELU": _check_relu,
    "RELU6": _check_relu6,
    "LOGISTIC": _check_logistic,
    "TANH": _check_tanh,
    "QUANTIZE": _check_quantize,
    "DEQUANTIZE": _check_dequantize,
    "RESHAPE": _check_reshape,
}
SUPPORTED_OPERATORS = tuple(_CHECKS)
