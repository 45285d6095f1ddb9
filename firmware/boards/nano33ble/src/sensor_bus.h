// Registers of a sensor on the board's inner I2C bus (Wire1), at 400 kHz.
#pragma once

#include <stdint.h>

namespace tinyol {
namespace nano33ble {

constexpr uint32_t kMaxBusBytes = 224;  // of one transfer; Wire's buffer has 256

void bus_begin();

// False if the sensor does not answer, or not with all of it.
bool bus_read(uint8_t device, uint8_t first_register, uint8_t* bytes, uint32_t length);
bool bus_write(uint8_t device, uint8_t first_register, const uint8_t* bytes, uint32_t length);
bool bus_write(uint8_t device, uint8_t address, uint8_t value);

}  // namespace nano33ble
}  // namespace tinyol
