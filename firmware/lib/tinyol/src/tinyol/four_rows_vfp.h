// The inner loops of a linear layer for the FPU of a Cortex-M4F: four rows of its weights at a
// time, eight columns a turn, so that one load of the inputs serves four rows and no instruction
// waits for the result of the one before it. Each sum is taken in the order of dot_f32 and nothing
// is fused: the bits are those of the plain loops in linear_layer.cpp, which every other CPU runs,
// and this one too with -DTINYOL_PLAIN_KERNELS.
//
// In assembly because GCC loads each weight by itself (VLDR: 2 cycles; VLDM: 1, and 1 for each
// register) and cannot keep sixteen sums in registers. A turn is 71 instructions for 32 weights in
// the sum, 75 in the update.
#pragma once

#include <stdint.h>

#include "tinyol/one_row_vfp.h"

#if defined(TINYOL_VFP)

// clang-format off
#define TINYOL_MUL(to, a, b) "vmul.f32 " #to ", " #a ", " #b "\n\t"
#define TINYOL_ADD(to, a, b) "vadd.f32 " #to ", " #a ", " #b "\n\t"
#define TINYOL_SUB(to, a, b) "vsub.f32 " #to ", " #a ", " #b "\n\t"
#define TINYOL_LOAD(from, to) "vldmia %[" #from "]!, {" #to "}\n\t"
#define TINYOL_STORE(to, from) "vstmia %[" #to "]!, {" #from "}\n\t"
#define TINYOL_ALL_SINGLES                                                                \
  "s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11", "s12", "s13", \
  "s14", "s15", "s16", "s17", "s18", "s19", "s20", "s21", "s22", "s23", "s24", "s25",     \
  "s26", "s27", "s28", "s29", "s30", "s31"

// The next products of a row, on to its four sums; the inputs are in s16 and above.
#define TINYOL_SUM_FOUR(row, sum0, sum1, sum2, sum3)       \
  TINYOL_LOAD(row, s24-s27)                                \
  TINYOL_MUL(s24, s24, s16) TINYOL_MUL(s25, s25, s17)      \
  TINYOL_MUL(s26, s26, s18) TINYOL_MUL(s27, s27, s19)      \
  TINYOL_ADD(sum0, sum0, s24) TINYOL_ADD(sum1, sum1, s25)  \
  TINYOL_ADD(sum2, sum2, s26) TINYOL_ADD(sum3, sum3, s27)

#define TINYOL_SUM_EIGHT(row, sum0, sum1, sum2, sum3)      \
  TINYOL_LOAD(row, s24-s31)                                \
  TINYOL_MUL(s24, s24, s16) TINYOL_MUL(s25, s25, s17)      \
  TINYOL_MUL(s26, s26, s18) TINYOL_MUL(s27, s27, s19)      \
  TINYOL_MUL(s28, s28, s20) TINYOL_MUL(s29, s29, s21)      \
  TINYOL_MUL(s30, s30, s22) TINYOL_MUL(s31, s31, s23)      \
  TINYOL_ADD(sum0, sum0, s24) TINYOL_ADD(sum1, sum1, s25)  \
  TINYOL_ADD(sum2, sum2, s26) TINYOL_ADD(sum3, sum3, s27)  \
  TINYOL_ADD(sum0, sum0, s28) TINYOL_ADD(sum1, sum1, s29)  \
  TINYOL_ADD(sum2, sum2, s30) TINYOL_ADD(sum3, sum3, s31)

// The next column of the four rows, on to one sum of each.
#define TINYOL_SUM_COLUMN(sum0, sum1, sum2, sum3)          \
  TINYOL_LOAD(input, s16)                                  \
  TINYOL_LOAD(row0, s24) TINYOL_LOAD(row1, s25)            \
  TINYOL_LOAD(row2, s26) TINYOL_LOAD(row3, s27)            \
  TINYOL_MUL(s24, s24, s16) TINYOL_MUL(s25, s25, s16)      \
  TINYOL_MUL(s26, s26, s16) TINYOL_MUL(s27, s27, s16)      \
  TINYOL_ADD(sum0, sum0, s24) TINYOL_ADD(sum1, sum1, s25)  \
  TINYOL_ADD(sum2, sum2, s26) TINYOL_ADD(sum3, sum3, s27)

