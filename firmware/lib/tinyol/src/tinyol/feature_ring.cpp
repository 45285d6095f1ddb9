#include "tinyol/feature_ring.h"

#include <string.h>

namespace tinyol {

void FeatureRing::reset(uint16_t features_, uint16_t limit_) {
  n_features = features_;
  limit = limit_;
  size = 0;
  next = 0;
}

void FeatureRing::push(const float* vector, bool already_labelled) {
  if (limit == 0) return;
  memcpy(features + next * n_features, vector, n_features * sizeof(float));
  labelled[next] = already_labelled;
  next = next + 1 == limit ? 0 : next + 1;
  if (size < limit) ++size;
}

uint16_t FeatureRing::slot(uint16_t age) const {
  return static_cast<uint16_t>((next + limit - 1u - age) % limit);
}

}  // namespace tinyol
