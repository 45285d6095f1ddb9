// The inner loops over one row of floats for the FPU of a Cortex-M4F, four at a time, with the
// sixteen registers that a function need not save. Why they are in assembly, and that the bits
// are the plain loops': four_rows_vfp.h.
#pragma once

#include <stdint.h>

// Not at -O0, where GCC finds registers for seven operands only.
#if defined(__thumb2__) && defined(__ARM_ARCH_7EM__) && defined(__ARM_FP) && \
    defined(__OPTIMIZE__) && !defined(TINYOL_PLAIN_KERNELS)
#define TINYOL_VFP 1

#define TINYOL_LOW_SINGLES                                                                       \
  "s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11", "s12", "s13", "s14", \
      "s15"

namespace tinyol {

// clang-format off
// The sum over two rows of what `four` makes of s4 to s7 and s8 to s11, `one` of s4 and s8, both in
// place of the former; as bits, in n.
#define TINYOL_SUM_OF_ROWS(name, four, one)               \
  "vmov.f32 s3, #1.0\n\t"                                 \
  "vsub.f32 s0, s3, s3\n\t"                               \
  "vsub.f32 s1, s3, s3\n\t"                               \
  "vsub.f32 s2, s3, s3\n\t"                               \
  "vsub.f32 s3, s3, s3\n\t"                               \
  "subs %[n], %[n], #4\n\t"                               \
  "blo 2f\n"                                              \
  "@ LLVM-MCA-BEGIN " name "\n"                           \
  "1:\n\t"                                                \
  "vldmia %[a]!, {s4-s7}\n\t"                             \
  "vldmia %[b]!, {s8-s11}\n\t"                            \
  four                                                    \
  "vadd.f32 s0, s0, s4\n\t"                               \
  "vadd.f32 s1, s1, s5\n\t"                               \
  "vadd.f32 s2, s2, s6\n\t"                               \
  "vadd.f32 s3, s3, s7\n\t"                               \
  "subs %[n], %[n], #4\n\t"                               \
  "bhs 1b\n"                                              \
  "@ LLVM-MCA-END\n"                                      \
  "2:\n\t"                                                \
  "adds %[n], %[n], #3\n\t" /* the columns left, less one */ \
  "blt 3f\n\t"                                            \
  "vldmia %[a]!, {s4}\n\t"                                \
  "vldmia %[b]!, {s8}\n\t"                                \
  one                                                     \
  "subs %[n], %[n], #1\n\t"                               \
  "vadd.f32 s0, s0, s4\n\t"                               \
  "blt 3f\n\t"                                            \
  "vldmia %[a]!, {s4}\n\t"                                \
  "vldmia %[b]!, {s8}\n\t"                                \
  one                                                     \
  "subs %[n], %[n], #1\n\t"                               \
  "vadd.f32 s1, s1, s4\n\t"                               \
  "blt 3f\n\t"                                            \
  "vldr s4, [%[a]]\n\t"                                   \
  "vldr s8, [%[b]]\n\t"                                   \
  one                                                     \
  "vadd.f32 s2, s2, s4\n\t"                               \
  "3:\n\t"                                                \
  "vadd.f32 s0, s0, s1\n\t"                               \
  "vadd.f32 s2, s2, s3\n\t"                               \
  "vadd.f32 s0, s0, s2\n\t"                               \
  "vmov %[n], s0\n\t"
// clang-format on

// The bits of dot_f32(a, b, n).
static inline __attribute__((always_inline)) uint32_t vfp_dot_row(const float* a, const float* b,
                                                                  uint32_t n) {
  __asm__ volatile(TINYOL_SUM_OF_ROWS("dot_f32",
                                      "vmul.f32 s4, s4, s8\n\t"
                                      "vmul.f32 s5, s5, s9\n\t"
                                      "vmul.f32 s6, s6, s10\n\t"
                                      "vmul.f32 s7, s7, s11\n\t",
                                      "vmul.f32 s4, s4, s8\n\t")
                   : [a] "+r"(a), [b] "+r"(b), [n] "+r"(n)
                   :
                   : "cc", "memory", TINYOL_LOW_SINGLES);
  return n;
}

// The bits of squared_distance_f32(a, b, n).
static inline __attribute__((always_inline)) uint32_t vfp_squared_distance(const float* a,
                                                                           const float* b,
                                                                           uint32_t n) {
  __asm__ volatile(TINYOL_SUM_OF_ROWS("squared_distance_f32",
                                      "vsub.f32 s4, s4, s8\n\t"
                                      "vsub.f32 s5, s5, s9\n\t"
                                      "vsub.f32 s6, s6, s10\n\t"
                                      "vsub.f32 s7, s7, s11\n\t"
                                      "vmul.f32 s4, s4, s4\n\t"
                                      "vmul.f32 s5, s5, s5\n\t"
                                      "vmul.f32 s6, s6, s6\n\t"
                                      "vmul.f32 s7, s7, s7\n\t",
                                      "vsub.f32 s4, s4, s8\n\t"
                                      "vmul.f32 s4, s4, s4\n\t")
                   : [a] "+r"(a), [b] "+r"(b), [n] "+r"(n)
                   :
                   : "cc", "memory", TINYOL_LOW_SINGLES);
  return n;
}

// row[j] -= step * input[j].
static inline __attribute__((always_inline)) void vfp_subtract_row(float* row, const float* input,
                                                                   uint32_t n, float step) {
  __asm__ volatile(
      "vmov s12, %[step]\n\t"
      "subs %[n], %[n], #4\n\t"
      "blo 2f\n"
      "@ LLVM-MCA-BEGIN subtract_scaled_f32\n"
      "1:\n\t"
      "vldmia %[input]!, {s0-s3}\n\t"
      "vldmia %[row], {s4-s7}\n\t"
      "vmul.f32 s0, s0, s12\n\t"
      "vmul.f32 s1, s1, s12\n\t"
      "vmul.f32 s2, s2, s12\n\t"
      "vmul.f32 s3, s3, s12\n\t"
      "vsub.f32 s4, s4, s0\n\t"
      "vsub.f32 s5, s5, s1\n\t"
      "vsub.f32 s6, s6, s2\n\t"
      "vsub.f32 s7, s7, s3\n\t"
      "subs %[n], %[n], #4\n\t"
      "vstmia %[row]!, {s4-s7}\n\t"
      "bhs 1b\n"
      "@ LLVM-MCA-END\n"
      "2:\n\t"
      "adds %[n], %[n], #4\n\t"
      "beq 4f\n"
      "3:\n\t"
      "vldmia %[input]!, {s0}\n\t"
      "vldr s4, [%[row]]\n\t"
      "vmul.f32 s0, s0, s12\n\t"
      "subs %[n], %[n], #1\n\t"
      "vsub.f32 s4, s4, s0\n\t"
      "vstmia %[row]!, {s4}\n\t"
      "bne 3b\n"
      "4:\n\t"
      : [row] "+r"(row), [input] "+r"(input), [n] "+r"(n)
      : [step] "r"(step)
      : "cc", "memory", TINYOL_LOW_SINGLES);
}

// to[j] = factor * from[j].
static inline __attribute__((always_inline)) void vfp_scale(const float* from, uint32_t n,
                                                            float factor, float* to) {
  __asm__ volatile(
      "vmov s8, %[factor]\n\t"
      "subs %[n], %[n], #4\n\t"
      "blo 2f\n"
      "1:\n\t"
      "vldmia %[from]!, {s0-s3}\n\t"
      "vmul.f32 s0, s0, s8\n\t"
      "vmul.f32 s1, s1, s8\n\t"
      "vmul.f32 s2, s2, s8\n\t"
      "vmul.f32 s3, s3, s8\n\t"
      "subs %[n], %[n], #4\n\t"
      "vstmia %[to]!, {s0-s3}\n\t"
      "bhs 1b\n"
      "2:\n\t"
      "adds %[n], %[n], #4\n\t"
      "beq 4f\n"
      "3:\n\t"
      "vldmia %[from]!, {s0}\n\t"
      "vmul.f32 s0, s0, s8\n\t"
      "subs %[n], %[n], #1\n\t"
      "vstmia %[to]!, {s0}\n\t"
      "bne 3b\n"
      "4:\n\t"
      : [from] "+r"(from), [to] "+r"(to), [n] "+r"(n)
      : [factor] "r"(factor)
      : "cc", "memory", TINYOL_LOW_SINGLES);
}

#define TINYOL_LARGER(bits) \
  "cmp %[largest], " #bits  \
  ", lsl #1\n\t"            \
  "it lo\n\t"               \
  "lsllo %[largest], " #bits ", #1\n\t"

// The largest of |x[j]| and |among|, a NaN being larger than infinity; all as their bits.
static inline __attribute__((always_inline)) uint32_t vfp_largest_bits(const float* x, uint32_t n,
                                                                       uint32_t among) {
  uint32_t largest = among << 1;  // without their signs
  __asm__ volatile(
      "subs %[n], %[n], #4\n\t"
      "blo 2f\n"
      "1:\n\t"
      "ldmia %[x]!, {r2-r5}\n\t"  //
      TINYOL_LARGER(r2) TINYOL_LARGER(r3) TINYOL_LARGER(r4) TINYOL_LARGER(r5)
      "subs %[n], %[n], #4\n\t"
      "bhs 1b\n"
      "2:\n\t"
      "adds %[n], %[n], #4\n\t"
      "beq 4f\n"
      "3:\n\t"
      "ldr r2, [%[x]], #4\n\t"
      TINYOL_LARGER(r2)
      "subs %[n], %[n], #1\n\t"
      "bne 3b\n"
      "4:\n\t"
      : [x] "+r"(x), [n] "+r"(n), [largest] "+r"(largest)
      :
      : "cc", "memory", "r2", "r3", "r4", "r5");
  return largest >> 1;
}

}  // namespace tinyol

#undef TINYOL_SUM_OF_ROWS
#undef TINYOL_LOW_SINGLES
#undef TINYOL_LARGER
#endif
