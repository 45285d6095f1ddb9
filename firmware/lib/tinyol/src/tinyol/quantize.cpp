#include "tinyol/fp_contract.h"

#include "tinyol/quantize.h"

#include <string.h>

// Four numbers at a time where the CPU can; TINYOL_PLAIN_KERNELS: one by one there too.
#if defined(TINYOL_PLAIN_KERNELS)
#elif defined(__ARM_FEATURE_DSP) && defined(__thumb2__) && defined(__ARM_FP)
#define TINYOL_VFP_CONVERSIONS
#elif defined(__SSE2__)
#define TINYOL_SSE2_CONVERSIONS
#include <emmintrin.h>
#endif

namespace tinyol {
namespace {

// round(r) + zero point, halves away from zero, from 2 r cut towards zero: that is
// floor((twice + 1) / 2) from 0 on and floor(twice / 2) below, and whole numbers may be added
// before the shift. `added`: 2 zero_point + 1.
int32_t rounded(int32_t twice, int32_t added) {
  return (twice + (twice >> 31) + added) >> 1;
}

void quantize_one_by_one(const float* x, uint32_t n, float scale, int32_t zero_point, int8_t* q) {
  const int32_t added = 2 * zero_point + 1;
  for (uint32_t i = 0; i < n; ++i) {
    float r = x[i] / scale;
    // Far outside int8 already; keeps the conversion below defined on every CPU. Written so
    // that a NaN becomes the lower bound.
    r = r > -1024.0f ? r : -1024.0f;
    r = r < 1024.0f ? r : 1024.0f;
    const int32_t whole = rounded(static_cast<int32_t>(r + r), added);
    q[i] = static_cast<int8_t>(whole < -128 ? -128 : whole > 127 ? 127 : whole);
  }
}

void dequantize_one_by_one(const int8_t* q, uint32_t n, float scale, int32_t zero_point, float* x) {
  for (uint32_t i = 0; i < n; ++i) x[i] = static_cast<float>(q[i] - zero_point) * scale;
}

#if defined(TINYOL_VFP_CONVERSIONS)
// clang-format off

// Without a division where its bits cannot matter. x (2 / scale), as float32, is within
// 3.1 * 2^-24 of twice the quotient that float32 division gives, relatively, and cut to 16 binary
// places within 2^-16 of that: within 7.2 units of 2^-16 where the quotient is below 256 (beyond,
// int8 saturates, for any zero point). Further than that from a whole number, 8 units, both have
// the same next whole number below, and that is all that rounding needs. A NaN becomes 0, which
// is not far from a whole number.
struct Quantizer {
  float factor;   // 2 / scale; scale from 1e-30 to 1e30, so that no factor here is denormal
  int32_t added;  // 2 zero_point + 1, with 16 binary places
};

// Four numbers a turn, n_fours at least 1, as far as the above holds. Returns how many fours are
// left from the first where it does not.
__attribute__((naked, noinline)) uint32_t quantize_sure_fours(const float* /*x*/,
                                                              uint32_t /*n_fours*/, int8_t* /*q*/,
                                                              const Quantizer*) {
#define INTO_INT8(v)                         \
  "qadd   " v ", " v ", r4                  \n" \
  "ssat   " v ", #8, " v ", asr #17         \n" \
  "strb   " v ", [r2], #1                   \n"
  __asm volatile(
      "push   {r4-r10, lr}                  \n"
      "vldr   s4, [r3]                      \n"
      "ldr    r4, [r3, #4]                  \n"
      "mov    r5, #0x00080008               \n"
      "mov    r6, #0x00100010               \n"
      "@ LLVM-MCA-BEGIN quantize_int8\n"
      "1:                                   \n"
      "vldmia r0!, {s0-s3}                  \n"
      "vmul.f32 s0, s0, s4                  \n"
      "vmul.f32 s1, s1, s4                  \n"
      "vmul.f32 s2, s2, s4                  \n"
      "vmul.f32 s3, s3, s4                  \n"
      "vcvt.s32.f32 s0, s0, #16             \n"
      "vcvt.s32.f32 s1, s1, #16             \n"
      "vcvt.s32.f32 s2, s2, #16             \n"
      "vcvt.s32.f32 s3, s3, #16             \n"
      "vmov   r7, r8, s0, s1                \n"
      "vmov   r9, r10, s2, s3               \n"
      "pkhbt  r12, r7, r8, lsl #16          \n"  // the binary places of two
      "pkhbt  lr, r9, r10, lsl #16          \n"
      "uadd16 r12, r12, r5                  \n"  // + 8: below 16, where it is not sure
      "uadd16 lr, lr, r5                    \n"
      "uqsub16 r12, r6, r12                 \n"  // 16 - that, or 0
      "uqsub16 lr, r6, lr                   \n"
      "orrs   r12, r12, lr                  \n"
      "bne    2f                            \n"
      INTO_INT8("r7")
      INTO_INT8("r8")
      INTO_INT8("r9")
      INTO_INT8("r10")
      "subs   r1, r1, #1                    \n"
      "bne    1b                            \n"
      "@ LLVM-MCA-END\n"
      "2:                                   \n"
      "mov    r0, r1                        \n"
      "pop    {r4-r10, pc}                  \n");
#undef INTO_INT8
}

void dequantize_fours(const int8_t* q, uint32_t n_fours, float scale, int32_t minus_zero_point,
                      float* x) {
  int32_t word;
  int32_t a;
  int32_t b;
  __asm volatile(
      "@ LLVM-MCA-BEGIN dequantize_int8\n"
      "1:                                   \n"
      "ldr    %[word], [%[q]], #4           \n"
      "sxtab  %[a], %[minus], %[word]          \n"
      "sxtab  %[b], %[minus], %[word], ror #8  \n"
      "vmov   s0, s1, %[a], %[b]            \n"
      "sxtab  %[a], %[minus], %[word], ror #16 \n"
      "sxtab  %[b], %[minus], %[word], ror #24 \n"
      "vmov   s2, s3, %[a], %[b]            \n"
      "vcvt.f32.s32 s0, s0                  \n"
      "vcvt.f32.s32 s1, s1                  \n"
      "vcvt.f32.s32 s2, s2                  \n"
      "vcvt.f32.s32 s3, s3                  \n"
      "vmul.f32 s0, s0, %[scale]            \n"
      "vmul.f32 s1, s1, %[scale]            \n"
      "vmul.f32 s2, s2, %[scale]            \n"
      "vmul.f32 s3, s3, %[scale]            \n"
      "vstmia %[x]!, {s0-s3}                \n"
      "subs   %[n], %[n], #1                \n"
      "bne    1b                            \n"
      "@ LLVM-MCA-END\n"
      : [x] "+r"(x), [q] "+r"(q), [n] "+r"(n_fours), [word] "=&r"(word), [a] "=&r"(a),
        [b] "=&r"(b)
      : [scale] "t"(scale), [minus] "r"(minus_zero_point)
      : "s0", "s1", "s2", "s3", "cc", "memory");
}

// clang-format on

#elif defined(TINYOL_SSE2_CONVERSIONS)

// Compilers leave the loop one by one: a comparison with a NaN may not be done speculatively.
// MAXPS returns its second operand where the first is a NaN; both packs saturate.
void quantize_fours(const float* x, uint32_t n_fours, float scale, int32_t added, int8_t* q) {
  const __m128 scales = _mm_set1_ps(scale);
  const __m128i all_added = _mm_set1_epi32(added);
  for (const float* end = x + 4 * n_fours; x != end; x += 4, q += 4) {
    __m128 r = _mm_div_ps(_mm_loadu_ps(x), scales);
    r = _mm_min_ps(_mm_max_ps(r, _mm_set1_ps(-1024.0f)), _mm_set1_ps(1024.0f));
    const __m128i twice = _mm_cvttps_epi32(_mm_add_ps(r, r));
    const __m128i sums = _mm_add_epi32(_mm_add_epi32(twice, _mm_srai_epi32(twice, 31)), all_added);
    const __m128i whole = _mm_srai_epi32(sums, 1);
    const __m128i halves = _mm_packs_epi32(whole, whole);
    const int32_t bytes = _mm_cvtsi128_si32(_mm_packs_epi16(halves, halves));
    memcpy(q, &bytes, sizeof(bytes));
  }
}

#endif

}  // namespace

void quantize_int8(const float* x, uint32_t n, float scale, int32_t zero_point, int8_t* q) {
#if defined(TINYOL_VFP_CONVERSIONS)
  if (scale >= 1e-30f && scale <= 1e30f) {
    const Quantizer quantizer = {2.0f / scale, 65536 * (2 * zero_point + 1)};
    while (n >= 4) {
      const uint32_t fours = n >> 2;
      const uint32_t left = quantize_sure_fours(x, fours, q, &quantizer);
      // The first that are not sure are divided.
      const uint32_t sure = 4 * (fours - left);
      const uint32_t divided = left > 0 ? 4 : 0;
      quantize_one_by_one(x + sure, divided, scale, zero_point, q + sure);
      x += sure + divided;
      q += sure + divided;
      n -= sure + divided;
    }
  }
#elif defined(TINYOL_SSE2_CONVERSIONS)
  const uint32_t whole = n & ~3u;
  quantize_fours(x, whole >> 2, scale, 2 * zero_point + 1, q);
  x += whole;
  q += whole;
  n -= whole;
#endif
  quantize_one_by_one(x, n, scale, zero_point, q);
}

void dequantize_int8(const int8_t* q, uint32_t n, float scale, int32_t zero_point, float* x) {
  uint32_t done = 0;
#if defined(TINYOL_VFP_CONVERSIONS)
  const uint32_t fours = n >> 2;
  if (fours > 0) dequantize_fours(q, fours, scale, -zero_point, x);
  done = fours << 2;
#endif
  dequantize_one_by_one(q + done, n - done, scale, zero_point, x + done);
}

void write_tensor(const TensorView& tensor, const float* x, uint32_t n) {
  if (tensor.type == TensorType::kInt8) {
    quantize_int8(x, n, tensor.scale, tensor.zero_point, static_cast<int8_t*>(tensor.data));
  } else {
    memcpy(tensor.data, x, n * sizeof(float));
  }
}

void read_tensor(const TensorView& tensor, float* x, uint32_t n) {
  if (tensor.type == TensorType::kInt8) {
    dequantize_int8(static_cast<const int8_t*>(tensor.data), n, tensor.scale, tensor.zero_point, x);
  } else {
    memcpy(x, tensor.data, n * sizeof(float));
  }
}

}  // namespace tinyol
