// Stub: I2C with an accelerometer on it, see arduino.cpp.
#pragma once

#include <stddef.h>
#include <stdint.h>

class TwoWire {
 public:
  void begin();
  void setClock(uint32_t hz);
  void beginTransmission(uint8_t address);
  size_t write(uint8_t byte);
  size_t write(const uint8_t* bytes, int length);
  uint8_t endTransmission(bool stop = true);
  size_t requestFrom(uint8_t address, size_t length);
  int available();
  int read();
};

extern TwoWire Wire1;
