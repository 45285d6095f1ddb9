// The pseudo-random numbers of rehearsal, self-tests and benchmarks: the same everywhere.
#pragma once

#include <stdint.h>

namespace tinyol {

constexpr uint32_t kXorshiftSeed = 2463534242u;

// The next number of xorshift32 (Marsaglia 2003, "Xorshift RNGs"); *state must not be 0.
inline uint32_t xorshift32(uint32_t* state) {
  *state ^= *state << 13;
  *state ^= *state >> 17;
  *state ^= *state << 5;
  return *state;
}

// A number in 0 .. n - 1, off from uniform by less than n / 2^32.
inline uint32_t draw_below(uint32_t n, uint32_t* state) {
  return static_cast<uint32_t>((uint64_t{xorshift32(state)} * n) >> 32);
}

}  // namespace tinyol
