// What the counted parts are fed with.
#pragma once

#include <stdint.h>

#include "tinyol/capacity.h"
#include "tinyol/settings.h"
#include "tinyol/sgd.h"

namespace tinyol {
namespace emulator {

constexpr uint32_t kHorizon = 4096;  // windows or lessons

float noise();  // evenly in -1 .. 1

// Lessons of classes in turns, each about a centre of its own.
class Lessons {
 public:
  // Of each class, before anything is counted: none is young, every quantile is set up.
  static constexpr uint32_t kBefore = 40;

  Lessons(uint16_t classes, uint16_t features);
  uint16_t next(float* features);  // features: (features); returns the class
  uint32_t before() const { return kBefore * classes_; }
  uint32_t given() const { return count_; }

 private:
  uint16_t classes_;
  uint16_t features_;
  uint32_t count_ = 0;
  float centres_[kMaxClasses * kMaxFeatures];
};

// The six settings of a rule stand in one row; `first` is its learning rate.
SgdRule rule_of(const Settings& settings, Setting first);

}  // namespace emulator
}  // namespace tinyol
