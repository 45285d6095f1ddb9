// Lines of the log that stand until they are taken back: a sensor that failed, a fault of the last
// run. Nobody may be listening when they come up, so that they are repeated.
#pragma once

#include <stdint.h>

#include "tinyol/server.h"

namespace tinyol {
namespace nano33ble {

constexpr uint32_t kRepeatMs = 10000;

class StandingLine {
 public:
  // Tells `text` now, if it is new, and every kRepeatMs; "" tells nothing. The text is kept by
  // address: it outlives the line, and another text has another address.
  void tell(Server* server, LogLevel level, const char* text, uint32_t now_ms);

 private:
  const char* text_ = nullptr;
  uint32_t told_ms_ = 0;
};

}  // namespace nano33ble
}  // namespace tinyol
