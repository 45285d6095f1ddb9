#include "tinyol/alarm_ring.h"

#include "tinyol/count_up.h"

namespace tinyol {

void AlarmRing::window(uint64_t sample_index, bool anomaly, float error) {
  if (!anomaly) {
    open_ = false;
    return;
  }
  if (!open_) {
    open_ = true;
    alarms_[next_] = {sample_index, sample_index, 0, error};
    next_ = static_cast<uint16_t>((next_ + 1) % kKept);
    count_up(&count_);
  }
  Alarm& alarm = alarms_[(next_ + kKept - 1) % kKept];
  alarm.last_sample = sample_index;
  count_up(&alarm.windows);
  if (error > alarm.peak_error) alarm.peak_error = error;
}

const Alarm& AlarmRing::latest(uint16_t age) const {
  return alarms_[(next_ + 2 * kKept - 1 - age) % kKept];
}

}  // namespace tinyol
