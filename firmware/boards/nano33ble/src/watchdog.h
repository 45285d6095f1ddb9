// Two watchdogs, since the nRF52840's own cannot be stopped, lives through a soft reset and would
// bite the bootloader in the middle of an upload (the 1200-baud touch is a soft reset):
//   - a timer interrupt resets the board if the main loop has not come round for kStallMs, and
//     keeps a record of where it was. A reset stops it, so that an upload has all the time it
//     needs;
//   - the chip's own, with kLastResortS, for a board that hangs with its interrupts off. It is
//     longer than an upload takes. A program without a watchdog that is uploaded next is reset
//     once, within that time: a watchdog's own reset does stop it.
#pragma once

#include <stdint.h>

namespace tinyol {
namespace nano33ble {

constexpr uint32_t kStallMs = 4000;
constexpr uint32_t kTickMs = 250;
constexpr uint32_t kLastResortS = 180;

// The rule: a whole pass of the main loop feeds it, and nothing else does.
class LoopWatch {
 public:
  void pass() { ticks_ = 0; }
  // From the timer, every kTickMs. True once, when the loop has stalled.
  bool tick();

 private:
  volatile uint32_t ticks_ = 0;  // since the last pass
};

void watchdog_begin();
void watchdog_feed();

// Resets the board, with a record for the next boot.
[[noreturn]] void restart_with(uint8_t fault_kind, uint32_t address, uint32_t status);

}  // namespace nano33ble
}  // namespace tinyol
