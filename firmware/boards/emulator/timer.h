// Time for the heartbeat, and the instruction counter of the benchmark. Never for learning.
#pragma once

#include <stdint.h>

namespace tinyol {
namespace emulator {

constexpr uint32_t kTicksPerMs = 25000;
constexpr uint32_t kWakeMs = 100;

// Counts from now on, and requests an interrupt every kWakeMs.
void timer_begin();

// 25 MHz; wraps after 171 s.
uint32_t timer_ticks();

void timer_clear_interrupt();

// Milliseconds since timer_begin(); wraps after 49 days.
class Clock {
 public:
  // Call at least every 171 s.
  uint32_t ms();

 private:
  uint32_t ms_ = 0;
  uint32_t last_ticks_ = 0;  // at the last whole millisecond
};

}  // namespace emulator
}  // namespace tinyol
