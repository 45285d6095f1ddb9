// Keeps state images in flash so that a power cut at any moment leaves the last one saved, or the
// one before. docs/state-image.md says every byte of a record.
//
// The region is divided into slots, each of whole pages and large enough for one record. Records
// go round the slots, so that all pages wear alike, and never over the newest one of the model.
#pragma once

#include <stdint.h>

#include "tinyol/flash.h"
#include "tinyol/model.h"
#include "tinyol/status.h"

namespace tinyol {

constexpr uint32_t kRecordHeaderBytes = 40;
constexpr uint16_t kRecordFormat = 1;

class StateStore {
 public:
  // Looks at every slot. kTooSmall "flash" unless the region has two slots for images of
  // `max_image_bytes`. `flash` must outlive the store.
  Status begin(Flash* flash, const uint8_t model_id[kModelIdBytes], uint32_t max_image_bytes,
               Refusal* refusal);

  // The newest whole image of this model, to `out`. kNotFound "saved state" if there is none.
  Status load(uint8_t* out, uint32_t capacity, uint32_t* length, Refusal* refusal) const;

  // Writes the image to the next slot and reads it back; a slot that does not hold it is passed
  // over. `length` is a multiple of 4, as a state image's is. kFlash if no slot took it: what was
  // saved before is still there.
  Status save(const uint8_t* image, uint32_t length, Refusal* refusal);

  // Erases every page, of other models' records too; the newest one of this model goes last, so
  // that a power cut leaves it, or nothing. kFlash: some may be left.
  Status erase(Refusal* refusal);
  // All but the newest record of this model, so that none before it can come back.
  Status erase_others(Refusal* refusal);

  uint32_t saves() const { return saves_; }  // since begin()
  // How often the most erased page was erased, as far as the slots tell: an erase that the power's
  // end cut off from its count is not in it.
  uint32_t wear() const { return wear_; }

 private:
  static constexpr uint32_t kNoSlot = UINT32_MAX;

  uint32_t slot_offset(uint32_t slot) const { return slot * slot_pages_ * flash_->page_bytes(); }
  bool is_whole(uint32_t slot, const uint8_t header[kRecordHeaderBytes]) const;
  // Leaves nothing but the count of its erases.
  Status erase_slot(uint32_t slot);
  Status write_record(uint32_t slot, const uint8_t* image, uint32_t length);
  bool holds(uint32_t offset, const uint8_t* data, uint32_t length) const;
  // Writes, and reads it back.
  Status write_checked(uint32_t offset, const uint8_t* data, uint32_t length);

  Flash* flash_ = nullptr;
  uint8_t model_id_[kModelIdBytes] = {};
  uint32_t slot_pages_ = 0;
  uint32_t n_slots_ = 0;
  uint32_t newest_ = kNoSlot;   // slot of this model's newest whole record
  uint32_t last_ = kNoSlot;     // ... of any model's, or where the last save went
  uint32_t next_sequence_ = 1;  // 2^32 saves outlive any flash
  uint32_t wear_ = 0;
  uint32_t saves_ = 0;
};

}  // namespace tinyol
