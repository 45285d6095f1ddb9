// Flash in memory that holds its user to the rules of tinyol/flash.h, and fails when told to.
#pragma once

#include <stdint.h>

#include "tinyol/flash.h"

namespace tinyol {
namespace fuzz {

class RamFlash final : public Flash {
 public:
  static constexpr uint32_t kPageBytes = 1024;
  static constexpr uint32_t kPages = 24;

  // As after an erase of everything.
  void wipe();

  uint32_t page_bytes() const override { return kPageBytes; }
  uint32_t n_pages() const override { return kPages; }
  Status erase(uint32_t page) override;
  Status write(uint32_t offset, const uint8_t* data, uint32_t length) override;
  Status read(uint32_t offset, uint8_t* out, uint32_t length) const override;

  // After so many more words that are written, and erases, everything fails; the word at which it
  // does is torn. 0: never.
  uint32_t fails_after = 0;

 private:
  static constexpr uint32_t kBytes = kPageBytes * kPages;
  bool fails();

  uint8_t bytes_[kBytes];
  bool written_[kBytes / 4];  // words, since their page was erased
  bool failed_ = false;
};

}  // namespace fuzz
}  // namespace tinyol
