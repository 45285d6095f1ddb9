// Int8 layers in blocks of four rows, with the DSP instructions of an Arm core.
#pragma once

#include <stdint.h>

#include "frozen/fully_connected_dsp.h"
#include "frozen/kernels.h"

#if TINYOL_DSP_KERNELS

namespace tinyol {
namespace frozen {

// Words of the input for which the sums of two rows fit one register (blocks_dsp.cpp).
constexpr uint32_t kMaxDspWords = 127;

// Whole blocks of four outputs. The assembly reads it by place.
struct DspBlocks {
  const int8_t* input;
  uint32_t n_words;  // 1 to kMaxDspWords
  int32_t start[4];  // of each sum: -128 sum(input)
  int32_t zero_point;
  int8_t* output;
  const int8_t* output_end;   // a multiple of 4 behind `output`, not 0
  uint32_t factor;            // 2 m, modulo 2^32, of all outputs;
  uint32_t step;              // 2^(32 - right)
  const Multiplier* factors;  // or one an output
  const int32_t* bias;
};

// outputs = zero point + factor * (bias + weights input), saturated to int8, for factors with a
// multiplier from 2^30 on and a right shift of at least 2. weights: of the blocks (net_blob.h).
// `blocks` is used up.
void run_with_one_factor(DspBlocks* blocks, const int8_t* weights);
void run_with_factors(DspBlocks* blocks, const int8_t* weights);

// sums[r] += sum over c of weights[r][c] input[c] for a block, where the weights of the even rows
// are still + 128. n_words: 1 to kMaxDspWords.
void add_four_rows(const int8_t* weights, const int8_t* input, uint32_t n_words, int32_t sums[4]);

}  // namespace frozen
}  // namespace tinyol

#endif