// The next weights of a row, less `step` times the inputs in s0 to s7; the first product is in s16
// already. The store would wait for the difference before it: `meanwhile` comes between.
#define TINYOL_LESS_EIGHT(row, step, meanwhile)            \
  "vldmia %[" #row "], {s8-s15}\n\t"                       \
  TINYOL_MUL(s17, s1, step)                                \
  TINYOL_MUL(s18, s2, step) TINYOL_MUL(s19, s3, step)      \
  TINYOL_MUL(s20, s4, step) TINYOL_MUL(s21, s5, step)      \
  TINYOL_MUL(s22, s6, step) TINYOL_MUL(s23, s7, step)      \
  TINYOL_SUB(s8, s8, s16) TINYOL_SUB(s9, s9, s17)          \
  TINYOL_SUB(s10, s10, s18) TINYOL_SUB(s11, s11, s19)      \
  TINYOL_SUB(s12, s12, s20) TINYOL_SUB(s13, s13, s21)      \
  TINYOL_SUB(s14, s14, s22) TINYOL_SUB(s15, s15, s23)      \
  meanwhile                                                \
  TINYOL_STORE(row, s8-s15)

// The next column of the four rows, less the steps in s24 to s27 times its input.
#define TINYOL_LESS_COLUMN                                 \
  TINYOL_LOAD(input, s0)                                   \
  "vldr s8, [%[row0]]\n\t"                                 \
  "vldr s9, [%[row1]]\n\t"                                 \
  "vldr s10, [%[row2]]\n\t"                                \
  "vldr s11, [%[row3]]\n\t"                                \
  TINYOL_MUL(s16, s0, s24) TINYOL_MUL(s17, s0, s25)        \
  TINYOL_MUL(s18, s0, s26) TINYOL_MUL(s19, s0, s27)        \
  TINYOL_SUB(s8, s8, s16) TINYOL_SUB(s9, s9, s17)          \
  TINYOL_SUB(s10, s10, s18) TINYOL_SUB(s11, s11, s19)      \
  TINYOL_STORE(row0, s8) TINYOL_STORE(row1, s9)            \
  TINYOL_STORE(row2, s10) TINYOL_STORE(row3, s11)

