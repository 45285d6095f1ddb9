// Stub: mbed's access to the chip's flash, kept in the file $STUB_FLASH from run to run.
#pragma once

#include <stdint.h>

namespace mbed {

class FlashIAP {
 public:
  int init();
  int read(void* buffer, uint32_t address, uint32_t size);
  int program(const void* buffer, uint32_t address, uint32_t size);
  int erase(uint32_t address, uint32_t size);
};

}  // namespace mbed
