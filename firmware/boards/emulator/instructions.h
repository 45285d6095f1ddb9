// Counts instructions, exactly, on a machine whose timer advances by 1024 ns with each (QEMU's
// -icount shift=10): 25 MHz ticks are then instructions.
#pragma once

#include <stdint.h>

#include "timer.h"

namespace tinyol {
namespace emulator {

// Executed since timer_ticks() read `start_ticks`; what an empty measurement takes is taken off.
uint32_t instructions_since(uint32_t start_ticks);

template <typename Call>
uint32_t instructions_of(Call call) {
  const uint32_t start = timer_ticks();
  call();
  return instructions_since(start);
}

}  // namespace emulator
}  // namespace tinyol
