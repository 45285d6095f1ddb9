// How a learned linear layer lies in an image: the payload of SOFT and RECO.
//   u16 n_in, u16 n_out, u8 has_bias, u8[3] 0, u32 steps applied, u32 skipped (not finite),
//   u32 skipped (over the limit), u32 clamped targets, f32[n_out * n_in] weights,
//   f32[n_out] bias if has_bias
#pragma once

#include <stdint.h>

#include "tinyol/bytes.h"
#include "tinyol/sgd.h"
#include "tinyol/status.h"

namespace tinyol {

constexpr float kMaxWeight = 1e6f;  // the largest weight limit that can be set; more is refused

// Where a layer that is read goes; all null = only validate.
struct LayerTarget {
  StepCounts* steps = nullptr;
  uint32_t* clamped = nullptr;
  float* weights = nullptr;
  float* bias = nullptr;

  LayerTarget() = default;
  LayerTarget(StepCounts* s, uint32_t* c, float* w, float* b)
      : steps(s), clamped(c), weights(w), bias(b) {}
};

void write_layer(ByteWriter* out, uint16_t n_in, uint16_t n_out, const StepCounts& steps,
                 uint32_t clamped, const float* weights, const float* bias);

// kMalformed when the shape is not the expected one; kNotFinite when a weight is NaN, infinite
// or beyond kMaxWeight. Nothing is stored before the whole payload is known to be good only if
// the caller validates first (with an empty target).
Status read_layer(ByteReader* in, const char* tag, uint16_t n_in, uint16_t n_out, bool has_bias,
                  const LayerTarget& target, Refusal* refusal);

}  // namespace tinyol
