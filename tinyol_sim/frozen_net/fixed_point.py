"""TFLM's integer arithmetic, bit for bit: what the host computes so that the kernels need not.

Sources: gemmlowp's fixedpoint.h (rounding, exp, logistic, tanh on fixed-point numbers) and TFLM's
kernels/internal/common.cc and quantization_util.cc (real factors as multiplier and shift). Held
against the real TFLM by tests/test_frozen_kernels.py.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

INT32_MIN = -(2**31)
INT32_MAX = 2**31 - 1
INT8_MIN = -128
INT8_MAX = 127


class Multiplier(NamedTuple):
    """The real factor multiplier * 2^(shift - 31); multiplier in [0, 2^31), shift >= -31."""

    multiplier: int
    shift: int


def round_half_away(x: float) -> int:
    """C's round(): to the nearest integer, ties away from zero."""
    nearest = math.floor(abs(x))
    if abs(x) - nearest >= 0.5:
        nearest += 1
    return nearest if x >= 0 else -nearest


def quantize_multiplier(factor: float) -> Multiplier:
    """A positive factor as multiplier and shift; below 2^-32 it becomes 0.

    Infinity (an overflow of the factor) gives a shift that no kernel takes.
    """
    if factor == 0.0:
        return Multiplier(0, 0)
    if math.isinf(factor):
        return Multiplier(INT32_MAX, 1024)
    mantissa, shift = math.frexp(factor)
    multiplier = round_half_away(mantissa * 2.0**31)
    if multiplier == 2**31:
        multiplier //= 2
        shift += 1
    if shift < -31:
        return Multiplier(0, 0)
    return Multiplier(multiplier, shift)


def wrap_int32(values: NDArray[np.int64]) -> NDArray[np.int64]:
    """The value that an int32 holds after wrapping; values of any int64."""
    return ((values + 2**31) & 0xFFFFFFFF) - 2**31


def multiply_by_quantized_multiplier(
    values: NDArray[np.int64],
    multiplier: int | NDArray[np.int64],
    shift: int | NDArray[np.int64],
) -> NDArray[np.int64]:
    """Int32 `values` times a factor, rounded twice as gemmlowp does; a left shift may wrap.

    `multiplier` and `shift` are one number each, or arrays that broadcast against `values`.
    """
    left = np.maximum(shift, 0)
    right = np.maximum(np.negative(shift), 0)
    shifted = wrap_int32(np.asarray(values, dtype=np.int64) << left)
    high = (shifted * multiplier + (1 << 30)) >> 31  # ties upwards
    mask = (np.int64(1) << right) - 1  # then ties away from zero
    threshold = (mask >> 1) + (high < 0)
    rounded: NDArray[np.int64] = (high >> right) + ((high & mask) > threshold)
    return rounded


def fully_connected_multipliers(
    input_scale: float, weight_scales: NDArray[np.float32], output_scale: float
) -> list[Multiplier]:
    """The factors scale_in * scale_weights / scale_out of an int8 layer, one a weight scale.

    With one scale TFLM takes the product in float32 (kernel_util.cc,
    GetQuantizedConvolutionMultipler), with one a channel in double (fully_connected_common.cc).
    """
    with np.errstate(over="ignore", under="ignore"):
        if len(weight_scales) == 1:
            products = [float(np.float32(input_scale) * weight_scales[0])]
        else:
            products = [float(input_scale) * float(scale) for scale in weight_scales]
    return [quantize_multiplier(product / float(output_scale)) for product in products]


def activation_range(activation: str, scale: float, zero_point: int) -> tuple[int, int]:
    """Least and greatest int8 that a fused activation ("NONE", "RELU", "RELU6") lets through."""
    least = INT8_MIN if activation == "NONE" else max(INT8_MIN, zero_point)
    if activation != "RELU6":
        return least, INT8_MAX
    six = zero_point + round_half_away(float(np.float32(6.0) / np.float32(scale)))
    return least, min(INT8_MAX, six)


