#include "sensor_feed.h"

#include "imu.h"
#include "tinyol/server.h"

namespace tinyol {
namespace nano33ble {

bool SensorFeed::begin(uint32_t now_ms) {
  found_ = imu_begin();
  watch_.on_start(found_, now_ms);
  return found_;
}

SensorState SensorFeed::state() const {
  const SensorState state = watch_.state();
  return state == SensorState::kRunning && wrong_rate_ ? SensorState::kWrongRate : state;
}

void SensorFeed::poll(Server* server, uint32_t now_ms, uint32_t now_us) {
  if (now_ms - read_ms_ < kReadMs) return;
  read_ms_ = now_ms;
  if (watch_.retry_due(now_ms)) begin(now_ms);
  if (!found_) return;
  ImuSample samples[kImuBatch];
  uint32_t n = 0;
  const bool answered = imu_read(now_us, samples, &n);
  watch_.on_read(answered, n);
  for (uint32_t i = 0; i < n; ++i) {
    bool gap = false;
    if (!watch_.accept(samples[i].g, samples[i].lost_before, &gap)) continue;
    if (!wrong_rate_) server->push_sample(samples[i].g, gap);
  }
}

}  // namespace nano33ble
}  // namespace tinyol
