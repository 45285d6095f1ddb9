// LSM9DS1, register by register: the Arduino library switches its FIFO on but reads neither how
// full it is nor whether it overran. Registers: ST's datasheet DocID025715, sections 7 and 4.2.
#if TINYOL_NANO33BLE_REV == 1

#include <Arduino.h>

#include "imu.h"
#include "lost_samples.h"
#include "sensor_bus.h"

namespace tinyol {
namespace nano33ble {
namespace {

constexpr uint8_t kDevice = 0x6B;
constexpr uint8_t kWhoAmI = 0x0F;
constexpr uint8_t kWhoAmIValue = 0x68;
constexpr uint8_t kControl1Gyroscope = 0x10;
constexpr uint8_t kControl6Accelerometer = 0x20;
constexpr uint8_t kControl8 = 0x22;
constexpr uint8_t kControl9 = 0x23;
constexpr uint8_t kAccelerometerOut = 0x28;
constexpr uint8_t kFifoControl = 0x2E;
constexpr uint8_t kFifoSource = 0x2F;

constexpr uint8_t kReset = 0x05;  // software reset, addresses count up
constexpr uint8_t kRate119HzAt4g = 0x70;
constexpr uint8_t kFifoEnable = 0x02;
constexpr uint8_t kFifoBypass = 0x00;
constexpr uint8_t kFifoContinuous = 0xC0;  // the newest overwrites the oldest
constexpr uint8_t kOverrun = 0x40;
constexpr uint8_t kLevel = 0x3F;
constexpr uint32_t kFifoSamples = 32;

LostSamples lost(static_cast<uint32_t>(1e6f / kSensorHz), kFifoSamples);

}  // namespace

bool imu_begin() {
  bus_begin();
  bus_write(kDevice, kControl8, kReset);
  delay(10);
  uint8_t id = 0;
  if (!bus_read(kDevice, kWhoAmI, &id, 1) || id != kWhoAmIValue) return false;
  lost.restart();
  return bus_write(kDevice, kControl1Gyroscope, 0) &&  // off: the accelerometer sets the rate
         bus_write(kDevice, kControl6Accelerometer, kRate119HzAt4g) &&
         bus_write(kDevice, kControl9, kFifoEnable) &&
         bus_write(kDevice, kFifoControl, kFifoBypass) &&  // empties it
         bus_write(kDevice, kFifoControl, kFifoContinuous);
}

bool imu_read(uint32_t now_us, ImuSample samples[kImuBatch], uint32_t* n) {
  *n = 0;
  uint8_t source = 0;
  if (!bus_read(kDevice, kFifoSource, &source, 1)) return false;
  const uint32_t level = source & kLevel;
  const uint16_t lost_before = lost.read(now_us, level, (source & kOverrun) != 0);
  while (*n < level && *n < kImuBatch) {
    // One sample a transfer: the datasheet promises no wrap from its last register to its first.
    uint8_t raw[6];
    if (!bus_read(kDevice, kAccelerometerOut, raw, sizeof(raw))) return false;
    ImuSample& sample = samples[*n];
    for (int axis = 0; axis < 3; ++axis) {
      const uint16_t bits = static_cast<uint16_t>(raw[2 * axis] | raw[2 * axis + 1] << 8);
      sample.g[axis] = static_cast<float>(static_cast<int16_t>(bits)) * kGravityPerCount;
    }
    sample.lost_before = *n == 0 ? lost_before : 0;
    ++*n;
  }
  return true;
}

}  // namespace nano33ble
}  // namespace tinyol

#endif
