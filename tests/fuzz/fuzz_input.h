// The fuzzer's bytes, read from front to back; behind the end all are zero.
#pragma once

#include <stddef.h>
#include <stdint.h>

namespace tinyol {
namespace fuzz {

class FuzzInput {
 public:
  FuzzInput(const uint8_t* data, size_t length) : at_(data), end_(data + length) {}

  bool at_end() const { return at_ == end_; }
  uint8_t u8() { return at_end() ? 0 : *at_++; }
  uint16_t u16() {
    const uint8_t low = u8();
    return static_cast<uint16_t>(low | (u8() << 8));
  }
  uint32_t u32() {
    const uint32_t low = u16();
    return low | (static_cast<uint32_t>(u16()) << 16);
  }
  // At most `wanted` bytes; *n says how many there were.
  const uint8_t* bytes(uint32_t wanted, uint32_t* n) {
    const size_t left = static_cast<size_t>(end_ - at_);
    *n = left < wanted ? static_cast<uint32_t>(left) : wanted;
    const uint8_t* from = at_;
    at_ += *n;
    return from;
  }

 private:
  const uint8_t* at_;
  const uint8_t* end_;
};

}  // namespace fuzz
}  // namespace tinyol
