// The last alarms, for whoever asks afterwards: a board learns and counts while nobody listens.
// An alarm is a run of windows in which the detector's alarm stands; a gap does not end it.
#pragma once

#include <stdint.h>

namespace tinyol {

struct Alarm {
  uint64_t first_sample;  // last sample of its first window
  uint64_t last_sample;   // ... of its last
  uint32_t windows;
  float peak_score;  // the largest anomaly score, as a share of the limit
};

class AlarmRing {
 public:
  static constexpr uint16_t kKept = 8;

  // `began`: the alarm was raised by this window, so that it is not the one before. One that
  // stands already when the ring is empty begins here too.
  void window(uint64_t sample_index, bool alarm, bool began, float score);

  void clear() { *this = AlarmRing(); }

  uint32_t count() const { return count_; }  // since the last clear; stops at 2^32 - 1
  uint16_t size() const { return count_ < kKept ? static_cast<uint16_t>(count_) : kKept; }
  // The age-th last one; 0 is the latest, which may still go on.
  const Alarm& latest(uint16_t age) const;

 private:
  Alarm alarms_[kKept] = {};
  uint16_t next_ = 0;  // where the next alarm goes
  uint32_t count_ = 0;
  bool open_ = false;
};

}  // namespace tinyol
