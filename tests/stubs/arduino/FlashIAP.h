// Stub: mbed's flash driver on the nRF52840's flash, of which the last 64 KB are there (flash.cpp).
// It behaves as NOR flash, takes the time that the chip takes, and aborts where it is misused.
#pragma once

#include <stdint.h>

namespace mbed {

class FlashIAP {
 public:
  int init();
  int read(void* buffer, uint32_t addr, uint32_t size);
  int program(const void* buffer, uint32_t addr, uint32_t size);
  int erase(uint32_t addr, uint32_t size);
  uint32_t get_sector_size(uint32_t addr) const;
  uint32_t get_flash_start() const;
  uint32_t get_flash_size() const;
  uint32_t get_page_size() const;

 private:
  bool started_ = false;
};

}  // namespace mbed
