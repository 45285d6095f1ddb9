// Stub: what of mbed our firmware uses.
#pragma once

#include <stdint.h>

#include <chrono>

namespace mbed {

class Ticker {
 public:
  void attach(void (*call)(), std::chrono::microseconds period);
};

}  // namespace mbed

struct mbed_error_ctx {
  int error_status;
  uint32_t error_address;
};
extern "C" void mbed_error_hook(const mbed_error_ctx* error);
bool mbed_get_error_in_progress();
