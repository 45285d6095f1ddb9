// Who this board is: numbers from the chip.
#pragma once

#include <stdint.h>

namespace tinyol {
namespace nano33ble {

constexpr uint32_t kDefaultNameBytes = 12;

// From the chip's random number generator; never 0. Call before the radio is on, which uses it too.
uint32_t make_boot_id();

// The name of a board that was given none: "TinyOL-1a2b", zero-terminated; the digits are the
// chip's own, the same at every boot.
void make_default_name(char name[kDefaultNameBytes]);

}  // namespace nano33ble
}  // namespace tinyol
