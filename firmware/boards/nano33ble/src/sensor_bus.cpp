#include "sensor_bus.h"

#include <Wire.h>

namespace tinyol {
namespace nano33ble {

void bus_begin() {
  Wire1.begin();
  Wire1.setClock(400000);
}

bool bus_read(uint8_t device, uint8_t first_register, uint8_t* bytes, uint32_t length) {
  if (length > kMaxBusBytes) return false;
  // A transfer that was cut short may have left bytes behind.
  while (Wire1.available() > 0) Wire1.read();
  Wire1.beginTransmission(device);
  Wire1.write(first_register);
  if (Wire1.endTransmission(false) != 0) return false;
  if (Wire1.requestFrom(device, static_cast<size_t>(length)) != length) return false;
  for (uint32_t i = 0; i < length; ++i) bytes[i] = static_cast<uint8_t>(Wire1.read());
  return true;
}

bool bus_write(uint8_t device, uint8_t first_register, const uint8_t* bytes, uint32_t length) {
  if (length > kMaxBusBytes) return false;
  Wire1.beginTransmission(device);
  Wire1.write(first_register);
  Wire1.write(bytes, static_cast<int>(length));
  return Wire1.endTransmission() == 0;
}

bool bus_write(uint8_t device, uint8_t address, uint8_t value) {
  return bus_write(device, address, &value, 1);
}

}  // namespace nano33ble
}  // namespace tinyol
