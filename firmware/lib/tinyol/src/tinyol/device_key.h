// The board's own key, which whoever teaches it must know, kept in flash: a power cut at any moment
// leaves it, or the one before. docs/state-image.md says every byte of a record.
#pragma once

#include <stdint.h>

#include "tinyol/flash.h"
#include "tinyol/state_store.h"
#include "tinyol/status.h"

namespace tinyol {

constexpr uint32_t kKeyBytes = 32;
constexpr uint32_t kKeyIdBytes = 8;
constexpr uint32_t kKeyPages = 2;  // of a board's region, before those of its name

class DeviceKey {
 public:
  // What was kept in `flash`, which must outlive this; where it is null or smaller than kKeyPages,
  // no key can be kept.
  void begin(Flash* flash);

  bool paired() const { return pairings_ > 0; }
  const uint8_t* key() const { return key_; }  // kKeyBytes; zeros unless paired
  // Public: says which key it is and nothing of it (BLAKE2s with the key, of "tinyol key id", 8
  // bytes). Zeros unless paired.
  const uint8_t* id() const { return id_; }
  uint32_t pairings() const { return pairings_; }  // keys made so far: goes up with each
  // Whether a link without the key may read predictions over the radio; it is so at first.
  bool reading_open() const { return reading_open_; }

  // From now on this one, in place of any. kUnsupported "key" without flash, kFlash: it is as it
  // was.
  Status make(const uint8_t key[kKeyBytes], Refusal* refusal);
  // kNotFound "key" unless paired.
  Status set_reading_open(bool open, Refusal* refusal);
  // As from the factory: its pages are erased. A power cut on the way leaves the key, or none.
  Status forget(Refusal* refusal);

 private:
  Status keep(const uint8_t key[kKeyBytes], uint32_t pairings, bool reading_open, Refusal* refusal);

  void take(const uint8_t key[kKeyBytes], uint32_t pairings, bool reading_open);
  void unpair();

  StateStore store_;
  bool kept_ = false;  // there is flash for it
  uint8_t key_[kKeyBytes] = {};
  uint8_t id_[kKeyIdBytes] = {};
  uint32_t pairings_ = 0;
  bool reading_open_ = true;
};

}  // namespace tinyol
