#include "uart.h"

#include "registers.h"

namespace tinyol {
namespace emulator {
namespace {

constexpr uint32_t kData = kUart0Base + 0x00;
constexpr uint32_t kState = kUart0Base + 0x04;
constexpr uint32_t kControl = kUart0Base + 0x08;
constexpr uint32_t kInterruptClear = kUart0Base + 0x0C;
constexpr uint32_t kBaudDivider = kUart0Base + 0x10;

constexpr uint32_t kTransmitFull = 1u << 0;
constexpr uint32_t kReceiveFull = 1u << 1;
constexpr uint32_t kReceiveInterrupt = 1u << 1;
constexpr uint32_t kTransmitReceiveAndInterrupt = 0xB;

}  // namespace

void uart_begin() {
  write_register(kBaudDivider, 16);  // the least that is allowed; no machine waits for it
  write_register(kControl, kTransmitReceiveAndInterrupt);
  // QEMU asks for the first byte only after a read: without it that byte can be a second late.
  read_register(kData);
}

bool uart_available() {
  return (read_register(kState) & kReceiveFull) != 0;
}

bool uart_read(uint8_t* byte) {
  if (!uart_available()) return false;
  *byte = static_cast<uint8_t>(read_register(kData));
  return true;
}

void uart_write(const uint8_t* bytes, uint32_t length) {
  for (uint32_t i = 0; i < length; ++i) {
    while ((read_register(kState) & kTransmitFull) != 0) {
    }
    write_register(kData, bytes[i]);
  }
}

void uart_clear_interrupt() {
  write_register(kInterruptClear, kReceiveInterrupt);
}

}  // namespace emulator
}  // namespace tinyol
