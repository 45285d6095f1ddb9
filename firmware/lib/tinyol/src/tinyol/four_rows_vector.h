// The sum of a linear layer where a register holds four floats (SSE, NEON: a PC, not a board): its
// four lanes are the four sums of dot_f32, so that the bits are those of the plain loop. One load
// of the inputs serves four rows, and no addition waits for the one before it.
#pragma once

#include <stdint.h>
#include <string.h>

#if (defined(__SSE2__) || (defined(__aarch64__) && defined(__ARM_NEON))) && defined(__GNUC__) && \
    !defined(TINYOL_PLAIN_KERNELS)
#define TINYOL_VECTORS

namespace tinyol {

typedef float FourFloats __attribute__((vector_size(16)));
typedef int32_t FourInts __attribute__((vector_size(16)));

static inline FourFloats load_four(const float* at) {
  FourFloats four;
  memcpy(&four, at, sizeof(four));
  return four;
}

static inline void store_four(FourFloats four, float* at) {
  memcpy(at, &four, sizeof(four));
}

// n below 4; the lanes behind are +0, which adds nothing to a sum (none is ever -0).
static inline FourFloats load_fewer(const float* at, uint32_t n) {
  const FourFloats few = {n > 0 ? at[0] : 0.0f, n > 1 ? at[1] : 0.0f, n > 2 ? at[2] : 0.0f, 0.0f};
  return few;
}

// output[r] = dot_f32(row, input, n) + bias[r] for four rows, n floats from one to the next.
static inline void vector_dot_four_rows(const float* row, uint32_t n, const float* input,
                                        const float* bias, float* output) {
  FourFloats s0 = {0.0f, 0.0f, 0.0f, 0.0f};
  FourFloats s1 = s0;
  FourFloats s2 = s0;
  FourFloats s3 = s0;
  uint32_t j = 0;
  for (; j + 4 <= n; j += 4, row += 4) {
    const FourFloats x = load_four(input + j);
    s0 += load_four(row) * x;
    s1 += load_four(row + n) * x;
    s2 += load_four(row + 2 * n) * x;
    s3 += load_four(row + 3 * n) * x;
  }
  if (j < n) {
    const FourFloats x = load_fewer(input + j, n - j);
    s0 += load_fewer(row, n - j) * x;
    s1 += load_fewer(row + n, n - j) * x;
    s2 += load_fewer(row + 2 * n, n - j) * x;
    s3 += load_fewer(row + 3 * n, n - j) * x;
  }
  output[0] = ((s0[0] + s0[1]) + (s0[2] + s0[3])) + bias[0];
  output[1] = ((s1[0] + s1[1]) + (s1[2] + s1[3])) + bias[1];
  output[2] = ((s2[0] + s2[1]) + (s2[2] + s2[3])) + bias[2];
  output[3] = ((s3[0] + s3[1]) + (s3[2] + s3[3])) + bias[3];
}

}  // namespace tinyol

#endif
