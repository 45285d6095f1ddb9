// The last feature vectors, so that a label that comes after the event can still be learned.
#pragma once

#include <stdint.h>

#include "tinyol/capacity.h"

namespace tinyol {

struct FeatureRing {
  uint16_t n_features = 0;
  uint16_t limit = 0;  // from the model, at most kMaxRing
  uint16_t size = 0;
  uint16_t next = 0;                             // where the next vector goes
  bool labelled[kMaxRing] = {};                  // already used as a lesson
  float features[kMaxRing * kMaxFeatures] = {};  // unscaled, row-major (limit, n_features)

  void reset(uint16_t features_, uint16_t limit_);
  void push(const float* vector, bool already_labelled);
  uint16_t slot(uint16_t age) const;  // of the vector `age` windows ago, 0 = newest
  const float* at(uint16_t slot) const { return features + slot * n_features; }
};

}  // namespace tinyol
