"""256-byte tables of TFLM's int8 -> int8 operators, so that a board needs none of their arithmetic.

Every table is (256,) int8: entry i is the output for the input whose byte is i (-1 is entry 255).
Scales are float32 values. Sources: TFLM's micro/kernels/activations_common.cc,
logistic_common.cc, tanh.cc, quantize_common.cc and the reference kernels that they call.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from tinyol_sim.frozen_net.fixed_point import (
    INT8_MAX,
    INT8_MIN,
    Multiplier,
    logistic_q4,
    multiply_by_quantized_multiplier,
    quantize_multiplier,
    round_half_away,
    rounding_shift_right,
    tanh_q4,
)

LOGISTIC_SCALE = 1.0 / 256.0  # what TFLM's LOGISTIC and TANH write, whatever the model says
LOGISTIC_ZERO_POINT = -128
TANH_SCALE = 1.0 / 128.0
TANH_ZERO_POINT = 0

Int8Table = NDArray[np.int8]

# Every int8 in the order of its byte: 0 to 127, then -128 to -1.
_INPUTS = np.arange(256, dtype=np.uint8).view(np.int8).astype(np.int64)


def relu_multiplier(input_scale: float, output_scale: float) -> Multiplier:
    """The factor of a stand-alone RELU; TFLM divides in float32."""
    with np.errstate(over="ignore", under="ignore"):
        return quantize_multiplier(float(np.float32(input_scale) / np.float32(output_scale)))


def requantize_multiplier(input_scale: float, output_scale: float) -> Multiplier:
    """The factor of a QUANTIZE from int8 to int8; TFLM divides in double."""
    return quantize_multiplier(float(input_scale) / float(output_scale))


def relu_table(
    input_scale: float, input_zero_point: int, output_scale: float, output_zero_point: int
) -> Int8Table:
    """RELU, which rescales from one quantisation to the other."""
    factor = relu_multiplier(input_scale, output_scale)
    return _rescaled(factor, input_zero_point, output_zero_point, least=output_zero_point)


def requantize_table(
    input_scale: float, input_zero_point: int, output_scale: float, output_zero_point: int
) -> Int8Table:
    """QUANTIZE from int8 to int8."""
    factor = requantize_multiplier(input_scale, output_scale)
    return _rescaled(factor, input_zero_point, output_zero_point, least=INT8_MIN)


def relu6_table(scale: float, zero_point: int) -> Int8Table:
    """RELU6, which does not rescale: `scale` and `zero_point` are those of both sides."""
    six = round_half_away(float(np.float32(6.0) / np.float32(scale))) + zero_point
    return np.clip(_INPUTS, zero_point, min(six, INT8_MAX)).astype(np.int8)


def logistic_table(scale: float, zero_point: int) -> Int8Table:
    """LOGISTIC: scale and zero point of its input; the output's are 1/256 and -128."""
    return _transcendental(
        scale, zero_point, lambda x: rounding_shift_right(logistic_q4(x), 31 - 8) - 128
    )


def tanh_table(scale: float, zero_point: int) -> Int8Table:
    """TANH: scale and zero point of its input; the output's are 1/128 and 0."""
    return _transcendental(scale, zero_point, lambda x: rounding_shift_right(tanh_q4(x), 31 - 7))


def _rescaled(
    factor: Multiplier, input_zero_point: int, output_zero_point: int, *, least: int
) -> Int8Table:
    scaled = multiply_by_quantized_multiplier(_INPUTS - input_zero_point, *factor)
    return np.clip(scaled + output_zero_point, least, INT8_MAX).astype(np.int8)


def _transcendental(scale: float, zero_point: int, function: Callable[[int], int]) -> Int8Table:
    """A function of a Q4.27 number; inputs beyond +-15 saturate."""
    factor = quantize_multiplier(float(scale) * 2.0**27)
    radius = (15 << 27) >> factor.shift
    table = np.empty(256, dtype=np.int8)
    for index, value in enumerate(_INPUTS.tolist()):
        centred = value - zero_point
        if centred <= -radius:
            table[index] = INT8_MIN
        elif centred >= radius:
            table[index] = INT8_MAX
        else:
            q4 = int(multiply_by_quantized_multiplier(np.array([centred]), *factor)[0])
            table[index] = min(max(function(q4), INT8_MIN), INT8_MAX)
    return table
