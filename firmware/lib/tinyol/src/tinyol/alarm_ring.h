// The last alarms, for whoever asks afterwards: a board learns and counts while nobody listens.
// An alarm is a run of windows above the threshold; it goes on while they follow each other.
#pragma once

#include <stdint.h>

namespace tinyol {

struct Alarm {
  uint64_t first_sample;  // last sample of its first window
  uint64_t last_sample;   // ... of its last
  uint32_t windows;
  float peak_error;  // the largest reconstruction error in force
};

class AlarmRing {
 public:
  static constexpr uint16_t kKept = 8;

  void window(uint64_t sample_index, bool anomaly, float error);
  // Windows that follow do not continue an alarm.
  void gap() { open_ = false; }

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
