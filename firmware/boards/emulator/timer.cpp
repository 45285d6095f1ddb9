#include "timer.h"

#include "registers.h"

namespace tinyol {
namespace emulator {
namespace {

constexpr uint32_t kFreeRunning = kDualTimerBase + 0x00;
constexpr uint32_t kWake = kDualTimerBase + 0x20;
// Registers of each half.
constexpr uint32_t kLoad = 0x00;
constexpr uint32_t kValue = 0x04;
constexpr uint32_t kControl = 0x08;
constexpr uint32_t kInterruptClear = 0x0C;

constexpr uint32_t kEnable = 1u << 7;
constexpr uint32_t kPeriodic = 1u << 6;
constexpr uint32_t kInterrupt = 1u << 5;
constexpr uint32_t k32Bits = 1u << 1;

}  // namespace

void timer_begin() {
  write_register(kFreeRunning + kLoad, 0xFFFFFFFFu);
  write_register(kFreeRunning + kControl, kEnable | k32Bits);
  write_register(kWake + kLoad, kWakeMs * kTicksPerMs);
  write_register(kWake + kControl, kEnable | kPeriodic | kInterrupt | k32Bits);
}

uint32_t timer_ticks() {
  return 0xFFFFFFFFu - read_register(kFreeRunning + kValue);
}

void timer_clear_interrupt() {
  write_register(kWake + kInterruptClear, 1);
}

uint32_t Clock::ms() {
  const uint32_t whole = (timer_ticks() - last_ticks_) / kTicksPerMs;
  last_ticks_ += whole * kTicksPerMs;
  ms_ += whole;
  return ms_;
}

}  // namespace emulator
}  // namespace tinyol
