// Some neighbouring pages of a flash, as a flash of their own.
#pragma once

#include <stdint.h>

#include "tinyol/flash.h"

namespace tinyol {

class PartFlash final : public Flash {
 public:
  // Pages [first_page, first_page + n_pages) of `whole`, which must outlive this; those that it
  // does not have are not there.
  void begin(Flash* whole, uint32_t first_page, uint32_t n_pages);

  uint32_t page_bytes() const override;
  uint32_t n_pages() const override { return n_pages_; }
  // kFlash where the part ends.
  Status erase(uint32_t page) override;
  Status write(uint32_t offset, const uint8_t* data, uint32_t length) override;
  Status read(uint32_t offset, uint8_t* out, uint32_t length) const override;

 private:
  bool inside(uint32_t offset, uint32_t length) const;

  Flash* whole_ = nullptr;
  uint32_t first_page_ = 0;
  uint32_t n_pages_ = 0;
};

}  // namespace tinyol
