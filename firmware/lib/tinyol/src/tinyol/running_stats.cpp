#include "tinyol/fp_contract.h"

#include "tinyol/running_stats.h"

#include "tinyol/count_up.h"
#include "tinyol/float_math.h"

namespace tinyol {
namespace {

// Counts one more and gives the weight of the newest sample.
float count_and_weigh(uint32_t* count, uint32_t horizon) {
  count_up(count);
  const uint32_t n = *count < horizon ? *count : horizon;
  return 1.0f / static_cast<float>(n);
}

}  // namespace

void RunningStats::reset(uint16_t features) {
  *this = RunningStats();
  n_features = features;
}

void RunningStats::update(const float* features, uint32_t horizon) {
  const float weight = count_and_weigh(&count, horizon);
  for (uint16_t j = 0; j < n_features; ++j) {
    const float before = features[j] - mean[j];
    mean[j] += before * weight;
    const float after = features[j] - mean[j];
    variance[j] += (before * after - variance[j]) * weight;
  }
}

void standardise(const RunningStats& stats, const float* features, float* scaled) {
  for (uint16_t j = 0; j < stats.n_features; ++j) {
    const float variance = stats.variance[j];
    scaled[j] =
        variance > kMinVariance ? (features[j] - stats.mean[j]) / __builtin_sqrtf(variance) : 0.0f;
  }
}

void RunningMean::update(float x, uint32_t horizon) {
  const float weight = count_and_weigh(&count, horizon);
  mean += (x - mean) * weight;
}

}  // namespace tinyol
