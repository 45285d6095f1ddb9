// A NOR flash in memory: it wears, its bits get stuck, and its power fails in the middle of an
// erase or of a word, at an operation that is chosen beforehand. An operation is the erase of a
// page or the write of a word.
#pragma once

#include <stdint.h>

#include <vector>

#include "tinyol/flash.h"
#include "tinyol/xorshift.h"

namespace tinyol {

class NorFlash final : public Flash {
 public:
  NorFlash(uint32_t page_bytes, uint32_t n_pages)
      : content(page_bytes * n_pages, 0xFF),
        stuck_low(page_bytes * n_pages, 0),
        erases(n_pages, 0),
        page_bytes_(page_bytes),
        written_(page_bytes * n_pages / 4, false) {}

  uint32_t page_bytes() const override { return page_bytes_; }
  uint32_t n_pages() const override { return static_cast<uint32_t>(erases.size()); }

  Status erase(uint32_t page) override {
    if (!powered_ || page >= n_pages()) return Status::kFlash;
    const bool torn = power_fails();
    // A torn erase: hardly begun, nearly done, or anything.
    const uint32_t how = torn ? random_ % 4 : 1;
    ++erases[page];
    for (uint32_t at = page * page_bytes_; at < (page + 1) * page_bytes_; ++at) {
      if (how > 0) content[at] = how == 1 ? 0xFF : torn_byte();
      content[at] &= static_cast<uint8_t>(~stuck_low[at]);
      written_[at / 4] = false;
    }
    return powered_ ? Status::kOk : Status::kFlash;
  }

  Status write(uint32_t offset, const uint8_t* data, uint32_t length) override {
    if (offset % 4 != 0 || length % 4 != 0 || !inside(offset, length)) return Status::kFlash;
    for (uint32_t at = offset; at < offset + length; at += 4) {
      if (!powered_) return Status::kFlash;
      // What the part does not allow is found out here, not on a board.
      if (written_[at / 4]) return Status::kFlash;
      written_[at / 4] = true;
      const bool torn = power_fails();
      for (uint32_t i = 0; i < 4; ++i) {
        const uint8_t kept = torn ? torn_byte() : 0;  // bits that were not cleared in time
        content[at + i] &= static_cast<uint8_t>(data[at + i - offset] | kept);
      }
    }
    return powered_ ? Status::kOk : Status::kFlash;
  }

  Status read(uint32_t offset, uint8_t* out, uint32_t length) const override {
    if (!powered_ || !inside(offset, length)) return Status::kFlash;
    for (uint32_t i = 0; i < length; ++i) out[i] = content[offset + i];
    return Status::kOk;
  }

  // The power fails in the middle of the operation-th operation from now, counted from 1; 0 never.
  // `seed`, not 0, says what becomes of its bits.
  void cut_at(uint32_t operation, uint32_t seed) {
    cut_at_ = operation == 0 ? 0 : operations_ + operation;
    random_ = seed;
  }
  // What is in the flash stays; a cut that did not come is forgotten.
  void power_on() {
    powered_ = true;
    cut_at_ = 0;
  }
  uint64_t operations() const { return operations_; }

  std::vector<uint8_t> content;
  std::vector<uint8_t> stuck_low;  // bits that are 0 whatever is done
  std::vector<uint32_t> erases;    // of each page

 private:
  bool inside(uint32_t offset, uint32_t length) const {
    return offset <= content.size() && length <= content.size() - offset;
  }
  bool power_fails() {
    if (++operations_ == cut_at_) powered_ = false;
    return !powered_;
  }
  uint8_t torn_byte() { return static_cast<uint8_t>(xorshift32(&random_) >> 24); }

  uint32_t page_bytes_;
  std::vector<bool> written_;  // words since their last erase
  uint64_t operations_ = 0;
  uint64_t cut_at_ = 0;
  uint32_t random_ = kXorshiftSeed;
  bool powered_ = true;
};

}  // namespace tinyol

struct tinyol_flash {
  tinyol::NorFlash nor;
};
