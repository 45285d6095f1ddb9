// Slows down whoever guesses: after five failures in a row nothing is tried for a second, after
// each further one for twice as long, up to a minute. A success sets it back.
#pragma once

#include <stdint.h>

namespace tinyol {

class FailureLimit {
 public:
  static constexpr uint8_t kFree = 5;  // failures
  static constexpr uint32_t kFirstMs = 1000;
  static constexpr uint32_t kMostMs = 64000;

  void failed(uint32_t now_ms);
  void succeeded() { *this = FailureLimit(); }
  // ms to wait before the next try; 0: now. Times may wrap: call at least once a day.
  uint32_t wait_ms(uint32_t now_ms);

 private:
  uint8_t in_a_row_ = 0;
  bool locked_ = false;
  uint32_t from_ms_ = 0;
  uint32_t for_ms_ = 0;
};

}  // namespace tinyol
