// A running quantile in 44 bytes: the P-square algorithm (Jain and Chlamtac, Communications of
// the ACM 28(10), 1985). Five markers follow the minimum, the quantile, the maximum and the
// points half way; their heights move by a parabola through their neighbours.
//
// Marker positions are integers, and once kMaxCount samples have passed they are halved: the
// estimate stays exact in float32 and goes on following the newer half of what it has seen.
#pragma once

#include <stdint.h>

#include "tinyol/bytes.h"

namespace tinyol {

struct P2Quantile {
  static constexpr uint32_t kMaxCount = 1u << 16;

  uint32_t position[5] = {1, 2, 3, 4, 5};  // of each marker among the samples, from 1
  float height[5] = {};                    // the estimates, non-decreasing
  uint32_t count = 0;                      // samples counted, halved with the positions

  // `probability` in (0, 1) must be the same at every call.
  void update(float x, float probability);

  // The estimate; exact (nearest rank) up to five samples; 0 before the first.
  float value(float probability) const;

  bool valid() const;  // the invariants that update() relies on
};

// In images: u32 count, u32[5] position, f32[5] height. Reading fails unless valid() and every
// height is at most `largest` in size; it changes `into` only if that is not null.
void write_quantile(ByteWriter* out, const P2Quantile& quantile);
bool read_quantile(ByteReader* in, float largest, P2Quantile* into);

}  // namespace tinyol
