#include "frozen/fully_connected_dsp.h"

#include "frozen/kernels.h"

#if TINYOL_DSP_KERNELS

#include <string.h>

#include "frozen/blocks_dsp.h"

namespace tinyol {
namespace frozen {
namespace {

// sum + the four bytes of `word`, each without its sign: USADA8 against 0.
uint32_t add_bytes(uint32_t word, uint32_t sum) {
  uint32_t result;
  __asm("usada8 %0, %1, %2, %3" : "=r"(result) : "r"(word), "r"(0u), "r"(sum));
  return result;
}

// What turns sums over (weight + 128) into sums over the weights: -128 sum(input).
int32_t start_of_sums(const int8_t* input, uint32_t n_words) {
  constexpr uint32_t kSigns = 0x80808080u;  // input + 128 has no sign
  uint32_t sum = 0;                         // below 2^24
  const uint32_t* word = reinterpret_cast<const uint32_t*>(input);
  const uint32_t* const end = word + n_words;
  if ((n_words & 1u) != 0) sum = add_bytes(*word++ ^ kSigns, sum);
  for (; word != end; word += 2) {
    const uint32_t first = word[0];
    const uint32_t second = word[1];
    sum = add_bytes(second ^ kSigns, add_bytes(first ^ kSigns, sum));
  }
  return static_cast<int32_t>((n_words << 16) - (sum << 7));
}

// Whether the two SMMLAR are the rounding of all of a layer's factors: m from 2^30 on, a right
// shift of at least 2.
bool are_usual(const Multiplier* factors, uint32_t n) {
  int32_t multipliers = -1;
  int32_t shifts = -1;
  for (uint32_t i = 0; i < n; ++i) {
    multipliers &= factors[i].multiplier;
    shifts &= factors[i].shift + 1;
  }
  return (multipliers & (1 << 30)) != 0 && shifts < 0;
}

// value at most `greatest` and at least `least`, byte by byte: SSUB8 finds which are greater, SEL
// takes them.
uint32_t clamp_bytes(uint32_t value, uint32_t least, uint32_t greatest) {
  uint32_t unused;
  __asm(
      "ssub8 %1, %0, %2\n"
      "sel   %0, %0, %2\n"
      "ssub8 %1, %3, %0\n"
      "sel   %0, %0, %3\n"
      : "+&r"(value), "=&r"(unused)
      : "r"(least), "r"(greatest)
      : "cc");
  return value;
}

int8_t clamp(int32_t value, int32_t least, int32_t greatest) {
  if (value < least) return static_cast<int8_t>(least);
  return static_cast<int8_t>(value > greatest ? greatest : value);
}

// A fused activation that is narrower than int8; values: at a multiple of 4.
__attribute__((noinline)) void clamp_all(int8_t* values, uint32_t n, int32_t least,
                                         int32_t greatest) {
  const uint32_t in_every_byte = 0x01010101u;
  const uint32_t least_bytes = in_every_byte * static_cast<uint8_t>(least);
  const uint32_t greatest_bytes = in_every_byte * static_cast<uint8_t>(greatest);
  const int8_t* const end = values + n;
  for (; end - values >= 4; values += 4) {
    uint32_t four;
    memcpy(&four, values, sizeof(four));
    four = clamp_bytes(four, least_bytes, greatest_bytes);
    memcpy(values, &four, sizeof(four));
  }
  for (; values != end; ++values) *values = clamp(*values, least, greatest);
}

void run(DspBlocks* blocks, const int8_t* weights, bool per_channel) {
  if (per_channel) {
    run_with_factors(blocks, weights);
  } else {
    run_with_one_factor(blocks, weights);
  }
}

// The outputs from `first` on, at most three: a block has rows for four, but there is no bias, no
// factor and no place for the others.
__attribute__((noinline)) void run_last_block(const FullyConnectedInt8& layer, DspBlocks* blocks,
                                              uint32_t first, int8_t* output) {
  const uint32_t n = layer.n_out - first;
  int32_t bias[4] = {0, 0, 0, 0};
  Multiplier factors[4] = {};
  int8_t last[4];
  memcpy(bias, layer.bias + first, n * sizeof(bias[0]));
  if (layer.per_channel) memcpy(factors, layer.multipliers + first, n * sizeof(factors[0]));
  blocks->factors = factors;
  blocks->bias = bias;
  blocks->output = last;
  blocks->output_end = last + 4;
  run(blocks, layer.weights + 4 * blocks->n_words * first, layer.per_channel);
  memcpy(output + first, last, n);
}

// Usual factors, at most kMaxDspWords; outputs saturated to int8.
void run_in_blocks(const FullyConnectedInt8& layer, const int8_t* input, uint32_t n_words,
                   int32_t start, int8_t* output) {
  const uint32_t whole = layer.n_out & ~3u;
  DspBlocks blocks;
  blocks.input = input;
  blocks.n_words = n_words;
  for (int32_t& of_sum : blocks.start) of_sum = start;
  blocks.zero_point = layer.output_zero_point;
  blocks.output = output;
  blocks.output_end = output + whole;
  blocks.factor = static_cast<uint32_t>(layer.multipliers[0].multiplier) << 1;
  blocks.step = uint32_t{1} << (32 + layer.multipliers[0].shift);
  blocks.factors = layer.multipliers;
  blocks.bias = layer.bias;
  if (whole > 0) run(&blocks, layer.weights, layer.per_channel);
  if (whole < layer.n_out) run_last_block(layer, &blocks, whole, output);
}

// sums[r] = sum over c of weights[r][c] input[c] for a block of any width.
void dot_four_rows(const int8_t* weights, const int8_t* input, uint32_t n_words, int32_t start,
                   int32_t sums[4]) {
  sums[0] = sums[2] = start;
  sums[1] = sums[3] = 0;
  for (; n_words > kMaxDspWords; n_words -= kMaxDspWords) {
    add_four_rows(weights, input, kMaxDspWords, sums);
    weights += 16 * kMaxDspWords;
    input += 4 * kMaxDspWords;
  }
  add_four_rows(weights, input, n_words, sums);
}

// Any factors, any width; outputs in the layer's range.
__attribute__((noinline)) void run_row_by_row(const FullyConnectedInt8& layer, const int8_t* input,
                                              uint32_t n_words, int32_t start, int8_t* output) {
  const int8_t* block = layer.weights;
  const int32_t* bias = layer.bias;
  const Multiplier* factor = layer.multipliers;
  const uint32_t factor_step = layer.per_channel ? 1 : 0;
  const int8_t* const end = output + layer.n_out;
  while (output != end) {
    int32_t sums[4];
    dot_four_rows(block, input, n_words, start, sums);
    block += 16 * n_words;
    for (const int32_t* sum = sums; sum != sums + 4 && output != end; ++sum) {
      const int32_t biased =
          static_cast<int32_t>(static_cast<uint32_t>(*sum) + static_cast<uint32_t>(*bias++));
      const int32_t value = static_cast<int32_t>(
          static_cast<uint32_t>(multiply_by_quantized_multiplier(biased, *factor)) +
          static_cast<uint32_t>(layer.output_zero_point));
      *output++ = clamp(value, layer.output_min, layer.output_max);
      factor += factor_step;
    }
  }
}

}  // namespace

void fully_connected_int8_dsp(const FullyConnectedInt8& layer, const int8_t* input,
                              int8_t* output) {
  const uint32_t n_words = padded_to_word(layer.n_in) / 4;
  const int32_t start = start_of_sums(input, n_words);
  const uint32_t n_factors = layer.per_channel ? layer.n_out : 1;
  if (n_words > kMaxDspWords || !are_usual(layer.multipliers, n_factors)) {
    run_row_by_row(layer, input, n_words, start, output);
    return;
  }
  run_in_blocks(layer, input, n_words, start, output);
  if (layer.output_min > INT8_MIN || layer.output_max < INT8_MAX) {
    clamp_all(output, layer.n_out, layer.output_min, layer.output_max);
  }
}

}  // namespace frozen
}  // namespace tinyol

#endif
