// NOR flash, as a board lends a region of it for what was learned. Erasing a page sets all its
// bits; a write only clears bits, 32 of them at a time. What the power's end cuts short is torn:
// of a word some bits are cleared, a page holds anything.
#pragma once

#include <stdint.h>

#include "tinyol/status.h"

namespace tinyol {

class Flash {
 public:
  virtual uint32_t page_bytes() const = 0;  // a multiple of 4
  virtual uint32_t n_pages() const = 0;

  // Each returns kOk, or kFlash where the flash reports a failure. Offsets count from the region's
  // start and lie inside it.
  virtual Status erase(uint32_t page) = 0;
  // Whole words: `offset` and `length` are multiples of 4. No word is written twice after an erase.
  virtual Status write(uint32_t offset, const uint8_t* data, uint32_t length) = 0;
  virtual Status read(uint32_t offset, uint8_t* out, uint32_t length) const = 0;

 protected:
  ~Flash() = default;
};

}  // namespace tinyol
