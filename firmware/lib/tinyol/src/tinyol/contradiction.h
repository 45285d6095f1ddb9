// A label against what the device is sure of: a warning for the person who gave it, who may be
// right all the same. Sure is a class that has taken 20 lessons, gets a probability of 0.9 or more
// and explains the window.
#pragma once

#include <stdint.h>

#include "tinyol/capacity.h"
#include "tinyol/learned_state.h"

namespace tinyol {

constexpr uint32_t kSureLessons = 20;
constexpr float kSureConfidence = 0.9f;

struct Contradiction {
  int16_t class_index = -1;  // that the device is sure of; -1: nothing contradicts
  uint16_t windows = 0;      // that say so
  float confidence = 0.0f;   // of the last of them
};

// Gathers the windows of one label.
class ContradictionCount {
 public:
  // `state` must outlive this. truth: the label's class.
  ContradictionCount(const LearnedState& state, uint16_t truth) : state_(state), truth_(truth) {}

  // features: (n_features) of a window, unscaled; the oldest first.
  void add(const float* features);
  // The class that most windows are surely of, the first of equals.
  Contradiction result() const;

 private:
  const LearnedState& state_;
  uint16_t truth_;
  uint16_t windows_[kMaxClasses] = {};
  float confidence_[kMaxClasses] = {};
};

}  // namespace tinyol
