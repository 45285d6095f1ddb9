#include "frozen/fully_connected_x86.h"

#if TINYOL_X86_SIMD

#include <immintrin.h>
#include <string.h>

#define TINYOL_AVX2 __attribute__((target("avx2")))
// Into their callers: a function that is handed a vector leaves the registers' upper halves in use,
// and all SSE code that follows would run at half its speed.
#define TINYOL_AVX2_INLINE __attribute__((target("avx2"), always_inline)) inline

namespace tinyol {
namespace frozen {
namespace {

constexpr uint32_t kLanes = 8;  // rows at a time, of 32 bits

// Two words of the input as 16 bits each, in the order in which a block has its columns
// (net_blob.h), once for each pair of rows.
TINYOL_AVX2_INLINE __m256i spread(__m128i two_words) {
  const __m128i order = _mm_setr_epi8(0, 2, 1, 3, 0, 2, 1, 3, 4, 6, 5, 7, 4, 6, 5, 7);
  return _mm256_cvtepi8_epi16(_mm_shuffle_epi8(two_words, order));
}

// Of a block of four rows: each row's sum in four parts, those of rows 0 and 2, and of 1 and 3.
struct BlockSums {
  __m256i even;  // of weight + 128
  __m256i odd;
};

TINYOL_AVX2_INLINE void add_product(BlockSums* sums, __m256i weights, __m256i input) {
  const __m256i even = _mm256_and_si256(weights, _mm256_set1_epi16(0xFF));
  const __m256i odd = _mm256_srai_epi16(weights, 8);
  sums->even = _mm256_add_epi32(sums->even, _mm256_madd_epi16(even, input));
  sums->odd = _mm256_add_epi32(sums->odd, _mm256_madd_epi16(odd, input));
}

// Rows 0, 2, 1, 3, twice: of the first words and of the second.
TINYOL_AVX2_INLINE __m256i gather(const BlockSums& sums, __m256i too_much) {
  return _mm256_hadd_epi32(_mm256_sub_epi32(sums.even, too_much), sums.odd);
}

// The dot products of kBlocks blocks of four rows, eight rows a vector; the upper four of a single
// block are 0. Each word of the input is spread once for all.
template <int kBlocks>
TINYOL_AVX2_INLINE void dot_blocks(const int8_t* weights, const int8_t* input, uint32_t n_words,
                                   __m256i rows[(kBlocks + 1) / 2]) {
  const size_t block = 16 * static_cast<size_t>(n_words);
  const __m256i zero = _mm256_setzero_si256();
  const __m256i offset = _mm256_set1_epi16(128);
  __m256i too_much = zero;  // what the even rows' + 128 adds
  BlockSums sums[kBlocks];
  for (int b = 0; b < kBlocks; ++b) sums[b] = {zero, zero};
  for (; n_words >= 2; n_words -= 2, weights += 32, input += 8) {
    const __m256i x = spread(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(input)));
    too_much = _mm256_add_epi32(too_much, _mm256_madd_epi16(x, offset));
    for (int b = 0; b < kBlocks; ++b) {
      const int8_t* at = weights + b * block;
      add_product(&sums[b], _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at)), x);
    }
  }
  if (n_words > 0) {
    int32_t word;
    memcpy(&word, input, sizeof(word));
    const __m256i x = spread(_mm_cvtsi32_si128(word));
    too_much = _mm256_add_epi32(too_much, _mm256_madd_epi16(x, offset));
    for (int b = 0; b < kBlocks; ++b) {
      const __m128i* at = reinterpret_cast<const __m128i*>(weights + b * block);
      add_product(&sums[b], _mm256_inserti128_si256(zero, _mm_loadu_si128(at), 0), x);
    }
  }
  for (int b = 0; b < kBlocks; b += 2) {
    const __m256i first = gather(sums[b], too_much);
    const __m256i second = b + 1 < kBlocks ? gather(sums[b + 1], too_much) : zero;
    const __m256i both = _mm256_add_epi32(_mm256_permute2x128_si256(first, second, 0x20),
                                          _mm256_permute2x128_si256(first, second, 0x31));
    rows[b / 2] = _mm256_shuffle_epi32(both, 0xD8);
  }
}

// Eight Multipliers: the factors, and their shifts to the left and to the right.
struct Factors {
  __m256i multiplier;
  __m256i left;
  __m256i right;
  __m256i mask;  // of the bits that the right shift loses
};

TINYOL_AVX2_INLINE Factors factors_of(__m256i multiplier, __m256i shift) {
  const __m256i zero = _mm256_setzero_si256();
  Factors f;
  f.multiplier = multiplier;
  f.left = _mm256_max_epi32(shift, zero);
  f.right = _mm256_max_epi32(_mm256_sub_epi32(zero, shift), zero);
  const __m256i one = _mm256_set1_epi32(1);
  f.mask = _mm256_sub_epi32(_mm256_sllv_epi32(one, f.right), one);
  return f;
}

TINYOL_AVX2_INLINE Factors factors_of(const Multiplier& factor) {
  return factors_of(_mm256_set1_epi32(factor.multiplier), _mm256_set1_epi32(factor.shift));
}

