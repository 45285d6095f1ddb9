// Whether a generator's bytes can be noise: the two health tests of NIST SP 800-90B, 4.4, over as
// many bytes as its 4.3 asks for at every start. Of a byte no more than 4 bits of entropy are
// believed, since the chip's data sheet states no figure; noise that has them fails a test once in
// 2^20 times. They find a generator that broke, not one that somebody built to deceive.
#pragma once

#include <stdint.h>

namespace tinyol {
namespace nano33ble {

class NoiseTest {
 public:
  static constexpr uint32_t kStartBytes = 1024;

  void push(uint8_t byte);
  bool complete() const { return pushed_ >= kStartBytes; }
  // kStartBytes or more, and no test failed so far.
  bool passed() const { return complete() && !failed_; }

 private:
  uint32_t pushed_ = 0;
  bool failed_ = false;
  uint8_t last_ = 0;
  uint32_t in_a_row_ = 0;  // bytes like the last one, and it
  uint8_t first_ = 0;      // of the window
  uint32_t like_first_ = 0;
};

}  // namespace nano33ble
}  // namespace tinyol
