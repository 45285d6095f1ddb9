#include "cost_inputs.h"

#include "tinyol/xorshift.h"

namespace tinyol {
namespace emulator {

float noise() {
  static uint32_t state = kXorshiftSeed;
  return static_cast<float>(static_cast<int32_t>(xorshift32(&state)) >> 8) * (1.0f / 8388608.0f);
}

Lessons::Lessons(uint16_t classes, uint16_t features) : classes_(classes), features_(features) {
  for (float& value : centres_) value = 4.0f * noise();
}

uint16_t Lessons::next(float* features) {
  const uint16_t truth = static_cast<uint16_t>(count_++ % classes_);
  for (uint16_t j = 0; j < features_; ++j) {
    features[j] = centres_[truth * features_ + j] + noise();
  }
  return truth;
}

SgdRule rule_of(const Settings& settings, Setting first) {
  const float* v = settings.value + static_cast<int>(first);
  return {v[0], static_cast<Schedule>(static_cast<uint8_t>(v[1])), v[2], v[3], v[4], v[5]};
}

}  // namespace emulator
}  // namespace tinyol
