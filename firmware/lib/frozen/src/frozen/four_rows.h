// The inner loop of an int8 layer: four rows of weights times one input, exactly. Portable C++;
// blocks_dsp.cpp has it for an Arm core with the DSP instructions.
#pragma once

#include <stdint.h>

namespace tinyol {
namespace frozen {

// sums[r] = sum over c of weights[r][c] input[c], r from 0 to 3.
// weights: a block of four rows (net_blob.h), 16 n_words bytes; input: 4 n_words bytes; both at
// multiples of 4. n_words: 1 to 16384, so that |sum| stays below 2^31.
void dot_four_rows_int8(const int8_t* weights, const int8_t* input, uint32_t n_words,
                        int32_t sums[4]);

}  // namespace frozen
}  // namespace tinyol
