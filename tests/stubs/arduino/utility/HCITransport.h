// Stub: where HCI packets leave.
#pragma once

#include <stddef.h>
#include <stdint.h>

class HCITransportInterface {
 public:
  size_t write(const uint8_t* data, size_t length);
};

extern HCITransportInterface HCITransport;
