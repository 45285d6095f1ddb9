#include "sensor_watch.h"

namespace tinyol {
namespace nano33ble {

const char* describe(SensorState state) {
  switch (state) {
    case SensorState::kNone:
    case SensorState::kRunning:
      return "";
    case SensorState::kMissing:
      return "sensor missing: it does not answer";
    case SensorState::kSilent:
      return "sensor silent: it answers, but gives no samples";
    case SensorState::kStuck:
      return "sensor stuck: it repeats one sample";
    case SensorState::kWrongRate:
      break;
  }
  return "model refused: it was made for another sampling rate than this sensor's";
}

bool rate_fits(float model_hz, float sensor_hz) {
  const float difference = model_hz < sensor_hz ? sensor_hz - model_hz : model_hz - sensor_hz;
  return difference <= 0.02f * sensor_hz;
}

void SensorWatch::on_start(bool found, uint32_t now_ms) {
  if (state() != SensorState::kRunning && started_) failed_ = state();
  started_ = true;
  found_ = found;
  gap_ = true;
  failures_ = 0;
  empty_reads_ = 0;
  same_ = 0;
  started_ms_ = now_ms;
}

void SensorWatch::on_read(bool answered, uint32_t n_samples) {
  if (answered) {
    failures_ = 0;
  } else {
    gap_ = true;  // what the read had taken out of the FIFO is gone
    if (failures_ < kMostFailures) ++failures_;
    if (failures_ == kMostFailures) found_ = false;
  }
  if (n_samples > 0) {
    empty_reads_ = 0;
  } else if (empty_reads_ < kSilentReads) {
    ++empty_reads_;
  }
}

bool SensorWatch::accept(const float g[3], uint16_t lost_before, bool* gap) {
  dropped_ = dropped_ > 0xFFFFFFFFu - lost_before ? 0xFFFFFFFFu : dropped_ + lost_before;
  const bool same = g[0] == last_[0] && g[1] == last_[1] && g[2] == last_[2];
  if (same_ == 0 || !same) {
    if (same_ > 0) failed_ = SensorState::kRunning;
    same_ = 1;
  } else if (same_ < kStuckSamples) {
    ++same_;
  }
  for (int axis = 0; axis < 3; ++axis) last_[axis] = g[axis];
  if (same_ == kStuckSamples || failed_ != SensorState::kRunning) {
    gap_ = true;
    return false;
  }
  *gap = gap_ || lost_before > 0;
  gap_ = false;
  return true;
}

SensorState SensorWatch::state_now() const {
  if (!found_) return SensorState::kMissing;
  if (empty_reads_ == kSilentReads) return SensorState::kSilent;
  if (same_ == kStuckSamples) return SensorState::kStuck;
  return SensorState::kRunning;
}

SensorState SensorWatch::state() const {
  const SensorState now = state_now();
  return now == SensorState::kRunning ? failed_ : now;
}

bool SensorWatch::retry_due(uint32_t now_ms) const {
  return state() != SensorState::kRunning && now_ms - started_ms_ >= kRetryMs;
}

}  // namespace nano33ble
}  // namespace tinyol
