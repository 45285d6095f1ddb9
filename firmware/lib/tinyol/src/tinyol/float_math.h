// The float32 functions that the core is built on: the same bits on every compiler and CPU.
// No libm: newlib's and glibc's expf differ by one ulp in a tenth of their inputs.
#pragma once

#include <stdint.h>

namespace tinyol {

// e^x. Error below 0.99 ulp from -87.33 to 88.72; 0 below that (and for NaN), saturates at
// e^88.72 = 3.40e38 above: never infinite.
float exp_f32(float x);

// Natural logarithm. Error below 0.84 ulp; x below the smallest normal number (1.18e-38),
// negative or NaN gives log(1.18e-38) = -87.34, and +infinity 88.72: never infinite.
float log_f32(float x);

// Correctly rounded square root (one instruction on x86 and on the Cortex-M4F); 0 for x <= 0
// and for NaN.
float sqrt_f32(float x);

// 1 / (1 + e^-x). Error below 2.5 ulp above -88.7; 2.94e-39, never 0, below. 1 for NaN.
float sigmoid_f32(float x);

// Sum of a[i] * b[i] in the project's one order: accumulator i % 4, then (s0 + s1) + (s2 + s3).
float dot_f32(const float* a, const float* b, uint32_t n);

// Sum of (a[i] - b[i])^2, and sum of a[i * stride], in the same order.
float squared_distance_f32(const float* a, const float* b, uint32_t n);
float sum_f32(const float* a, uint32_t n, uint32_t stride = 1);

// y[i] -= factor * x[i]
void subtract_scaled_f32(float* y, const float* x, uint32_t n, float factor);

// z_i becomes exp(z_i) / sum of exp(z_j), all scaled so that nothing overflows: finite z, n > 0.
// Returns the index of the largest, the first of equals.
int softmax_f32(float* z, uint32_t n);

bool is_finite_f32(float x);
float float_from_bits(uint32_t bits);
uint32_t bits_from_float(float x);

}  // namespace tinyol
