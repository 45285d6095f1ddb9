#include "tinyol/alarm_ring.h"

#include "tinyol/count_up.h"

namespace tinyol {

void AlarmRing::window(uint64_t sample_index, bool alarm, bool began, float score) {
  if (!alarm) {
    open_ = false;
    return;
  }
  if (began || !open_) {
    open_ = true;
    alarms_[next_] = {sample_index, sample_index, 0, score};
    next_ = static_cast<uint16_t>((next_ + 1) % kKept);
    count_up(&count_);
  }
  Alarm& latest = alarms_[(next_ + kKept - 1) % kKept];
  latest.last_sample = sample_index;
  count_up(&latest.windows);
  if (score > latest.peak_score) latest.peak_score = score;
}

const Alarm& AlarmRing::latest(uint16_t age) const {
  return alarms_[(next_ + 2 * kKept - 1 - age) % kKept];
}

}  // namespace tinyol
