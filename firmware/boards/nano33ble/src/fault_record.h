// Why the last run ended: kept over a reset, told by the next boot.
//
// The record lies in RAM that start-up does not clear (.noinit), with a CRC: what a bootloader
// overwrote is no record. One byte more lies in GPREGRET2, a register that a soft reset keeps, so
// that the kind of fault is known even then.
#pragma once

#include <stdint.h>

namespace tinyol {
namespace nano33ble {

enum class FaultKind : uint8_t {
  kNone = 0,
  kStalled = 1,   // the main loop did not come round: where it was
  kCrashed = 2,   // mbed's fatal error or a CPU fault: where, and mbed's status
  kWatchdog = 3,  // the hardware watchdog bit: nothing else is known
  kLockup = 4,    // the CPU faulted while it handled a fault
};

struct FaultRecord {
  FaultKind kind = FaultKind::kNone;
  uint32_t address = 0;  // program counter, 0 = unknown
  uint32_t status = 0;
};

constexpr uint32_t kFaultTextBytes = 64;

// From any context, interrupts included.
void keep_fault(const FaultRecord& record);

// What the last run left, once: a second call finds nothing. False if it ended in peace.
bool take_fault(FaultRecord* record);

// "last run: stalled at 0x000123ab", zero-terminated, whatever the record holds.
void describe(const FaultRecord& record, char text[kFaultTextBytes]);

}  // namespace nano33ble
}  // namespace tinyol
