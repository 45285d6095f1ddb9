// When a device saves what it learned without being asked: when a peer leaves, and every hour;
// never if nothing was learned since the last save.
//
// A page endures 10,000 erases, and a peer may come and go all day. So saves are paid for from a
// credit that grows by one an hour: on average there is at most one an hour, whatever happens.
#pragma once

#include <stdint.h>

namespace tinyol {

class Autosave {
 public:
  static constexpr int32_t kHourMs = 3600000;
  static constexpr uint8_t kMostCredit = 16;  // which there is at boot

  // `changes` is Device::changes() throughout. What has been learned by now is saved.
  void saved(uint32_t changes) { saved_changes_ = changes; }
  bool unsaved(uint32_t changes) const { return changes != saved_changes_; }

  void peer_left() { peer_left_ = true; }

  // Call at least once a day; times may wrap. True if it is time to save: that is then paid for,
  // whether it succeeds or not.
  bool due(uint32_t changes, uint32_t now_ms);

 private:
  uint32_t saved_changes_ = 0;
  uint32_t hour_began_ms_ = 0;
  bool began_ = false;
  bool peer_left_ = false;
  uint8_t credit_ = kMostCredit;
};

}  // namespace tinyol
