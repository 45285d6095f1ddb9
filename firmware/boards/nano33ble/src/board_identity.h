// Who this board is: numbers from the chip.
#pragma once

#include <stdint.h>

namespace tinyol {
namespace nano33ble {

constexpr uint32_t kNameBytes = 12;

// From the chip's random number generator; never 0. Call before the radio is on, which uses it too.
uint32_t make_boot_id();

// "TinyOL-1a2b", zero-terminated; the digits are the chip's own, the same at every boot.
void board_name(char name[kNameBytes]);

}  // namespace nano33ble
}  // namespace tinyol
