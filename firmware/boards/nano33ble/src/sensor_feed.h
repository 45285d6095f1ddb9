// From the accelerometer into the server: reads, watches, starts anew.
#pragma once

#include <stdint.h>

#include "sensor_watch.h"

namespace tinyol {

class Server;

namespace nano33ble {

constexpr uint32_t kReadMs = 10;  // about one sample; the smaller of the FIFOs holds 32

class SensorFeed {
 public:
  // Starts the sensor. False: it is not there, which is tried again later.
  bool begin(uint32_t now_ms);
  // The model's rate is not the sensor's: read and watch it, but learn nothing from it.
  void refuse_rate() { wrong_rate_ = true; }

  void poll(Server* server, uint32_t now_ms, uint32_t now_us);

  SensorState state() const;
  uint32_t dropped() const { return watch_.dropped(); }

 private:
  SensorWatch watch_;
  bool found_ = false;
  uint32_t read_ms_ = 0;
  bool wrong_rate_ = false;
};

}  // namespace nano33ble
}  // namespace tinyol
