// The nRF52840 reads code from flash with wait states, through a cache that is off after a reset
// (product specification, NVMC, ICACHECNF). mbed's start-up turns it on for the nRF52832 only; the
// board's own boot loader does, another may not.
#pragma once

namespace tinyol {
namespace nano33ble {

// From now on code comes from the cache where it can. It holds instructions alone: what is written
// to flash as data, and read back, never passes through it.
void cache_instructions();

}  // namespace nano33ble
}  // namespace tinyol
