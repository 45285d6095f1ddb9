#include "lost_samples.h"

namespace tinyol {
namespace nano33ble {

uint16_t LostSamples::read(uint32_t now_us, uint32_t level, bool overrun) {
  const uint32_t due = (now_us - last_us_) / period_us_;
  const bool follows = started_;
  started_ = true;
  last_us_ = now_us;
  if (!overrun) return 0;
  if (!follows || due <= fifo_samples_ || due <= level) return 1;
  const uint32_t lost = due - fifo_samples_;
  return lost < 0xFFFFu ? static_cast<uint16_t>(lost) : 0xFFFFu;
}

}  // namespace nano33ble
}  // namespace tinyol