// From pairs of multiplier and shift.
TINYOL_AVX2_INLINE Factors factors_of(const Multiplier factor[kLanes]) {
  static_assert(sizeof(Multiplier) == 8, "a pair of words");
  const __m256i* at = reinterpret_cast<const __m256i*>(factor);
  const __m256 low = _mm256_castsi256_ps(_mm256_loadu_si256(at));
  const __m256 high = _mm256_castsi256_ps(_mm256_loadu_si256(at + 1));
  const __m256i multiplier = _mm256_castps_si256(_mm256_shuffle_ps(low, high, 0x88));
  const __m256i shift = _mm256_castps_si256(_mm256_shuffle_ps(low, high, 0xDD));
  return factors_of(_mm256_permute4x64_epi64(multiplier, 0xD8),
                    _mm256_permute4x64_epi64(shift, 0xD8));
}

// multiply_by_quantized_multiplier of eight values.
TINYOL_AVX2_INLINE __m256i scaled(__m256i value, const Factors& f) {
  const __m256i shifted = _mm256_sllv_epi32(value, f.left);
  const __m256i half = _mm256_set1_epi64x(int64_t{1} << 30);
  const __m256i even = _mm256_add_epi64(_mm256_mul_epi32(shifted, f.multiplier), half);
  const __m256i odd = _mm256_add_epi64(
      _mm256_mul_epi32(_mm256_srli_epi64(shifted, 32), _mm256_srli_epi64(f.multiplier, 32)), half);
  // Bits 31 to 62 of each product.
  const __m256i high =
      _mm256_blend_epi32(_mm256_srli_epi64(even, 31), _mm256_slli_epi64(odd, 1), 0xAA);
  const __m256i remainder = _mm256_and_si256(high, f.mask);
  const __m256i threshold =
      _mm256_add_epi32(_mm256_srli_epi32(f.mask, 1), _mm256_srli_epi32(high, 31));
  const __m256i up = _mm256_cmpgt_epi32(remainder, threshold);  // -1 where it rounds up
  return _mm256_sub_epi32(_mm256_srav_epi32(high, f.right), up);
}

// What all rows share.
struct Output {
  __m256i zero_point;
  __m256i least;
  __m256i greatest;
};

// Eight outputs as bytes.
TINYOL_AVX2_INLINE int64_t finish(__m256i sums, __m256i bias, const Factors& f, const Output& out) {
  __m256i value = scaled(_mm256_add_epi32(sums, bias), f);
  value = _mm256_add_epi32(value, out.zero_point);
  value = _mm256_min_epi32(_mm256_max_epi32(value, out.least), out.greatest);
  const __m256i halves = _mm256_packs_epi32(value, value);
  const __m256i bytes = _mm256_packs_epi16(halves, halves);
  return _mm_cvtsi128_si64(
      _mm_unpacklo_epi32(_mm256_castsi256_si128(bytes), _mm256_extracti128_si256(bytes, 1)));
}

// The layer's rows from `row` on, at most eight, from their dot products.
template <bool kPerChannel>
TINYOL_AVX2_INLINE void store_rows(const FullyConnectedInt8& layer, __m256i sums, uint32_t row,
                                   const Factors& shared, const Output& out, int8_t* output) {
  if (row + kLanes <= layer.n_out) {
    const __m256i* bias = reinterpret_cast<const __m256i*>(layer.bias + row);
    const int64_t bytes = finish(sums, _mm256_loadu_si256(bias),
                                 kPerChannel ? factors_of(layer.multipliers + row) : shared, out);
    memcpy(output + row, &bytes, sizeof(bytes));
    return;
  }
  const uint32_t rest = layer.n_out - row;
  int32_t bias[kLanes] = {};
  Multiplier factors[kLanes] = {};
  memcpy(bias, layer.bias + row, rest * sizeof(int32_t));
  if (kPerChannel) memcpy(factors, layer.multipliers + row, rest * sizeof(Multiplier));
  const int64_t bytes = finish(sums, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(bias)),
                               kPerChannel ? factors_of(factors) : shared, out);
  memcpy(output + row, &bytes, rest);
}

template <bool kPerChannel>
TINYOL_AVX2 void run(const FullyConnectedInt8& layer, const int8_t* input, int8_t* output) {
  const Output out = {_mm256_set1_epi32(layer.output_zero_point),
                      _mm256_set1_epi32(layer.output_min), _mm256_set1_epi32(layer.output_max)};
  const Factors shared = factors_of(layer.multipliers[0]);
  const uint32_t n_words = padded_to_word(layer.n_in) / 4;
  const size_t block = 16 * static_cast<size_t>(n_words);
  const int8_t* weights = layer.weights;
  uint32_t row = 0;
  for (; row + 12 < layer.n_out; row += 16, weights += 4 * block) {
    __m256i sums[2];
    dot_blocks<4>(weights, input, n_words, sums);
    store_rows<kPerChannel>(layer, sums[0], row, shared, out, output);
    store_rows<kPerChannel>(layer, sums[1], row + 8, shared, out, output);
  }
  if (row + 4 < layer.n_out) {
    __m256i sums[1];
    dot_blocks<2>(weights, input, n_words, sums);
    store_rows<kPerChannel>(layer, sums[0], row, shared, out, output);
    row += 8;
    weights += 2 * block;
  }
  if (row < layer.n_out) {
    __m256i sums[1];
    dot_blocks<1>(weights, input, n_words, sums);
    store_rows<kPerChannel>(layer, sums[0], row, shared, out, output);
  }
}

}  // namespace

void fully_connected_int8_avx2(const FullyConnectedInt8& layer, const int8_t* input,
                               int8_t* output) {
  layer.per_channel ? run<true>(layer, input, output) : run<false>(layer, input, output);
}

}  // namespace frozen
}  // namespace tinyol

#endif
