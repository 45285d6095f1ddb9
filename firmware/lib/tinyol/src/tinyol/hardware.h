// What a board's glue knows of its hardware and tells the server, for HARDWARE's reply.
#pragma once

#include <stdint.h>

namespace tinyol {

enum class SensorState : uint8_t {
  kNone = 0,       // the board has none: it must be fed
  kRunning = 1,    // samples come
  kMissing = 2,    // the board should have one, which does not answer
  kSilent = 3,     // it answered, and no samples come
  kStuck = 4,      // samples come, all alike
  kWrongRate = 5,  // samples come at another rate than the model's
};

struct Hardware {
  SensorState sensor = SensorState::kNone;
  uint32_t dropped_samples = 0;  // by the sensor or its driver, since boot
  uint32_t arena_used = 0;       // bytes of the net's arena
  uint32_t arena_bytes = 0;
};

}  // namespace tinyol
