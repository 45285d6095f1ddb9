// The board's accelerometer, at its own rate through its own FIFO: one implementation a revision,
// chosen by TINYOL_NANO33BLE_REV (imu_lsm9ds1.cpp, imu_bmi270.cpp). Both run at +-4 g with the
// axes of revision 1, so that a recording means the same on either.
#pragma once

#include <stdint.h>

namespace tinyol {
namespace nano33ble {

#if TINYOL_NANO33BLE_REV == 1
constexpr float kSensorHz = 119.0f;
constexpr char kBoardName[] = "nano33ble-rev1";
#elif TINYOL_NANO33BLE_REV == 2
constexpr float kSensorHz = 100.0f;
constexpr char kBoardName[] = "nano33ble-rev2";
#else
#error "TINYOL_NANO33BLE_REV must be 1 (LSM9DS1) or 2 (BMI270)"
#endif

constexpr uint32_t kImuBatch = 32;
constexpr float kGravityPerCount = 4.0f / 32768.0f;  // g; a power of two: exact

struct ImuSample {
  float g[3];
  uint16_t lost_before;  // samples that the sensor overwrote between the last one and this
};

// Finds the sensor, resets it and starts its FIFO. False: it does not answer, or is another chip.
bool imu_begin();

// Takes what the FIFO holds, at most kImuBatch samples, oldest first. `now_us` (may wrap) is what
// losses are reckoned by where the chip does not count them. False: it does not answer.
bool imu_read(uint32_t now_us, ImuSample samples[kImuBatch], uint32_t* n);

}  // namespace nano33ble
}  // namespace tinyol
