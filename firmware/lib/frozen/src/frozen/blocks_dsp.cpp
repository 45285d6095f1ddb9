// How a multiply-accumulate takes less than the two instructions that it seems to need (half an
// SMLAD, half the unpacking of a weight, and the loads).
//
// A halfword of a block holds the weights of two rows for one column (net_blob.h):
// h = 256 odd + (even + 128). SMLAD takes two such halfwords times two inputs as they lie there:
// its sum is 256 sum(odd x) + sum((even + 128) x). The low bytes alone, unpacked by one UXTB16,
// give the second of the two sums with another SMLAD; the first is their difference / 256; and
// what the 128 adds is 128 sum(x), once a layer. So four weights take three instructions, and not
// two SXTB16 and two SMLAD. All of it is modulo 2^32: exact as long as |sum(odd x)| < 2^23, which
// 127 words of int8 keep, whatever the weights; wider layers are summed in pieces.
//
// The rounding of gemmlowp takes two SMMLAR (a + (b c + 2^31) / 2^32):
//   first   h = (v m + 2^30) >> 31 = (v 2m + 2^31) >> 32. For m from 2^30 on 2m is an int32 only
//           as 2m - 2^32; the v that is so taken off is what SMMLAR adds.
//   second  ties away from zero are ties upwards of h - (h < 0), and h > -2^31:
//           zero point + ((h - (h < 0)) 2^(32 - right) + 2^31) >> 32, for a right shift from 2 on
#include "frozen/blocks_dsp.h"

#if TINYOL_DSP_KERNELS

#include <stddef.h>

