#include "idle.h"

#include "registers.h"
#include "timer.h"
#include "uart.h"

namespace tinyol {
namespace emulator {

void idle_begin() {
  write_register(kNvicEnable, kUart0ReceiveLine | kDualTimerLine);
}

void idle() {
  uart_clear_interrupt();
  timer_clear_interrupt();
  write_register(kNvicUnpend, kUart0ReceiveLine | kDualTimerLine);
  // A byte from here on is pending, and a pending interrupt ends WFI at once, masked or not.
  if (uart_available()) return;
  __asm volatile("dsb\n wfi" ::: "memory");
}

}  // namespace emulator
}  // namespace tinyol