namespace tinyol {

// output[r] = dot_f32(row, input, n) + bias[r] for four rows, `stride` floats from one to the next.
static inline __attribute__((always_inline)) void vfp_dot_four_rows(const float* row0, uint32_t stride, const float* input,
                                     uint32_t n, const float* bias, float* output) {
  const float* row1 = row0 + stride;
  const float* row2 = row1 + stride;
  const float* row3 = row2 + stride;
  // Sum k of row r is in s(4 r + k).
  __asm__ volatile(
      "vmov.f32 s15, #1.0\n\t"
      TINYOL_SUB(s0, s15, s15) TINYOL_SUB(s1, s15, s15) TINYOL_SUB(s2, s15, s15)
      TINYOL_SUB(s3, s15, s15) TINYOL_SUB(s4, s15, s15) TINYOL_SUB(s5, s15, s15)
      TINYOL_SUB(s6, s15, s15) TINYOL_SUB(s7, s15, s15) TINYOL_SUB(s8, s15, s15)
      TINYOL_SUB(s9, s15, s15) TINYOL_SUB(s10, s15, s15) TINYOL_SUB(s11, s15, s15)
      TINYOL_SUB(s12, s15, s15) TINYOL_SUB(s13, s15, s15) TINYOL_SUB(s14, s15, s15)
      TINYOL_SUB(s15, s15, s15)
      "subs %[n], %[n], #8\n\t"
      "blo 2f\n"
      "@ LLVM-MCA-BEGIN dot_four_rows_f32\n"
      "1:\n\t"
      TINYOL_LOAD(input, s16-s23)
      TINYOL_SUM_EIGHT(row0, s0, s1, s2, s3)
      TINYOL_SUM_EIGHT(row1, s4, s5, s6, s7)
      TINYOL_SUM_EIGHT(row2, s8, s9, s10, s11)
      TINYOL_SUM_EIGHT(row3, s12, s13, s14, s15)
      "subs %[n], %[n], #8\n\t"
      "bhs 1b\n"
      "@ LLVM-MCA-END\n"
      "2:\n\t"  // the columns left are in n modulo 8
      "tst %[n], #4\n\t"
      "beq 3f\n\t"
      TINYOL_LOAD(input, s16-s19)
      TINYOL_SUM_FOUR(row0, s0, s1, s2, s3)
      TINYOL_SUM_FOUR(row1, s4, s5, s6, s7)
      TINYOL_SUM_FOUR(row2, s8, s9, s10, s11)
      TINYOL_SUM_FOUR(row3, s12, s13, s14, s15)
      "3:\n\t"
      "ands %[n], %[n], #3\n\t"
      "beq 4f\n\t"
      TINYOL_SUM_COLUMN(s0, s4, s8, s12)
      "subs %[n], %[n], #1\n\t"
      "beq 4f\n\t"
      TINYOL_SUM_COLUMN(s1, s5, s9, s13)
      "subs %[n], %[n], #1\n\t"
      "beq 4f\n\t"
      TINYOL_SUM_COLUMN(s2, s6, s10, s14)
      "4:\n\t"
      TINYOL_ADD(s0, s0, s1) TINYOL_ADD(s4, s4, s5)
      TINYOL_ADD(s8, s8, s9) TINYOL_ADD(s12, s12, s13)
      TINYOL_ADD(s2, s2, s3) TINYOL_ADD(s6, s6, s7)
      TINYOL_ADD(s10, s10, s11) TINYOL_ADD(s14, s14, s15)
      "vldmia %[bias], {s16-s19}\n\t"
      TINYOL_ADD(s0, s0, s2) TINYOL_ADD(s1, s4, s6)
      TINYOL_ADD(s2, s8, s10) TINYOL_ADD(s3, s12, s14)
      TINYOL_ADD(s0, s0, s16) TINYOL_ADD(s1, s1, s17)
      TINYOL_ADD(s2, s2, s18) TINYOL_ADD(s3, s3, s19)
      "vstmia %[output], {s0-s3}\n\t"
      : [row0] "+r"(row0), [row1] "+r"(row1), [row2] "+r"(row2), [row3] "+r"(row3),
        [input] "+r"(input), [n] "+r"(n)
      : [bias] "r"(bias), [output] "r"(output)
      : "cc", "memory", TINYOL_ALL_SINGLES);
}

// row0[r * n + j] -= steps[r] * input[j] for the four rows.
static inline __attribute__((always_inline)) void vfp_subtract_four_rows(float* row0, const float* input, uint32_t n,
                                          const float* steps) {
  float* row1 = row0 + n;
  float* row2 = row1 + n;
  float* row3 = row2 + n;
  __asm__ volatile(
      "vldmia %[steps], {s24-s27}\n\t"
      "subs %[n], %[n], #8\n\t"
      "blo 2f\n"
      "@ LLVM-MCA-BEGIN subtract_four_rows_f32\n"
      "1:\n\t"
      TINYOL_LOAD(input, s0-s7)
      TINYOL_MUL(s16, s0, s24)
      TINYOL_LESS_EIGHT(row0, s24, TINYOL_MUL(s16, s0, s25))
      TINYOL_LESS_EIGHT(row1, s25, TINYOL_MUL(s16, s0, s26))
      TINYOL_LESS_EIGHT(row2, s26, TINYOL_MUL(s16, s0, s27))
      TINYOL_LESS_EIGHT(row3, s27, "subs %[n], %[n], #8\n\t")
      "bhs 1b\n"
      "@ LLVM-MCA-END\n"
      "2:\n\t"
      "ands %[n], %[n], #7\n\t"
      "beq 4f\n"
      "3:\n\t"
      TINYOL_LESS_COLUMN
      "subs %[n], %[n], #1\n\t"
      "bne 3b\n"
      "4:\n\t"
      : [row0] "+r"(row0), [row1] "+r"(row1), [row2] "+r"(row2), [row3] "+r"(row3),
        [input] "+r"(input), [n] "+r"(n)
      : [steps] "r"(steps)
      : "cc", "memory", TINYOL_ALL_SINGLES);
}

}  // namespace tinyol
// clang-format on

#undef TINYOL_MUL
#undef TINYOL_ADD
#undef TINYOL_SUB
#undef TINYOL_LOAD
#undef TINYOL_STORE
#undef TINYOL_ALL_SINGLES
#undef TINYOL_SUM_FOUR
#undef TINYOL_SUM_EIGHT
#undef TINYOL_SUM_COLUMN
#undef TINYOL_LESS_EIGHT
#undef TINYOL_LESS_COLUMN
#endif
