// Vector table and reset of the emulated Cortex-M4F. Interrupts stay masked: they only end a
// wait (idle.h), so that what runs depends on the bytes received alone.
#include <stdint.h>
#include <string.h>

#include "notice.h"
#include "program.h"
#include "registers.h"
#include "uart.h"

using tinyol::emulator::kCoprocessors;
using tinyol::emulator::kFaultStatus;
using tinyol::emulator::Notice;
using tinyol::emulator::read_register;
using tinyol::emulator::write_register;

extern "C" {

extern uint8_t __stack_top[];
extern uint8_t __bss_begin[];
extern uint8_t __bss_end[];
extern uint8_t __data_begin[];
extern uint8_t __data_end[];
extern const uint8_t __data_source[];

void Reset_Handler() {
  // The FPU before anything that might use it.
  write_register(kCoprocessors, read_register(kCoprocessors) | 0xFu << 20);
  __asm volatile("dsb\n isb\n cpsid i" ::: "memory");
  memcpy(__data_begin, __data_source, static_cast<size_t>(__data_end - __data_begin));
  memset(__bss_begin, 0, static_cast<size_t>(__bss_end - __bss_begin));
  tinyol::emulator::run_program();
}

// `frame`: r0-r3, r12, lr, pc, psr as the CPU stacked them.
__attribute__((used)) void report_fault(const uint32_t* frame) {
  tinyol::emulator::uart_begin();  // the fault may have come before it
  {
    Notice("FAULT").text("pc ").hex(frame[6]).text(" cfsr ").hex(read_register(kFaultStatus));
  }
  for (;;) __asm volatile("wfi");
}

__attribute__((naked)) void Fault_Handler() {
  __asm volatile("mrs r0, msp\n b report_fault");
}

}  // extern "C"

namespace {

using Handler = void (*)();

struct VectorTable {
  const uint8_t* stack_top;
  Handler handlers[15];  // reset, NMI, the faults, SVCall, debug, PendSV, SysTick
};

__attribute__((section(".vectors"), used)) const VectorTable kVectors = {
    __stack_top,
    {Reset_Handler, Fault_Handler, Fault_Handler, Fault_Handler, Fault_Handler, Fault_Handler,
     nullptr, nullptr, nullptr, nullptr, Fault_Handler, Fault_Handler, nullptr, Fault_Handler,
     Fault_Handler},
};

}  // namespace
