#include "instructions.h"

namespace tinyol {
namespace emulator {
namespace {

// Rounded to the nearest: a tick is 40 ns.
uint32_t instructions_between(uint32_t start_ticks, uint32_t end_ticks) {
  return static_cast<uint32_t>((uint64_t{end_ticks - start_ticks} * 40 + 512) / 1024);
}

}  // namespace

uint32_t instructions_since(uint32_t start_ticks) {
  const uint32_t end = timer_ticks();
  const uint32_t start = timer_ticks();
  const uint32_t empty = instructions_between(start, timer_ticks());
  const uint32_t counted = instructions_between(start_ticks, end);
  return counted > empty ? counted - empty : 0;
}

}  // namespace emulator
}  // namespace tinyol
