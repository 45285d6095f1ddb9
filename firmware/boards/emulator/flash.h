// The emulated board's flash: a region of memory that a machine may back with a file (linker.ld
// says where), so that it outlives the power. It behaves as NOR flash because this driver does: an
// erase sets all bits of a page, a write only clears some. A machine sees each word as one store.
#pragma once

#include "tinyol/flash.h"

namespace tinyol {
namespace emulator {

class EmulatedFlash final : public Flash {
 public:
  uint32_t page_bytes() const override;
  uint32_t n_pages() const override;
  Status erase(uint32_t page) override;
  Status write(uint32_t offset, const uint8_t* data, uint32_t length) override;
  Status read(uint32_t offset, uint8_t* out, uint32_t length) const override;
};

}  // namespace emulator
}  // namespace tinyol