# Scalar fixed-point numbers: an int stands for raw / 2^(31 - integer_bits), as in gemmlowp.


def _product(a: int, b: int) -> int:
    if a == INT32_MIN and b == INT32_MIN:
        return INT32_MAX
    return (a * b + (1 << 30)) >> 31


def rounding_shift_right(x: int, exponent: int) -> int:
    """X / 2^exponent to the nearest integer, ties away from zero."""
    if exponent == 0:
        return x
    quotient = (abs(x) + (1 << (exponent - 1))) >> exponent
    return quotient if x >= 0 else -quotient


def _saturating_shift_left(x: int, exponent: int) -> int:
    return min(max(x << exponent, INT32_MIN), INT32_MAX)


# e^-(2^k) in Q0.31, for k = -2 to 4: the factors that exp is put together from.
_EXP_FACTORS = {
    -2: 1672461947,
    -1: 1302514674,
    0: 790015084,
    1: 290630308,
    2: 39332535,
    3: 720401,
    4: 242,
}
_EXP_MINUS_EIGHTH = 1895147668  # e^(-1/8) in Q0.31
_ONE_THIRD = 715827883  # Q0.31
_48_OVER_17 = 1515870810  # Q2.29; both start the Newton-Raphson division
_MINUS_32_OVER_17 = -1010580540
_ONE_Q2 = 1 << 29


def _exp_quarter(a: int) -> int:
    """e^a for a in [-1/4, 0), both Q0.31: a Taylor polynomial around -1/8."""
    x = a + (1 << 28)
    x2 = _product(x, x)
    x3 = _product(x2, x)
    x4 = _product(x2, x2)
    cubic = _product(rounding_shift_right(x4, 2) + x3, _ONE_THIRD)
    tail = rounding_shift_right(cubic + x2, 1)
    return _EXP_MINUS_EIGHTH + _product(_EXP_MINUS_EIGHTH, x + tail)


def _exp_negative(a: int, integer_bits: int) -> int:
    """e^a in Q0.31 for a <= 0 with `integer_bits` integer bits (at most 5)."""
    if a == 0:
        return INT32_MAX
    fractional_bits = 31 - integer_bits
    quarter = 1 << (fractional_bits - 2)
    residue = (a & (quarter - 1)) - quarter  # in [-1/4, 0)
    result = _exp_quarter(_saturating_shift_left(residue, integer_bits))
    whole = residue - a
    for exponent, factor in _EXP_FACTORS.items():
        if exponent < integer_bits and whole & (1 << (fractional_bits + exponent)):
            result = _product(result, factor)
    return result


def _reciprocal_of_mean_with_one(a: int) -> int:
    """2 / (1 + a) in Q2.29 for a in (0, 1), Q0.31, by three steps of Newton-Raphson."""
    half_denominator = (a + INT32_MAX + 1) // 2
    x = _48_OVER_17 + _product(half_denominator, _MINUS_32_OVER_17)
    for _ in range(3):
        error = _ONE_Q2 - _product(half_denominator, x)
        x += _saturating_shift_left(_product(x, error), 2)
    return x


def logistic_q4(x: int) -> int:
    """1 / (1 + e^-x) in Q0.31, x in Q4.27."""
    if x == 0:
        return 1 << 30
    positive = _saturating_shift_left(
        _reciprocal_of_mean_with_one(_exp_negative(-abs(x), integer_bits=4)), 1
    )
    return positive if x > 0 else INT32_MAX - positive


def tanh_q4(x: int) -> int:
    """Tanh of x in Q0.31, x in Q4.27."""
    if x == 0:
        return 0
    # e^(-2|x|): the same bits read with one integer bit more.
    doubled = _exp_negative(-abs(x), integer_bits=5)
    positive = _saturating_shift_left(_reciprocal_of_mean_with_one(doubled) - _ONE_Q2, 2)
    return positive if x > 0 else -positive
