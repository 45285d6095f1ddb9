#include "tinyol/fp_contract.h"

#include "tinyol/float_math.h"

#include <string.h>

#include "tinyol/four_rows_vector.h"
#include "tinyol/one_row_vfp.h"

namespace tinyol {
namespace {

// ln 2 in two parts: kLn2High has 12 trailing zero bits, so that n * kLn2High is exact for
// |n| < 4096 (Cody and Waite's reduction).
constexpr float kLn2High = 0.693359375f;
constexpr float kLn2Low = -2.12194440e-4f;
constexpr float kLog2E = 1.44269504f;

constexpr float kExpMin = -87.33654f;  // ln of the smallest normal number
constexpr float kExpMax = 88.72283f;   // ln of the largest finite number
constexpr float kSmallestNormal = 1.17549435e-38f;

// e^r = 1 + r + r^2 P(r), P a minimax polynomial (relative error 3e-9).
constexpr float kExp0 = 1.38144672e-3f;
constexpr float kExp1 = 8.36878084e-3f;
constexpr float kExp2 = 4.16683927e-2f;
constexpr float kExp3 = 1.66665196e-1f;
constexpr float kExp4 = 4.99999940e-1f;

// x = n ln2 + r with |r| <= ln2 / 2; then e^x = 2^n e^r.
inline int32_t nearest_power(float x, float half) {
  return static_cast<int32_t>(x * kLog2E + half);
}

inline float exp_of_rest(float x, float n) {
  const float r = (x - n * kLn2High) - n * kLn2Low;
  float p = r * kExp0 + kExp1;
  p = p * r + kExp2;
  p = p * r + kExp3;
  p = p * r + kExp4;
  return 1.0f + (r + (r * r) * p);
}

#if !defined(TINYOL_VFP)
inline float squared(float x) {
  return x * x;
}
#endif

}  // namespace

float float_from_bits(uint32_t bits) {
  float x;
  memcpy(&x, &bits, sizeof(x));
  return x;
}

uint32_t bits_from_float(float x) {
  uint32_t bits;
  memcpy(&bits, &x, sizeof(bits));
  return bits;
}

bool is_finite_f32(float x) {
  return (bits_from_float(x) & 0x7F800000u) != 0x7F800000u;
}

float exp_f32(float x) {
  if (!(x >= kExpMin)) return 0.0f;
  if (x > kExpMax) x = kExpMax;
  const int32_t n = nearest_power(x, x >= 0.0f ? 0.5f : -0.5f);
  const float e = exp_of_rest(x, static_cast<float>(n));
  // In two factors, since 2^128 (n = 128 next to kExpMax) is no float.
  const int32_t half = n / 2;
  const float first = float_from_bits(static_cast<uint32_t>(half + 127) << 23);
  const float second = float_from_bits(static_cast<uint32_t>(n - half + 127) << 23);
  return (e * first) * second;
}

float log_f32(float x) {
  if (!(x >= kSmallestNormal)) x = kSmallestNormal;
  const uint32_t bits = bits_from_float(x);
  if (bits >= 0x7F800000u) return kExpMax;
  // x = 2^n m with m in [sqrt(1/2), sqrt(2)).
  const uint32_t shifted = bits + (0x3F800000u - 0x3F3504F3u);
  const int32_t n = static_cast<int32_t>(shifted >> 23) - 127;
  const float m = float_from_bits((shifted & 0x007FFFFFu) + 0x3F3504F3u);
  // With f = m - 1, s = f / (2 + f), z = s^2: log m = f - (f^2/2 - s (f^2/2 + z P(z))).
  const float f = m - 1.0f;
  const float s = f / (2.0f + f);
  const float z = s * s;
  float p = 2.35849842e-1f;
  p = p * z + 2.85371691e-1f;
  p = p * z + 4.00003374e-1f;
  p = p * z + 6.66666627e-1f;
  const float half_square = 0.5f * (f * f);
  const float nf = static_cast<float>(n);
  const float tail = s * (half_square + z * p) + nf * kLn2Low;
  return (f - (half_square - tail)) + nf * kLn2High;
}

float sqrt_f32(float x) {
  return x > 0.0f ? __builtin_sqrtf(x) : 0.0f;
}

float sigmoid_f32(float x) {
  return 1.0f / (1.0f + exp_f32(-x));
}

float dot_f32(const float* a, const float* b, uint32_t n) {
#if defined(TINYOL_VFP)
  return float_from_bits(vfp_dot_row(a, b, n));
#else
  // Not an array: these stay in registers.
  float s0 = 0.0f;
  float s1 = 0.0f;
  float s2 = 0.0f;
  float s3 = 0.0f;
  for (; n >= 4; n -= 4, a += 4, b += 4) {
    s0 += a[0] * b[0];
    s1 += a[1] * b[1];
    s2 += a[2] * b[2];
    s3 += a[3] * b[3];
  }
  if (n > 0) s0 += a[0] * b[0];
  if (n > 1) s1 += a[1] * b[1];
  if (n > 2) s2 += a[2] * b[2];
  return (s0 + s1) + (s2 + s3);
#endif
}

float squared_distance_f32(const float* a, const float* b, uint32_t n) {
#if defined(TINYOL_VFP)
  return float_from_bits(vfp_squared_distance(a, b, n));
#else
  float s0 = 0.0f;
  float s1 = 0.0f;
  float s2 = 0.0f;
  float s3 = 0.0f;
  for (; n >= 4; n -= 4, a += 4, b += 4) {
    s0 += squared(a[0] - b[0]);
    s1 += squared(a[1] - b[1]);
    s2 += squared(a[2] - b[2]);
    s3 += squared(a[3] - b[3]);
  }
  if (n > 0) s0 += squared(a[0] - b[0]);
  if (n > 1) s1 += squared(a[1] - b[1]);
  if (n > 2) s2 += squared(a[2] - b[2]);
  return (s0 + s1) + (s2 + s3);
#endif
}

float sum_f32(const float* a, uint32_t n, uint32_t stride) {
  float s0 = 0.0f;
  float s1 = 0.0f;
  float s2 = 0.0f;
  float s3 = 0.0f;
  for (; n >= 4; n -= 4) {
    s0 += *a;
    s1 += *(a += stride);
    s2 += *(a += stride);
    s3 += *(a += stride);
    a += stride;
  }
  if (n > 0) s0 += *a;
  if (n > 1) s1 += *(a += stride);
  if (n > 2) s2 += *(a += stride);
  return (s0 + s1) + (s2 + s3);
}

void subtract_scaled_f32(float* y, const float* x, uint32_t n, float factor) {
#if defined(TINYOL_VFP)
  vfp_subtract_row(y, x, n, factor);
#else
  for (uint32_t i = 0; i < n; ++i) y[i] -= factor * x[i];
#endif
}

#if defined(TINYOL_VECTORS)
// Four of the numbers below at once; as exp_of_rest, lane by lane.
FourFloats exp_of_negative(FourFloats x) {
  const FourFloats zero = {0.0f, 0.0f, 0.0f, 0.0f};
  const auto counts = x >= kExpMin;
  const FourFloats held = counts ? x : zero;  // the others' power would be out of range
  const FourInts power = __builtin_convertvector(held * kLog2E + -0.5f, FourInts);
  const FourFloats n = __builtin_convertvector(power, FourFloats);
  const FourFloats r = (held - n * kLn2High) - n * kLn2Low;
  FourFloats p = r * kExp0 + kExp1;
  p = p * r + kExp2;
  p = p * r + kExp3;
  p = p * r + kExp4;
  const FourInts bits = (power + 127) << 23;
  FourFloats scale;
  memcpy(&scale, &bits, sizeof(scale));
  const FourFloats e = (1.0f + (r + (r * r) * p)) * scale;
  return counts ? e : zero;
}
#endif

int softmax_f32(float* z, uint32_t n) {
  uint32_t best = 0;
  float highest = z[0];
  for (uint32_t i = 1; i < n; ++i) {
    if (!(z[i] > highest)) continue;
    highest = z[i];
    best = i;
  }
  uint32_t first = 0;
#if defined(TINYOL_VECTORS)
  for (; first + 4 <= n; first += 4) {
    store_four(exp_of_negative(load_four(z + first) - highest), z + first);
  }
  if (first < n) {
    const FourFloats e = exp_of_negative(load_fewer(z + first, n - first) - highest);
    for (uint32_t k = 0; first + k < n; ++k) z[first + k] = e[k];
    first = n;
  }
#endif
  for (uint32_t i = first; i < n; ++i) {
    // exp_f32, to the bit, of a number that is not above 0: here in one factor, since n >= -126.
    const float x = z[i] - highest;
    float p = 0.0f;
    if (x >= kExpMin) {
      const int32_t power = nearest_power(x, -0.5f);
      p = exp_of_rest(x, static_cast<float>(power)) *
          float_from_bits(static_cast<uint32_t>(power + 127) << 23);
    }
    z[i] = p;
  }
  const float inverse = 1.0f / sum_f32(z, n);
  for (uint32_t i = 0; i < n; ++i) z[i] *= inverse;
  return static_cast<int>(best);
}

}  // namespace tinyol
