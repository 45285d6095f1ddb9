#include "tinyol/failure_limit.h"

#include "tinyol/count_up.h"

namespace tinyol {

void FailureLimit::failed(uint32_t now_ms) {
  count_up(&in_a_row_);
  if (in_a_row_ < kFree) return;
  for_ms_ = kFirstMs;
  for (uint8_t i = kFree; i < in_a_row_ && for_ms_ < kMostMs; ++i) for_ms_ *= 2;
  from_ms_ = now_ms;
  locked_ = true;
}

uint32_t FailureLimit::wait_ms(uint32_t now_ms) {
  if (!locked_) return 0;
  // Negative where the caller had read the clock before the failure came in.
  const int32_t since_ms = static_cast<int32_t>(now_ms - from_ms_);
  locked_ = since_ms < static_cast<int32_t>(for_ms_);
  return locked_ ? for_ms_ - static_cast<uint32_t>(since_ms) : 0;
}

}  // namespace tinyol
