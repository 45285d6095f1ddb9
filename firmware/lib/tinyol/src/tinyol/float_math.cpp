#include "tinyol/fp_contract.h"

#include "tinyol/float_math.h"

#include <string.h>

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
  // x = n ln2 + r with |r| <= ln2 / 2; then e^x = 2^n e^r.
  const float rounded = x * kLog2E + (x >= 0.0f ? 0.5f : -0.5f);
  const int32_t n = static_cast<int32_t>(rounded);
  const float nf = static_cast<float>(n);
  const float r = (x - nf * kLn2High) - nf * kLn2Low;
  // e^r = 1 + r + r^2 P(r), P a minimax polynomial (relative error 3e-9).
  float p = 1.38144672e-3f;
  p = p * r + 8.36878084e-3f;
  p = p * r + 4.16683927e-2f;
  p = p * r + 1.66665196e-1f;
  p = p * r + 4.99999940e-1f;
  const float e = 1.0f + (r + (r * r) * p);
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
  float s[4] = {0.0f, 0.0f, 0.0f, 0.0f};
  uint32_t i = 0;
  for (; i + 4 <= n; i += 4) {
    s[0] += a[i] * b[i];
    s[1] += a[i + 1] * b[i + 1];
    s[2] += a[i + 2] * b[i + 2];
    s[3] += a[i + 3] * b[i + 3];
  }
  for (uint32_t k = 0; i < n; ++i, ++k) s[k] += a[i] * b[i];
  return (s[0] + s[1]) + (s[2] + s[3]);
}

float squared_distance_f32(const float* a, const float* b, uint32_t n) {
  float s[4] = {0.0f, 0.0f, 0.0f, 0.0f};
  for (uint32_t i = 0; i < n; ++i) {
    const float d = a[i] - b[i];
    s[i & 3u] += d * d;
  }
  return (s[0] + s[1]) + (s[2] + s[3]);
}

float sum_f32(const float* a, uint32_t n, uint32_t stride) {
  float s[4] = {0.0f, 0.0f, 0.0f, 0.0f};
  for (uint32_t i = 0; i < n; ++i) s[i & 3u] += a[i * stride];
  return (s[0] + s[1]) + (s[2] + s[3]);
}

}  // namespace tinyol
