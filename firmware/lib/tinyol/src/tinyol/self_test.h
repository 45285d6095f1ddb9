// Proves a build's arithmetic: 1,000 steps of both heads and of the running statistics on
// scratch state, from a fixed stream of pseudo-random numbers, and the CRC-32 of what they
// learned. A compiler that fuses, reorders or rounds otherwise gives another CRC.
#pragma once

#include <stdint.h>

namespace tinyol {

struct SelfTest {
  uint32_t expected_crc;  // of the reference build
  uint32_t found_crc;     // of this one
  bool passed() const { return expected_crc == found_crc; }
};

// Takes about 1.5 KB of stack and under a million instructions.
SelfTest run_self_test();

}  // namespace tinyol
