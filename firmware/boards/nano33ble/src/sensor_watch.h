// Is the sensor alive? A chip that is gone, silent or repeats itself is an error state that a
// person sees, never a stream of zeros that the board learns from.
#pragma once

#include <stdint.h>

#include "tinyol/hardware.h"

namespace tinyol {
namespace nano33ble {

constexpr uint16_t kSilentReads = 50;    // in a row, without a sample
constexpr uint16_t kStuckSamples = 100;  // about a second: a living sensor has noise
constexpr uint8_t kMostFailures = 5;     // reads in a row
constexpr uint32_t kRetryMs = 2000;      // a sensor that failed is started anew so often

// One line for the log; empty while it runs.
const char* describe(SensorState state);

// Whether a model for `model_hz` can work with samples at `sensor_hz`: within 2 %, which is what
// such sensors' clocks are good for.
bool rate_fits(float model_hz, float sensor_hz);

class SensorWatch {
 public:
  // The sensor was started (or not), for the first time or anew. One that failed before counts as
  // failed until it has given two samples that differ.
  void on_start(bool found, uint32_t now_ms);
  // What a read of its FIFO gave. Silence is counted in reads, not in time: a main loop that was
  // busy is not the sensor's fault.
  void on_read(bool answered, uint32_t n_samples);
  // A sample that was read; true if it may be learned from. `gap` then says whether it follows the
  // last such one.
  bool accept(const float g[3], uint16_t lost_before, bool* gap);

  SensorState state() const;
  // Time to start it anew.
  bool retry_due(uint32_t now_ms) const;
  uint32_t dropped() const { return dropped_; }  // samples since boot, as reckoned

 private:
  SensorState state_now() const;

  bool started_ = false;
  bool found_ = false;
  SensorState failed_ = SensorState::kRunning;  // how, until it has recovered
  bool gap_ = true;
  uint8_t failures_ = 0;      // reads in a row that were not answered
  uint16_t empty_reads_ = 0;  // in a row
  uint16_t same_ = 0;         // how often the last sample has come
  float last_[3] = {};
  uint32_t started_ms_ = 0;
  uint32_t dropped_ = 0;
};

}  // namespace nano33ble
}  // namespace tinyol
