// What the board keeps without power: what it learned, and its name. The last two pages of its
// flash hold the name, the others what was learned.
#pragma once

#include <stdint.h>

#include "board_flash.h"
#include "refusal_text.h"
#include "tinyol/board_name.h"
#include "tinyol/device.h"
#include "tinyol/part_flash.h"
#include "tinyol/state_store.h"

namespace tinyol {
namespace nano33ble {

class BoardMemory {
 public:
  // Opens the flash, and finds the board's name: the one that was saved, or `default_name`.
  void begin(const char* default_name);

  // Opens the store for the device's model and has the device take over what was saved of it;
  // without a model nothing happens. `staging`: room for a state image.
  void restore(Device* device, uint8_t* staging, uint32_t staging_bytes);

  // Null if the board cannot save.
  StateStore* store() { return store_works_ ? &store_ : nullptr; }
  BoardName* name() { return &name_; }

  // What is wrong, in words; "" if nothing is.
  const char* trouble() const { return trouble_; }

 private:
  BoardFlash flash_;
  PartFlash state_part_;
  PartFlash name_part_;
  StateStore store_;
  BoardName name_;
  bool flash_works_ = false;
  bool store_works_ = false;
  char trouble_[kRefusalTextBytes] = {};
};

}  // namespace nano33ble
}  // namespace tinyol
