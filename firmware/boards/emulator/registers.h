// Memory-mapped registers of Arm's MPS2 board (AN386), as QEMU's mps2-an386 has them.
#pragma once

#include <stdint.h>

namespace tinyol {
namespace emulator {

constexpr uint32_t kDualTimerBase = 0x40002000;  // CMSDK dual timer, 25 MHz
constexpr uint32_t kUart0Base = 0x40004000;      // CMSDK APB UART
constexpr uint32_t kNvicEnable = 0xE000E100;     // ISER0
constexpr uint32_t kNvicUnpend = 0xE000E280;     // ICPR0
constexpr uint32_t kFaultStatus = 0xE000ED28;    // CFSR
constexpr uint32_t kCoprocessors = 0xE000ED88;   // CPACR

// Interrupt lines: bits of the NVIC's first word.
constexpr uint32_t kUart0ReceiveLine = 1u << 0;
constexpr uint32_t kDualTimerLine = 1u << 10;

inline uint32_t read_register(uint32_t address) {
  return *reinterpret_cast<const volatile uint32_t*>(address);
}

inline void write_register(uint32_t address, uint32_t value) {
  *reinterpret_cast<volatile uint32_t*>(address) = value;
}

}  // namespace emulator
}  // namespace tinyol
