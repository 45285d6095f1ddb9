// What the board keeps without power: what it learned, its key, and its name (board_region.h).
#pragma once

#include <stdint.h>

#include "board_flash.h"
#include "refusal_text.h"
#include "tinyol/board_name.h"
#include "tinyol/board_region.h"
#include "tinyol/device.h"
#include "tinyol/device_key.h"
#include "tinyol/state_store.h"

namespace tinyol {
namespace nano33ble {

class BoardMemory {
 public:
  // Opens the flash, and finds the board's key and its name: the one that was saved, or
  // `default_name`.
  void begin(const char* default_name);

  // Opens the store for the device's model and has the device take over what was saved of it;
  // without a model nothing happens. `staging`: room for a state image.
  void restore(Device* device, uint8_t* staging, uint32_t staging_bytes);

  // Null if the board cannot save.
  StateStore* store() { return store_works_ ? &store_ : nullptr; }
  // What the store is in; null if the flash does not work.
  Flash* learned() { return flash_works_ ? &region_.learned : nullptr; }
  DeviceKey* key() { return &key_; }
  BoardName* name() { return &name_; }

  // What is wrong, in words; "" if nothing is.
  const char* trouble() const { return trouble_; }

 private:
  BoardFlash flash_;
  BoardRegion region_;
  StateStore store_;
  DeviceKey key_;
  BoardName name_;
  bool flash_works_ = false;
  bool store_works_ = false;
  char trouble_[kRefusalTextBytes] = {};
};

}  // namespace nano33ble
}  // namespace tinyol
