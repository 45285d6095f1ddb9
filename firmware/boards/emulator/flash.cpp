#include "flash.h"

#include <string.h>

extern "C" {
// linker.ld
extern uint8_t __flash_begin[];
extern uint8_t __flash_end[];
}

namespace tinyol {
namespace emulator {
namespace {

constexpr uint32_t kPageBytes = 4096;  // the nRF52840's

uint32_t region_bytes() {
  return static_cast<uint32_t>(__flash_end - __flash_begin);
}

// Each store is one instruction, in this order.
volatile uint32_t* words_at(uint32_t offset) {
  return reinterpret_cast<volatile uint32_t*>(__flash_begin + offset);
}

bool inside(uint32_t offset, uint32_t length) {
  return offset <= region_bytes() && length <= region_bytes() - offset;
}

}  // namespace

uint32_t EmulatedFlash::page_bytes() const {
  return kPageBytes;
}

uint32_t EmulatedFlash::n_pages() const {
  return region_bytes() / kPageBytes;
}

Status EmulatedFlash::erase(uint32_t page) {
  if (page >= n_pages()) return Status::kFlash;
  volatile uint32_t* words = words_at(page * kPageBytes);
  for (uint32_t i = 0; i < kPageBytes / 4; ++i) words[i] = 0xFFFFFFFFu;
  return Status::kOk;
}

Status EmulatedFlash::write(uint32_t offset, const uint8_t* data, uint32_t length) {
  if (offset % 4 != 0 || length % 4 != 0 || !inside(offset, length)) return Status::kFlash;
  volatile uint32_t* words = words_at(offset);
  for (uint32_t i = 0; i < length / 4; ++i) {
    uint32_t word;
    memcpy(&word, data + 4 * i, 4);
    words[i] = words[i] & word;
  }
  return Status::kOk;
}

Status EmulatedFlash::read(uint32_t offset, uint8_t* out, uint32_t length) const {
  if (!inside(offset, length)) return Status::kFlash;
  memcpy(out, __flash_begin + offset, length);
  return Status::kOk;
}

}  // namespace emulator
}  // namespace tinyol
