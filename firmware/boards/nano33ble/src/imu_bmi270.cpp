// BMI270: Bosch's driver, as the Arduino library ships it, loads the chip's own firmware (8 KB) and
// configures it; the FIFO is read here, in header mode, where the chip counts what it overwrote.
// The library's class is not used: its FIFO drops what does not fit its buffer, without a word.
#if TINYOL_NANO33BLE_REV == 2

#include <Arduino.h>
#include <utilities/BMI270-Sensor-API/bmi270.h>

#include "bmi270_fifo.h"
#include "imu.h"
#include "sensor_bus.h"

namespace tinyol {
namespace nano33ble {
namespace {

constexpr uint8_t kDevice = BMI2_I2C_PRIM_ADDR;
constexpr uint32_t kFrameBytes = 7;
constexpr uint16_t kBurstBytes = 30;  // of the chip's firmware, while it is loaded

bmi2_dev chip;
Bmi270Fifo fifo;

int8_t read_registers(uint8_t first, uint8_t* bytes, uint32_t length, void* /*device*/) {
  return bus_read(kDevice, first, bytes, length) ? 0 : -1;
}

int8_t write_registers(uint8_t first, const uint8_t* bytes, uint32_t length, void* /*device*/) {
  return bus_write(kDevice, first, bytes, length) ? 0 : -1;
}

void wait_us(uint32_t period_us, void* /*device*/) {
  delayMicroseconds(period_us);
}

bool configure() {
  bmi2_sens_config config = {};
  config.type = BMI2_ACCEL;
  config.cfg.acc.odr = BMI2_ACC_ODR_100HZ;
  config.cfg.acc.range = BMI2_ACC_RANGE_4G;
  config.cfg.acc.bwp = BMI2_ACC_OSR2_AVG2;
  config.cfg.acc.filter_perf = BMI2_PERF_OPT_MODE;
  const uint8_t sensors[] = {BMI2_ACCEL};
  return bmi2_set_sensor_config(&config, 1, &chip) == BMI2_OK &&
         bmi2_sensor_enable(sensors, 1, &chip) == BMI2_OK &&
         bmi2_set_adv_power_save(BMI2_DISABLE, &chip) == BMI2_OK;
}

bool start_fifo() {
  return bmi2_set_fifo_config(BMI2_FIFO_ALL_EN, BMI2_DISABLE, &chip) == BMI2_OK &&
         bmi2_set_fifo_config(BMI2_FIFO_STOP_ON_FULL | BMI2_FIFO_TIME_EN, BMI2_DISABLE, &chip) ==
             BMI2_OK &&
         bmi2_set_fifo_config(BMI2_FIFO_ACC_EN | BMI2_FIFO_HEADER_EN, BMI2_ENABLE, &chip) ==
             BMI2_OK &&
         bmi2_set_command_register(BMI2_FIFO_FLUSH_CMD, &chip) == BMI2_OK;
}

}  // namespace

bool imu_begin() {
  bus_begin();
  chip = bmi2_dev();
  chip.intf = BMI2_I2C_INTF;
  chip.read = read_registers;
  chip.write = write_registers;
  chip.delay_us = wait_us;
  chip.read_write_len = kBurstBytes;
  fifo = Bmi270Fifo();
  return bmi270_init(&chip) == BMI2_OK && configure() && start_fifo();
}

bool imu_read(uint32_t /*now_us*/, ImuSample samples[kImuBatch], uint32_t* n) {
  *n = 0;
  uint16_t filled = 0;
  if (bmi2_get_fifo_length(&filled, &chip) != BMI2_OK) return false;
  if (filled == 0) return true;
  uint8_t bytes[kImuBatch * kFrameBytes];
  static_assert(sizeof(bytes) <= kMaxBusBytes, "one transfer");
  const uint32_t length = filled < sizeof(bytes) ? filled : sizeof(bytes);
  if (!bus_read(kDevice, BMI2_FIFO_DATA_ADDR, bytes, length)) return false;
  Bmi270Frame frames[kImuBatch];
  *n = fifo.parse(bytes, length, frames, kImuBatch);
  for (uint32_t i = 0; i < *n; ++i) {
    // The chip sits turned by a quarter, and mirrored, against revision 1's.
    const int16_t* raw = frames[i].raw;
    samples[i].g[0] = -static_cast<float>(raw[1]) * kGravityPerCount;
    samples[i].g[1] = -static_cast<float>(raw[0]) * kGravityPerCount;
    samples[i].g[2] = static_cast<float>(raw[2]) * kGravityPerCount;
    samples[i].lost_before = frames[i].lost_before;
  }
  return true;
}

}  // namespace nano33ble
}  // namespace tinyol

#endif
