// The name that a person gave to the board, kept in flash: a power cut at any moment leaves it, or
// the one before. docs/state-image.md says every byte of a record.
#pragma once

#include <stdint.h>

#include "tinyol/flash.h"
#include "tinyol/state_store.h"
#include "tinyol/status.h"

namespace tinyol {

constexpr uint32_t kMaxBoardNameBytes = 20;
constexpr uint32_t kNamePages = 2;  // the last of a board's region; the rest is for what is learned

class BoardName {
 public:
  // What was saved in `flash`, or `fallback`, of which kMaxBoardNameBytes are taken. `flash` must
  // outlive this; where it is null or smaller than kNamePages, no name can be set.
  void begin(Flash* flash, const char* fallback);

  // Zero-terminated: what was set, or the fallback.
  const char* text() const { return text_; }

  // 1 to 20 bytes (name_rules.h), or 0 bytes: back to the fallback. kUnsupported "name" without
  // flash, kBadName, kFlash: the name stays as it is.
  Status set(const char* name, uint32_t length, Refusal* refusal);

  // As from the factory: its pages are erased, and the fallback holds.
  Status forget(Refusal* refusal);

  // Goes up whenever a name was set or forgotten; wraps.
  uint32_t changes() const { return changes_; }

 private:
  void take(const char* name, uint32_t length);

  StateStore store_;
  bool kept_ = false;      // there is flash for it
  bool in_doubt_ = false;  // the last save failed: what the flash holds is not known
  char fallback_[kMaxBoardNameBytes + 1] = {};
  char text_[kMaxBoardNameBytes + 1] = {};
  uint32_t set_bytes_ = 0;  // of the name that was set; 0: the fallback holds
  uint32_t changes_ = 0;
};

}  // namespace tinyol
