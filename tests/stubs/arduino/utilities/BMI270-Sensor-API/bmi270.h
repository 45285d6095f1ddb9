// Stub: what of Bosch's BMI270 driver our firmware uses.
#pragma once

#include <stdint.h>

constexpr uint8_t BMI2_I2C_PRIM_ADDR = 0x68;
constexpr uint8_t BMI2_FIFO_DATA_ADDR = 0x26;
constexpr int8_t BMI2_OK = 0;
constexpr uint8_t BMI2_ACCEL = 0;
constexpr uint8_t BMI2_ACC_ODR_100HZ = 8;
constexpr uint8_t BMI2_ACC_RANGE_4G = 1;
constexpr uint8_t BMI2_ACC_OSR2_AVG2 = 1;
constexpr uint8_t BMI2_PERF_OPT_MODE = 1;
constexpr uint8_t BMI2_DISABLE = 0;
constexpr uint8_t BMI2_ENABLE = 1;
constexpr uint16_t BMI2_FIFO_ALL_EN = 0xE000;
constexpr uint16_t BMI2_FIFO_ACC_EN = 0x4000;
constexpr uint16_t BMI2_FIFO_HEADER_EN = 0x1000;
constexpr uint16_t BMI2_FIFO_STOP_ON_FULL = 1;
constexpr uint16_t BMI2_FIFO_TIME_EN = 2;
constexpr uint8_t BMI2_FIFO_FLUSH_CMD = 0xB0;
enum bmi2_intf { BMI2_SPI_INTF, BMI2_I2C_INTF };

struct bmi2_dev {
  enum bmi2_intf intf;
  int8_t (*read)(uint8_t first, uint8_t* bytes, uint32_t length, void* device);
  int8_t (*write)(uint8_t first, const uint8_t* bytes, uint32_t length, void* device);
  void (*delay_us)(uint32_t period, void* device);
  uint16_t read_write_len;
};
struct bmi2_accel_config {
  uint8_t odr, bwp, filter_perf, range;
};
struct bmi2_sens_config {
  uint8_t type;
  struct {
    bmi2_accel_config acc;
  } cfg;
};

int8_t bmi270_init(bmi2_dev* dev);
int8_t bmi2_set_sensor_config(bmi2_sens_config* config, uint8_t n, bmi2_dev* dev);
int8_t bmi2_sensor_enable(const uint8_t* sensors, uint8_t n, bmi2_dev* dev);
int8_t bmi2_set_adv_power_save(uint8_t enable, bmi2_dev* dev);
int8_t bmi2_set_fifo_config(uint16_t config, uint8_t enable, bmi2_dev* dev);
int8_t bmi2_set_command_register(uint8_t command, bmi2_dev* dev);
int8_t bmi2_get_fifo_length(uint16_t* length, bmi2_dev* dev);
