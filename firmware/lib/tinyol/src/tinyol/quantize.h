// Between float32 and a tensor's own numbers, with TFLite's arithmetic
// (tensorflow/lite/kernels/internal/reference/quantize.h and dequantize.h).
#pragma once

#include <stdint.h>

#include "tinyol/frozen_net.h"

namespace tinyol {

// q = clamp(round(x / scale) + zero_point, -128, 127), halves rounded away from zero.
void quantize_int8(const float* x, uint32_t n, float scale, int32_t zero_point, int8_t* q);

// x = (q - zero_point) * scale
void dequantize_int8(const int8_t* q, uint32_t n, float scale, int32_t zero_point, float* x);

// The same for a tensor of either type; copies for float32. n values, at most tensor.length.
void write_tensor(const TensorView& tensor, const float* x, uint32_t n);
void read_tensor(const TensorView& tensor, float* x, uint32_t n);

}  // namespace tinyol
