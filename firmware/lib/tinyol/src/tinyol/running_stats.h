// Running mean and variance of each feature, one sample at a time, in float32.
//
// Welford's recursion (Technometrics 4(3), 1962) in its variance form, with the count that
// divides capped at a horizon H:
//   n = min(count, H);  d = x - mean;  mean += d / n;  var += (d (x - mean) - var) / n
// Up to H samples this is the exact mean and population variance; beyond, an exponential
// forgetting with weight 1/H. The capped form stays accurate for ever, where a sum of squares
// or a float count does not. What float32 costs: a mean that drifts comes to rest up to
// H 2^-24 |mean| short of its target, 0.1 % of it at H = 16384.
#pragma once

#include <stdint.h>

#include "tinyol/capacity.h"

namespace tinyol {

constexpr float kMinVariance = 1e-30f;  // below it a feature counts as constant

struct RunningStats {
  uint16_t n_features = 0;
  uint32_t count = 0;                 // samples seen; stops at 2^32 - 1
  float mean[kMaxFeatures] = {};      // in the feature's unit
  float variance[kMaxFeatures] = {};  // its square; population variance

  void reset(uint16_t features);
  void update(const float* features, uint32_t horizon);
};

// scaled[j] = (features[j] - mean[j]) / sqrt(variance[j]), in standard deviations; zero where
// nothing has varied yet (the first sample, a constant feature).
void standardise(const RunningStats& stats, const float* features, float* scaled);

// Mean of one number under the same recursion.
struct RunningMean {
  uint32_t count = 0;
  float mean = 0.0f;

  void update(float x, uint32_t horizon);
};

}  // namespace tinyol