namespace tinyol {
namespace frozen {

static_assert(offsetof(DspBlocks, zero_point) == 24 && offsetof(DspBlocks, output) == 28 &&
                  offsetof(DspBlocks, factors) == 44 && offsetof(DspBlocks, bias) == 48 &&
                  offsetof(Multiplier, shift) == 4,
              "the places that the assembly reads");

// clang-format off

// r0 weights, r1 input, r2 words; sums of rows 0 to 3: r3 and r11 (256 times the odd row, and the
// even one once more), r12 and lr. Uses r4 to r10.
#define FOUR_COLUMNS(x)                   \
  "ldmia  r0!, {r4-r7}             \n"    \
  "sxtb16 r10, " x "               \n"    \
  "sxtb16 " x ", " x ", ror #8     \n"    \
  "smlad  r11, r4, r10, r11        \n"    \
  "uxtb16 r4, r4                   \n"    \
  "smlad  r3, r4, r10, r3          \n"    \
  "smlad  lr, r6, r10, lr          \n"    \
  "uxtb16 r6, r6                   \n"    \
  "smlad  r12, r6, r10, r12        \n"    \
  "smlad  r11, r5, " x ", r11      \n"    \
  "uxtb16 r5, r5                   \n"    \
  "smlad  r3, r5, " x ", r3        \n"    \
  "smlad  lr, r7, " x ", lr        \n"    \
  "uxtb16 r7, r7                   \n"    \
  "smlad  r12, r7, " x ", r12      \n"

// Two words of the input a turn, an odd one first.
#define FOUR_ROWS(begin, end)             \
  "lsrs   r2, r2, #1               \n"    \
  "bcc    2f                       \n"    \
  "ldr    r8, [r1], #4             \n"    \
  FOUR_COLUMNS("r8")                      \
  "2:                              \n"    \
  "beq    4f                       \n"    \
  "3:                              \n"    \
  begin                                   \
  "ldmia  r1!, {r8, r9}            \n"    \
  FOUR_COLUMNS("r8")                      \
  FOUR_COLUMNS("r9")                      \
  "subs   r2, r2, #1               \n"    \
  "bne    3b                       \n"    \
  end                                     \
  "4:                              \n"

// r4 to r7: biases (behind r1) and sums together.
#define ADD_BIASES                        \
  "ldmia  r1!, {r4-r7}             \n"    \
  "add    r4, r4, r3               \n"    \
  "sub    r11, r11, r3             \n"    \
  "add    r5, r5, r11, asr #8      \n"    \
  "add    r6, r6, r12              \n"    \
  "sub    lr, lr, r12              \n"    \
  "add    r7, r7, lr, asr #8       \n"

// v rounded twice, to int8; r8 factor, r9 step, r1 zero point, r2 output.
#define STORE_OUTPUT(v)                   \
  "smmlar " v ", " v ", r8, " v "  \n"    \
  "add    " v ", " v ", " v ", asr #31 \n" \
  "smmlar " v ", " v ", r9, r1     \n"    \
  "ssat   " v ", #8, " v "         \n"    \
  "strb   " v ", [r2], #1          \n"

// r12 the multipliers, r11 2^31: 2^(32 + shift) is 2^31 >> (-1 - shift).
#define NEXT_FACTOR                       \
  "ldrd   r8, r9, [r12], #8        \n"    \
  "lsl    r8, r8, #1               \n"    \
  "mvn    r9, r9                   \n"    \
  "lsr    r9, r11, r9              \n"

// r10, and [sp]: the middle of a DspBlocks, at its zero point.
#define BLOCKS_BEGIN                      \
  "push   {r3-r11, lr}             \n" /* r3: a place */ \
  "add    r10, r0, #24             \n"    \
  "mov    r0, r1                   \n"    \
  "str    r10, [sp]                \n"    \
  "1:                              \n"    \
  "ldmdb  r10, {r1, r2, r3, r11, r12, lr} \n"

#define BIASES                            \
  "ldr    r10, [sp]                \n"    \
  "ldr    r1, [r10, #24]           \n"    \
  ADD_BIASES                              \
  "str    r1, [r10, #24]           \n"

// r2 the output and r3 its end.
#define BLOCKS_END                        \
  "str    r2, [r10, #4]            \n"    \
  "cmp    r2, r3                   \n"    \
  "bne    1b                       \n"    \
  "pop    {r3-r11, pc}             \n"

// All are naked, so that every register is theirs whatever the flags (the frame pointer's too).
__attribute__((naked, noinline)) void run_with_one_factor(DspBlocks*, const int8_t* /*weights*/) {
  __asm volatile(
      BLOCKS_BEGIN
      FOUR_ROWS("@ LLVM-MCA-BEGIN four_rows_int8\n", "@ LLVM-MCA-END\n")
      BIASES
      "ldmia  r10, {r1, r2, r3, r8, r9} \n"  // zero point, output, its end, factor, step
      STORE_OUTPUT("r4")
      STORE_OUTPUT("r5")
      STORE_OUTPUT("r6")
      STORE_OUTPUT("r7")
      BLOCKS_END);
}

__attribute__((naked, noinline)) void run_with_factors(DspBlocks*, const int8_t* /*weights*/) {
  __asm volatile(
      BLOCKS_BEGIN
      FOUR_ROWS("", "")
      BIASES
      "mov    r11, #0x80000000         \n"
      "ldr    r12, [r10, #20]          \n"
      "ldmia  r10, {r1, r2, r3}        \n"  // zero point, output, its end
      NEXT_FACTOR STORE_OUTPUT("r4")
      NEXT_FACTOR STORE_OUTPUT("r5")
      NEXT_FACTOR STORE_OUTPUT("r6")
      NEXT_FACTOR STORE_OUTPUT("r7")
      "str    r12, [r10, #20]          \n"
      BLOCKS_END);
}

__attribute__((naked, noinline)) void add_four_rows(const int8_t* /*weights*/,
                                                    const int8_t* /*input*/, uint32_t /*n_words*/,
                                                    int32_t* /*sums*/) {
  __asm volatile(
      "push   {r3-r11, lr}             \n"
      "mov    r3, #0                   \n"
      "mov    r11, #0                  \n"
      "mov    r12, #0                  \n"
      "mov    lr, #0                   \n"
      FOUR_ROWS("", "")
      "ldr    r8, [sp]                 \n"
      "mov    r1, r8                   \n"
      ADD_BIASES
      "stmia  r8, {r4-r7}              \n"
      "pop    {r3-r11, pc}             \n");
}

#undef BLOCKS_END
#undef BIASES
#undef BLOCKS_BEGIN
#undef NEXT_FACTOR
#undef STORE_OUTPUT
#undef ADD_BIASES
#undef FOUR_ROWS
#undef FOUR_COLUMNS

// clang-format on

}  // namespace frozen
}  // namespace tinyol

#endif
