// Who this board is: numbers of the chip's own.
#pragma once

#include <stdint.h>

#include "tinyol/random_pool.h"

namespace tinyol {
namespace nano33ble {

constexpr uint32_t kDefaultNameBytes = 12;

// Never 0, and another one at every boot; 1 where nothing random can be drawn.
uint32_t make_boot_id(RandomPool* random);

// The name of a board that was given none: "TinyOL-1a2b", zero-terminated; the digits are the
// chip's own, the same at every boot.
void make_default_name(char name[kDefaultNameBytes]);

}  // namespace nano33ble
}  // namespace tinyol
