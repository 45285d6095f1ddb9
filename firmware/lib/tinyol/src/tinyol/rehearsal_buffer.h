// A small, class-balanced memory of lessons in int8, from which the softmax head rehearses what
// it would forget (experience replay: Robins, Connection Science 7(2), 1995). Each feature is
// offset + q 2^exponent with q in -127 .. 127: the first vector sets the offset, and a value out
// of range doubles the step and halves what is kept.
#pragma once

#include <stdint.h>

#include "tinyol/balanced_reservoir.h"
#include "tinyol/bytes.h"
#include "tinyol/capacity.h"
#include "tinyol/status.h"

namespace tinyol {

struct RehearsalBuffer {
  uint16_t n_features = 0;
  BalancedReservoir rows;
  float offset[kMaxFeatures] = {};
  int8_t exponent[kMaxFeatures] = {};  // kFinestStep at first
  int8_t values[kMaxRehearsal * kMaxFeatures] = {};

  static constexpr int8_t kFinestStep = -8;  // 2^-8 of a feature's unit
  static constexpr int8_t kCoarsestStep = 40;

  void reset(uint16_t features, uint16_t limit);
  void add(const float* features, uint16_t of_class);
  void remove_class(uint16_t index);
  void restart_class(uint16_t index);
  // Draws a lesson: its features, and its class as the result; -1 if there is none.
  int draw(float* features);

  // Section REHE: u16 d, u16 rows kept, u32 random state, u16 k, u16 0, u32[k] seen, f32[d]
  // offset, s8[d] exponent, u8[rows] class, s8[rows][d] values, zeros to a multiple of 4.
  void write(ByteWriter* out, uint16_t n_classes) const;
  static Status read(ByteReader* in, uint16_t n_features, uint16_t n_classes, uint16_t limit,
                     RehearsalBuffer* into, Refusal* refusal);

 private:
  void forget_scale();             // without rows there is none
  void coarsen(uint16_t feature);  // doubles its step
};

}  // namespace tinyol
