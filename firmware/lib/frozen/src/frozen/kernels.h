// The operators of a frozen net. int8: the bits of TFLM's reference kernels. float32: the
// project's own fixed order of summation and its own exp, the same bits on every machine.
// QUANTIZE and DEQUANTIZE between the two are the core's (tinyol/quantize.h).
#pragma once

#include <stdint.h>

#include "frozen/four_rows.h"
#include "frozen/net_blob.h"

namespace tinyol {
namespace frozen {

// A positive real factor: multiplier * 2^(shift - 31). multiplier in [0, 2^31), shift in
// [-31, 30].
struct Multiplier {
  int32_t multiplier;
  int32_t shift;
};

// value * factor as gemmlowp rounds it, twice: the product to 32 bits, then the right shift
// (TFLM: MultiplyByQuantizedMultiplier in kernels/internal/common.cc, without
// TFLITE_SINGLE_ROUNDING). A left shift that overflows wraps.
int32_t multiply_by_quantized_multiplier(int32_t value, Multiplier factor);

struct FullyConnectedInt8 {
  const int8_t* weights;          // (n_out, n_in), in blocks of four rows (net_blob.h)
  const int32_t* bias;            // (n_out,), the input's zero point folded in
  const Multiplier* multipliers;  // (n_out,) per channel, else (1,)
  bool per_channel;
  uint32_t n_in;
  uint32_t n_out;
  int32_t output_zero_point;
  int32_t output_min;  // the fused activation's range, within -128 to 127
  int32_t output_max;
};

// output[r] = clamp(zero_point + factor[r] * (bias[r] + sum over c of weights[r][c] input[c])).
// input: (n_in,) and readable up to a multiple of 4; output: (n_out,); both at multiples of 4, not
// overlapping. TFLM: integer_ops/fully_connected.h.
void fully_connected_int8(const FullyConnectedInt8& layer, const int8_t* input, int8_t* output);

// The same in portable C++, where the CPU's own instructions are taken otherwise.
void fully_connected_int8_plain(const FullyConnectedInt8& layer, const int8_t* input,
                                int8_t* output);

// output[i] = table[the byte of input[i]]; table: 256 entries.
void lookup_int8(const int8_t* table, const int8_t* input, int8_t* output, uint32_t n);

struct FullyConnectedFloat32 {
  const float* weights;  // (n_out, n_in)
  const float* bias;     // (n_out,)
  uint32_t n_in;
  uint32_t n_out;
  Activation activation;
};

// output[r] = activation(dot(weights[r], input) + bias[r]), summed in dot_f32's order. Both lengths
// are those of tensors: at most 65535.
void fully_connected_float32(const FullyConnectedFloat32& layer, const float* input, float* output);

// output[i] = function(input[i]); output may be the input.
void unary_float32(Activation function, const float* input, float* output, uint32_t n);

}  // namespace frozen
}  // namespace tinyol
