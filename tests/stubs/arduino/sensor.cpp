// Behind the stubs: an LSM9DS1 or a BMI270 on the inner I2C bus, as its registers show it.
#include <utilities/BMI270-Sensor-API/bmi270.h>

#include <deque>

#include "Arduino.h"
#include "Wire.h"
#include "stub_board.h"

namespace {

constexpr bool kRevision1 = TINYOL_NANO33BLE_REV == 1;
constexpr uint64_t kPeriodUs = kRevision1 ? 8403 : 10000;
constexpr uint32_t kFifoSamples = kRevision1 ? 32 : 290;
enum State { kGone, kRuns, kSilent, kRepeats };

int state = kRuns;
uint64_t taken_us = 0;  // up to when samples were put into the FIFO
uint32_t number = 0;
bool overrun = false;
uint32_t skipped = 0;
std::deque<int16_t> fifo;
std::deque<uint8_t> answer;
uint8_t address = 0;
uint8_t chosen = 0;
bool has_chosen = false;

void catch_up() {
  const uint64_t now = stub_now_us();
  for (; taken_us + kPeriodUs <= now; taken_us += kPeriodUs) {
    if (state == kSilent) continue;
    if (state != kRepeats) ++number;
    if (fifo.size() == kFifoSamples) {
      fifo.pop_front();
      overrun = true;
      ++skipped;
    }
    fifo.push_back(static_cast<int16_t>(number % 1000));
  }
}

void put_sample(int16_t value) {
  for (int axis = 0; axis < 3; ++axis) {
    answer.push_back(static_cast<uint8_t>(value));
    answer.push_back(static_cast<uint8_t>(static_cast<uint16_t>(value) >> 8));
  }
}

void answer_lsm9ds1(size_t length) {
  if (chosen == 0x0F) {
    answer.push_back(0x68);
  } else if (chosen == 0x2F) {
    catch_up();
    answer.push_back(static_cast<uint8_t>(fifo.size() | (overrun ? 0x40 : 0)));
    overrun = false;
  } else if (chosen == 0x28 && !fifo.empty()) {
    put_sample(fifo.front());
    fifo.pop_front();
  }
  while (answer.size() < length) answer.push_back(0);
}

void answer_bmi270(size_t length) {
  while (answer.size() + 7 <= length && !fifo.empty()) {
    if (skipped > 0) {
      answer.push_back(0x40);
      answer.push_back(static_cast<uint8_t>(skipped < 255 ? skipped : 255));
      skipped = 0;
      continue;
    }
    answer.push_back(0x84);
    put_sample(fifo.front());
    fifo.pop_front();
  }
  while (answer.size() < length) answer.push_back(0x80);
}

int8_t ok() {
  return state == kGone ? -2 : 0;
}

}  // namespace

TwoWire Wire1;

void TwoWire::begin() {}
void TwoWire::setClock(uint32_t) {}
void TwoWire::beginTransmission(uint8_t device) {
  address = device;
  has_chosen = false;
}
size_t TwoWire::write(uint8_t byte) {
  if (!has_chosen) chosen = byte;
  has_chosen = true;
  return 1;
}
size_t TwoWire::write(const uint8_t* bytes, int length) {
  for (int i = 0; i < length; ++i) write(bytes[i]);
  if (kRevision1 && chosen == 0x2E && bytes[0] == 0) {
    fifo.clear();
    taken_us = stub_now_us();
  }
  return static_cast<size_t>(length);
}
uint8_t TwoWire::endTransmission(bool) {
  const uint8_t device = kRevision1 ? 0x6B : 0x68;
  return state != kGone && address == device ? 0 : 2;
}
size_t TwoWire::requestFrom(uint8_t, size_t length) {
  if (state == kGone) return 0;
  if (kRevision1) {
    answer_lsm9ds1(length);
  } else {
    answer_bmi270(length);
  }
  return length;
}
int TwoWire::available() {
  return static_cast<int>(answer.size());
}
int TwoWire::read() {
  const int byte = answer.front();
  answer.pop_front();
  return byte;
}

int8_t bmi270_init(bmi2_dev*) {
  return ok();
}
int8_t bmi2_set_sensor_config(bmi2_sens_config*, uint8_t, bmi2_dev*) {
  return ok();
}
int8_t bmi2_sensor_enable(const uint8_t*, uint8_t, bmi2_dev*) {
  return ok();
}
int8_t bmi2_set_adv_power_save(uint8_t, bmi2_dev*) {
  return ok();
}
int8_t bmi2_set_fifo_config(uint16_t, uint8_t, bmi2_dev*) {
  return ok();
}
int8_t bmi2_set_command_register(uint8_t, bmi2_dev*) {
  fifo.clear();
  taken_us = stub_now_us();
  return ok();
}
int8_t bmi2_get_fifo_length(uint16_t* length, bmi2_dev*) {
  catch_up();
  *length = static_cast<uint16_t>(fifo.size() * 7 + (skipped > 0 ? 2 : 0));
  return ok();
}

void stub_sensor_clock() {
  taken_us = stub_now_us();
}

void stub_sensor(int new_state) {
  catch_up();
  state = new_state;
}
