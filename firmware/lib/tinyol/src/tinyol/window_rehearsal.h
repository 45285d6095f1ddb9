// A sample of the windows that the layer was fine-tuned on, as the int8 net takes them in, so that
// a new regime does not push out the old: Vitter's reservoir (algorithm R, ACM Transactions on
// Mathematical Software 11(1), 1985). A float32 net has none.
#pragma once

#include <stdint.h>

#include "tinyol/bytes.h"
#include "tinyol/capacity.h"
#include "tinyol/status.h"
#include "tinyol/xorshift.h"

namespace tinyol {

struct WindowRehearsal {
  uint16_t n_inputs = 0;
  uint16_t limit = 0;  // windows, from the model; at most kMaxRehearsalWindows
  uint16_t size = 0;
  uint32_t random = kXorshiftSeed;  // never 0
  uint32_t seen = 0;                // windows offered; stops at 2^32 - 1
  int8_t values[kMaxRehearsalWindows * kMaxInputs] = {};

  void reset(uint16_t inputs, uint16_t rows);
  void add(const int8_t* input);
  const int8_t* draw();  // (n_inputs) at random, or null

  // Section REHW: u16 n_inputs, u16 rows kept, u32 random state, u32 seen, s8[rows][n_inputs],
  // zeros to a multiple of 4.
  void write(ByteWriter* out) const;
  static Status read(ByteReader* in, uint16_t n_inputs, uint16_t limit, WindowRehearsal* into,
                     Refusal* refusal);
};

}  // namespace tinyol
