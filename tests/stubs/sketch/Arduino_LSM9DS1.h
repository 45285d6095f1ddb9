// Stub: the accelerometer of a Nano 33 BLE Sense.
#pragma once

class StubImu {
 public:
  int begin() { return 1; }
  int accelerationAvailable();
  int readAcceleration(float& x, float& y, float& z);
};
extern StubImu IMU;
