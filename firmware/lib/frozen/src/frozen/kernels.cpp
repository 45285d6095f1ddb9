#include "tinyol/fp_contract.h"

#include "frozen/kernels.h"

#include "frozen/fully_connected_dsp.h"
#include "frozen/fully_connected_x86.h"
#include "tinyol/float_math.h"
#include "tinyol/linear_layer.h"

namespace tinyol {
namespace frozen {
namespace {

// C++14 leaves both to the implementation; the arithmetic below needs the usual choice.
static_assert((-1 >> 1) == -1, "a right shift of a negative number must keep its sign");
static_assert(static_cast<int32_t>(0xFFFFFFFFu) == -1, "conversion to int32_t must wrap");

int32_t wrapping_add(int32_t a, int32_t b) {
  return static_cast<int32_t>(static_cast<uint32_t>(a) + static_cast<uint32_t>(b));
}

int32_t clamp(int32_t value, int32_t least, int32_t greatest) {
  if (value < least) return least;
  return value > greatest ? greatest : value;
}

float relu(float x) {
  return x < 0.0f ? 0.0f : x;
}

float relu6(float x) {
  return x > 6.0f ? 6.0f : relu(x);
}

float tanh_f32(float x) {
  const float magnitude = x < 0.0f ? -x : x;
  if (magnitude < 0.55f) {
    // x + x^3 P(x^2), P a minimax polynomial (relative error 1e-9): the quotient below cancels
    // here.
    const float z = x * x;
    float p = -6.27423770e-3f;
    p = p * z + 2.10716795e-2f;
    p = p * z - 5.38523102e-2f;
    p = p * z + 1.33325855e-1f;
    p = p * z - 3.33333184e-1f;
    return x + x * (z * p);
  }
  const float e = exp_f32(-2.0f * magnitude);
  const float t = (1.0f - e) / (1.0f + e);
  return x < 0.0f ? -t : t;
}

float activate(Activation function, float x) {
  switch (function) {
    case Activation::kNone:
      return x;
    case Activation::kRelu:
      return relu(x);
    case Activation::kRelu6:
      return relu6(x);
    case Activation::kLogistic:
      return sigmoid_f32(x);
    case Activation::kTanh:
      return tanh_f32(x);
  }
  return x;
}

}  // namespace

int32_t multiply_by_quantized_multiplier(int32_t value, Multiplier factor) {
  const int32_t left = factor.shift > 0 ? factor.shift : 0;
  const int32_t right = factor.shift > 0 ? 0 : -factor.shift;
  const int32_t shifted = static_cast<int32_t>(static_cast<uint32_t>(value) << left);
  // First rounding: to the nearest, ties upwards. |product| is below 2^62.
  const int64_t product = static_cast<int64_t>(shifted) * factor.multiplier;
  const int32_t high = static_cast<int32_t>((product + (int64_t{1} << 30)) >> 31);
  // Second rounding: to the nearest, ties away from zero.
  const int32_t mask = static_cast<int32_t>((uint32_t{1} << right) - 1u);
  const int32_t remainder = high & mask;
  const int32_t threshold = (mask >> 1) + (high < 0 ? 1 : 0);
  return (high >> right) + (remainder > threshold ? 1 : 0);
}

void fully_connected_int8(const FullyConnectedInt8& layer, const int8_t* input, int8_t* output) {
#if TINYOL_DSP_KERNELS
  fully_connected_int8_dsp(layer, input, output);
#else
#if TINYOL_X86_SIMD
  if (simd_path() == SimdPath::kAvx2) return fully_connected_int8_avx2(layer, input, output);
#endif
  fully_connected_int8_plain(layer, input, output);
#endif
}

void fully_connected_int8_plain(const FullyConnectedInt8& layer, const int8_t* input,
                                int8_t* output) {
  const uint32_t n_words = padded_to_word(layer.n_in) / 4;
  const int8_t* block = layer.weights;
  int32_t sums[4];
  for (uint32_t r = 0; r < layer.n_out; ++r) {
    if ((r & 3u) == 0) {
      dot_four_rows_int8(block, input, n_words, sums);
      block += 16 * n_words;
    }
    const int32_t sum = wrapping_add(sums[r & 3u], layer.bias[r]);
    const Multiplier factor = layer.multipliers[layer.per_channel ? r : 0];
    const int32_t scaled = multiply_by_quantized_multiplier(sum, factor);
    const int32_t value = wrapping_add(scaled, layer.output_zero_point);
    output[r] = static_cast<int8_t>(clamp(value, layer.output_min, layer.output_max));
  }
}

void lookup_int8(const int8_t* table, const int8_t* input, int8_t* output, uint32_t n) {
  for (uint32_t i = 0; i < n; ++i) output[i] = table[static_cast<uint8_t>(input[i])];
}

void fully_connected_float32(const FullyConnectedFloat32& layer, const float* input,
                             float* output) {
  // Only read.
  const LinearLayer linear = {const_cast<float*>(layer.weights), const_cast<float*>(layer.bias),
                              static_cast<uint16_t>(layer.n_in),
                              static_cast<uint16_t>(layer.n_out)};
  linear_forward(linear, input, output);
  if (layer.activation != Activation::kNone) {
    unary_float32(layer.activation, output, output, layer.n_out);
  }
}

void unary_float32(Activation function, const float* input, float* output, uint32_t n) {
  for (uint32_t i = 0; i < n; ++i) output[i] = activate(function, input[i]);
}

}  // namespace frozen
}  // namespace tinyol
