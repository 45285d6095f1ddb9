// Stub: the USB serial port.
#pragma once

#include <stddef.h>
#include <stdint.h>

namespace arduino {

class USBSerial {
 public:
  bool connected();
  int available();
  int read();
  size_t write(uint8_t byte);
  size_t print(const char* text);
  void send_nb(uint8_t* buffer, uint32_t size, uint32_t* actual, bool now = true);
};

}  // namespace arduino

extern arduino::USBSerial _SerialUSB;
