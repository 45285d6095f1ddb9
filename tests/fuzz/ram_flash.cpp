#include "ram_flash.h"

#include <string.h>

#include "check.h"

namespace tinyol {
namespace fuzz {

void RamFlash::wipe() {
  memset(bytes_, 0xFF, sizeof(bytes_));
  memset(written_, 0, sizeof(written_));
  fails_after = 0;
  failed_ = false;
}

bool RamFlash::fails() {
  if (fails_after == 0) {
    failed_ = false;
  } else if (fails_after == 1) {
    failed_ = true;
  } else {
    --fails_after;
  }
  return failed_;
}

Status RamFlash::erase(uint32_t page) {
  FUZZ_CHECK(page < kPages);
  if (fails()) return Status::kFlash;
  memset(bytes_ + page * kPageBytes, 0xFF, kPageBytes);
  memset(written_ + page * kPageBytes / 4, 0, kPageBytes / 4);
  return Status::kOk;
}

Status RamFlash::write(uint32_t offset, const uint8_t* data, uint32_t length) {
  FUZZ_CHECK(offset % 4 == 0 && length % 4 == 0);
  FUZZ_CHECK(length <= kBytes && offset <= kBytes - length);
  for (uint32_t at = 0; at < length; at += 4) {
    bool* written = &written_[(offset + at) / 4];
    FUZZ_CHECK(!*written);
    *written = true;
    const bool torn = fails();
    for (uint32_t i = 0; i < 4; ++i) {
      bytes_[offset + at + i] &= static_cast<uint8_t>(data[at + i] | (torn ? 0x5A : 0));
    }
    if (torn) return Status::kFlash;
  }
  return Status::kOk;
}

Status RamFlash::read(uint32_t offset, uint8_t* out, uint32_t length) const {
  FUZZ_CHECK(length <= kBytes && offset <= kBytes - length);
  memcpy(out, bytes_ + offset, length);
  return Status::kOk;
}

}  // namespace fuzz
}  // namespace tinyol
