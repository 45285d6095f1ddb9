#include "tinyol/fp_contract.h"

#include "tinyol/contradiction.h"

#include "tinyol/count_up.h"

namespace tinyol {

void ContradictionCount::add(const float* features) {
  float probabilities[kMaxClasses];
  float novelty;
  const int found = state_.classifier.predict(features, state_.statistics, state_.settings,
                                              probabilities, &novelty);
  if (found < 0 || found == truth_ || novelty > 1.0f) return;
  if (state_.classifier.gaussian.lessons[found] < kSureLessons) return;
  if (!(probabilities[found] >= kSureConfidence)) return;
  count_up(&windows_[found]);
  confidence_[found] = probabilities[found];
}

Contradiction ContradictionCount::result() const {
  Contradiction most;
  for (uint16_t k = 0; k < state_.classes.size; ++k) {
    if (windows_[k] <= most.windows) continue;
    most.class_index = static_cast<int16_t>(k);
    most.windows = windows_[k];
    most.confidence = confidence_[k];
  }
  return most;
}

}  // namespace tinyol
