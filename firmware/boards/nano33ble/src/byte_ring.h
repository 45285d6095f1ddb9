// A queue of bytes of fixed size: whole pieces go in or not at all.
#pragma once

#include <stdint.h>

namespace tinyol {
namespace nano33ble {

template <uint32_t kBytes>
class ByteRing {
 public:
  uint32_t size() const { return filled_; }
  uint32_t room() const { return kBytes - filled_; }
  void clear() { filled_ = 0; }

  // False, and nothing is taken, if there is no room for all of it.
  bool put(const uint8_t* bytes, uint32_t length) {
    if (length > room()) return false;
    for (uint32_t i = 0; i < length; ++i) bytes_[(first_ + filled_ + i) % kBytes] = bytes[i];
    filled_ += length;
    return true;
  }

  // Copies the oldest bytes, as many as there are, and leaves them in.
  uint32_t peek(uint8_t* out, uint32_t capacity) const {
    const uint32_t n = filled_ < capacity ? filled_ : capacity;
    for (uint32_t i = 0; i < n; ++i) out[i] = bytes_[(first_ + i) % kBytes];
    return n;
  }

  // Forgets the oldest `length` bytes; at most size().
  void drop(uint32_t length) {
    first_ = (first_ + length) % kBytes;
    filled_ -= length;
  }

 private:
  uint8_t bytes_[kBytes] = {};
  uint32_t first_ = 0;
  uint32_t filled_ = 0;
};

}  // namespace nano33ble
}  // namespace tinyol
