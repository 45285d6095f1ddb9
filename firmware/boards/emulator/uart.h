// UART0: the emulated board's one link to the outside.
#pragma once

#include <stdint.h>

namespace tinyol {
namespace emulator {

void uart_begin();

bool uart_available();
// The next byte received; false when there is none.
bool uart_read(uint8_t* byte);
// Waits until the peer has taken them all: no byte is lost.
void uart_write(const uint8_t* bytes, uint32_t length);

void uart_clear_interrupt();

}  // namespace emulator
}  // namespace tinyol
