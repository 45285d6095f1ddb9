#include "noise_test.h"

namespace tinyol {
namespace nano33ble {
namespace {

// 4.4.1, repetition count: 1 + 20 / 4.
constexpr uint32_t kFailsInARow = 6;
// 4.4.2, adaptive proportion: what of 512 draws with probability 2^-4 is exceeded once in 2^20.
constexpr uint32_t kWindowBytes = 512;
constexpr uint32_t kFailsInAWindow = 62;

}  // namespace

void NoiseTest::push(uint8_t byte) {
  in_a_row_ = pushed_ > 0 && byte == last_ ? in_a_row_ + 1 : 1;
  last_ = byte;
  if (pushed_ % kWindowBytes == 0) {
    first_ = byte;
    like_first_ = 0;
  }
  if (byte == first_) ++like_first_;
  if (in_a_row_ >= kFailsInARow || like_first_ >= kFailsInAWindow) failed_ = true;
  ++pushed_;
}

}  // namespace nano33ble
}  // namespace tinyol
