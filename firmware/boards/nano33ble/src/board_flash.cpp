#include "board_flash.h"

namespace tinyol {
namespace nano33ble {
namespace {

constexpr uint32_t kWordBytes = 4;

bool inside(uint32_t offset, uint32_t length) {
  return offset <= kFlashBytes && length <= kFlashBytes - offset;
}

Status outcome(int result) {
  return result == 0 ? Status::kOk : Status::kFlash;
}

}  // namespace

bool BoardFlash::begin() {
  return driver_.init() == 0 && driver_.get_sector_size(kFlashBegin) == kFlashPageBytes &&
         driver_.get_page_size() == kWordBytes &&
         driver_.get_flash_start() + driver_.get_flash_size() == kFlashBegin + kFlashBytes;
}

Status BoardFlash::erase(uint32_t page) {
  if (page >= n_pages()) return Status::kFlash;
  return outcome(driver_.erase(kFlashBegin + page * kFlashPageBytes, kFlashPageBytes));
}

Status BoardFlash::write(uint32_t offset, const uint8_t* data, uint32_t length) {
  if (offset % kWordBytes != 0 || length % kWordBytes != 0 || !inside(offset, length)) {
    return Status::kFlash;
  }
  // The driver copies from an address that is not aligned by itself.
  return length == 0 ? Status::kOk : outcome(driver_.program(data, kFlashBegin + offset, length));
}

Status BoardFlash::read(uint32_t offset, uint8_t* out, uint32_t length) const {
  if (!inside(offset, length)) return Status::kFlash;
  return outcome(driver_.read(out, kFlashBegin + offset, length));
}

}  // namespace nano33ble
}  // namespace tinyol
