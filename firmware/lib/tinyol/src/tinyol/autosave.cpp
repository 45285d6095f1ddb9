#include "tinyol/autosave.h"

namespace tinyol {

bool Autosave::due(uint32_t changes, uint32_t now_ms) {
  if (!began_) {
    began_ = true;
    hour_began_ms_ = now_ms;
  }
  const bool hour_over = static_cast<int32_t>(now_ms - hour_began_ms_) >= kHourMs;
  if (hour_over) {
    hour_began_ms_ = now_ms;
    if (credit_ < kMostCredit) ++credit_;
  }
  if (!unsaved(changes)) {
    peer_left_ = false;
    return false;
  }
  if (!(hour_over || peer_left_) || credit_ == 0) return false;
  peer_left_ = false;
  --credit_;
  return true;
}

}  // namespace tinyol
