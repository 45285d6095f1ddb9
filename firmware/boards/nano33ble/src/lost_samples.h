// How many samples a FIFO overwrote, for a sensor that only says that it did: reckoned from the
// time between reads. The sensor's clock is off by a few per cent, so the count is as well; that
// something was lost is certain.
#pragma once

#include <stdint.h>

namespace tinyol {
namespace nano33ble {

class LostSamples {
 public:
  constexpr LostSamples(uint32_t period_us, uint32_t fifo_samples)
      : period_us_(period_us), fifo_samples_(fifo_samples) {}

  // The sensor was started anew: the next read follows nothing.
  void restart() { started_ = false; }

  // Call with every read of the FIFO's state: `level` samples are in it, all of which are taken.
  // Returns how many were lost before the first of them; at least 1 after an overrun.
  uint16_t read(uint32_t now_us, uint32_t level, bool overrun);

 private:
  uint32_t period_us_;
  uint32_t fifo_samples_;
  uint32_t last_us_ = 0;
  bool started_ = false;
};

}  // namespace nano33ble
}  // namespace tinyol
