// A NOR flash in memory whose power fails at a chosen operation: an erase of a page and a write of
// a word are one each. What the cut hits is torn; all that comes after it fails.
#pragma once

#include <string.h>

#include "tinyol/flash.h"

class RamFlash : public tinyol::Flash {
 public:
  static constexpr uint32_t kPageBytes = 256;
  static constexpr uint32_t kPages = 8;

  void wipe() {
    memset(bytes, 0xFF, sizeof(bytes));
    memset(erases, 0, sizeof(erases));
    memset(worn_out, 0, sizeof(worn_out));
    power_on();
  }
  void power_on() { operations_left_ = UINT32_MAX; }
  void cut_after(uint32_t operations) { operations_left_ = operations; }
  bool has_power() const { return operations_left_ > 0; }

  uint32_t page_bytes() const override { return kPageBytes; }
  uint32_t n_pages() const override { return kPages; }

  tinyol::Status erase(uint32_t page) override {
    if (worn_out[page]) return tinyol::Status::kFlash;
    const bool whole = spend();
    if (!whole && !cut_here_) return tinyol::Status::kFlash;
    memset(bytes + page * kPageBytes, 0xFF, whole ? kPageBytes : kPageBytes / 2);
    ++erases[page];
    return whole ? tinyol::Status::kOk : tinyol::Status::kFlash;
  }

  tinyol::Status write(uint32_t offset, const uint8_t* data, uint32_t length) override {
    if (offset % 4 != 0 || length % 4 != 0) return tinyol::Status::kFlash;
    for (uint32_t i = 0; i < length; i += 4) {
      const bool whole = spend();
      if (!whole && !cut_here_) return tinyol::Status::kFlash;
      for (uint32_t k = 0; k < 4; ++k) {
        bytes[offset + i + k] &= static_cast<uint8_t>(data[i + k] | (whole ? 0 : 0xAA));
      }
      if (!whole) return tinyol::Status::kFlash;
    }
    return tinyol::Status::kOk;
  }

  tinyol::Status read(uint32_t offset, uint8_t* out, uint32_t length) const override {
    if (!has_power()) return tinyol::Status::kFlash;
    memcpy(out, bytes + offset, length);
    return tinyol::Status::kOk;
  }

  uint8_t bytes[kPages * kPageBytes];
  uint32_t erases[kPages];
  bool worn_out[kPages];  // cannot be erased any more

 private:
  // Whether this operation is done whole. cut_here_: it is the one that is torn.
  bool spend() {
    cut_here_ = false;
    if (operations_left_ == 0) return false;
    if (operations_left_ == UINT32_MAX) return true;
    cut_here_ = --operations_left_ == 0;
    return !cut_here_;
  }

  uint32_t operations_left_ = UINT32_MAX;
  bool cut_here_ = false;
};
