#include "watchdog.h"

#include <Arduino.h>
#include <mbed.h>

#include <chrono>

#include "fault_record.h"

namespace tinyol {
namespace nano33ble {
namespace {

constexpr uint32_t kStallTicks = kStallMs / kTickMs;
constexpr uint32_t kWatchdogHz = 32768;
constexpr uint32_t kReload = 0x6E524635;  // what the register wants to hear
constexpr int kStackedPc = 6;             // of r0-r3, r12, lr, pc, psr

LoopWatch loop_watch;
mbed::Ticker ticker;

// Where the thread is that the timer interrupted: its registers lie on its own stack.
uint32_t interrupted_pc() {
  const uintptr_t stack = __get_PSP();
  return stack == 0 ? 0 : reinterpret_cast<const uint32_t*>(stack)[kStackedPc];
}

void on_tick() {
  if (loop_watch.tick()) {
    restart_with(static_cast<uint8_t>(FaultKind::kStalled), interrupted_pc(), 0);
  }
}

void start_last_resort() {
  if (NRF_WDT->RUNSTATUS != 0) return;     // from before a soft reset; it can only be fed
  NRF_WDT->CONFIG = WDT_CONFIG_SLEEP_Msk;  // counts while the CPU sleeps, not under a debugger
  NRF_WDT->CRV = kLastResortS * kWatchdogHz - 1;
  NRF_WDT->RREN = 1;
  NRF_WDT->TASKS_START = 1;
}

}  // namespace

bool LoopWatch::tick() {
  const uint32_t ticks = ticks_ + 1;
  ticks_ = ticks;
  return ticks == kStallTicks;
}

void watchdog_begin() {
  start_last_resort();
  loop_watch.pass();
  ticker.attach(on_tick, std::chrono::milliseconds(kTickMs));
}

void watchdog_feed() {
  loop_watch.pass();
  // Whoever started it may have enabled other channels: it wants them all.
  for (int channel = 0; channel < 8; ++channel) NRF_WDT->RR[channel] = kReload;
}

void restart_with(uint8_t fault_kind, uint32_t address, uint32_t status) {
  keep_fault({static_cast<FaultKind>(fault_kind), address, status});
  NVIC_SystemReset();
  for (;;) {
  }
}

}  // namespace nano33ble
}  // namespace tinyol

// mbed calls it for each error, before it stops the board for good at the fatal ones.
extern "C" void mbed_error_hook(const mbed_error_ctx* error) {
  if (!mbed_get_error_in_progress()) return;  // a warning
  tinyol::nano33ble::restart_with(static_cast<uint8_t>(tinyol::nano33ble::FaultKind::kCrashed),
                                  error->error_address, static_cast<uint32_t>(error->error_status));
}
