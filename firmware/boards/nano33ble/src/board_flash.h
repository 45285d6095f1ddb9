// The last 64 KB of the nRF52840's flash, for what the board keeps: 16 pages of 4 KB behind the
// program, which ends before them (board_upload.maximum_size in platformio.ini). An erase halts the
// CPU for about 85 ms, samples and radio included. An upload may erase the region.
#pragma once

#include <mbed.h>  // mbed's configuration, which FlashIAP.h does not include

#include <FlashIAP.h>
#include <stdint.h>

#include "tinyol/flash.h"

namespace tinyol {
namespace nano33ble {

constexpr uint32_t kFlashBegin = 0xF0000;
constexpr uint32_t kFlashBytes = 0x10000;
constexpr uint32_t kFlashPageBytes = 4096;

class BoardFlash final : public Flash {
 public:
  // Once. False: mbed's driver does not start, or the chip is not laid out as above.
  bool begin();

  uint32_t page_bytes() const override { return kFlashPageBytes; }
  uint32_t n_pages() const override { return kFlashBytes / kFlashPageBytes; }
  Status erase(uint32_t page) override;
  Status write(uint32_t offset, const uint8_t* data, uint32_t length) override;
  Status read(uint32_t offset, uint8_t* out, uint32_t length) const override;

 private:
  mutable mbed::FlashIAP driver_;  // its read() is not const
};

}  // namespace nano33ble
}  // namespace tinyol
