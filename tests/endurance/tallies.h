// What a device must have counted: kept beside it in 64 bits, from the results alone.
#pragma once

#include <stdint.h>

#include "tinyol.h"

namespace tinyol {
namespace endurance {

struct Tallies {
  uint64_t samples = 0;
  uint64_t windows = 0;
  uint64_t gaps = 0;
  uint64_t refused_samples = 0;
  uint64_t lessons = 0;
  uint64_t scored = 0;      // labelled windows with a prediction, less those of removed classes
  uint64_t statistics = 0;  // windows that taught them
  uint64_t steps = 0;       // of the fine-tuned layer, applied or not
  uint64_t alarms = 0;
  uint64_t unknown = 0;  // events
  uint64_t of_class[kMaxClasses] = {};
};

// Stops the program unless the device has counted the same; what has 32 bits stops at 2^32 - 1.
void check_tallies(const Tallies& tallies, const LearnedState& state);

}  // namespace endurance
}  // namespace tinyol
