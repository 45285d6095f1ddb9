// The pseudo-random numbers of the self-tests and benchmarks: the same everywhere.
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

}  // namespace tinyol
