#include "board.h"

#include <Arduino.h>
#include <USB/PluggableUSBSerial.h>

#include "imu.h"
#include "text_line.h"
#include "watchdog.h"

namespace tinyol {
namespace nano33ble {
namespace {

constexpr int kUsb = 0;
constexpr int kBluetooth = 1;
constexpr uint32_t kNoticeMs = 1000;
constexpr uint64_t kAlarmShownSamples = 2 * static_cast<uint64_t>(kSensorHz);

}  // namespace

void Board::begin() {
  led_begin();
  if (take_fault(&last_fault_)) describe(last_fault_, last_fault_text_);
  watchdog_begin();
  Refusal refusal;
  if (linked_.load(&refusal) != Status::kOk) stop_refused(refusal);
  if (linked_.device.max_image_bytes() > sizeof(staging_)) {
    refuse(&refusal, Status::kTooSmall, "staging", linked_.device.max_image_bytes(),
           sizeof(staging_));
    stop_refused(refusal);
  }
  const bool sensor_found = sensor_.begin(millis());
  begin_server(sensor_found);
  usb_.begin(&server_, kUsb);
  watchdog_feed();
  char name[kNameBytes];
  board_name(name);
  radio_works_ = ble_.begin(&server_, kBluetooth, name);
}

void Board::begin_server(bool sensor_found) {
  const bool rate_is_ours = rate_fits(linked_.model.pipeline.rate_hz, kSensorHz);
  if (!rate_is_ours) sensor_.refuse_rate();
  ServerIdentity identity;
  identity.boot_id = make_boot_id();
  identity.firmware_version = kFirmwareVersion;
  identity.capabilities = kCapabilityKernels;
  if (sensor_found && rate_is_ours) identity.capabilities |= kCapabilitySensor;
  identity.board = kBoardName;
  server_.begin(&linked_.device, identity, staging_, sizeof(staging_));
}

void Board::pass() {
  const uint32_t now_ms = millis();
  sensor_.poll(&server_, now_ms, micros());
  usb_.poll(now_ms);
  ble_.poll(now_ms);
  server_.tick(millis());
  const SensorState sensor = sensor_.state();
  tell_log(sensor, now_ms);
  led_show(led_colour(led_state(status(sensor)), now_ms));
  watchdog_feed();
  delay(1);  // lets the CPU sleep, and the radio's thread run
}

BoardStatus Board::status(SensorState sensor) const {
  const Device& device = linked_.device;
  BoardStatus status;
  status.fault = sensor != SensorState::kRunning || !radio_works_;
  if (server_.feeding()) status.fault = false;  // it works with another's samples meanwhile
  const AlarmRing& alarms = server_.alarms();
  status.alarm =
      alarms.size() > 0 &&
      device.state().counters.samples - alarms.latest(0).last_sample < kAlarmShownSamples;
  status.learning = device.current_label() != kNoClass || device.learner().fine_tune_left() > 0;
  status.connected = usb_.connected() || ble_.connected();
  return status;
}

void Board::tell_log(SensorState sensor, uint32_t now_ms) {
  fault_line_.tell(&server_, LogLevel::kError, last_fault_text_, now_ms);
  sensor_line_.tell(&server_, LogLevel::kError, describe(sensor), now_ms);
  radio_line_.tell(&server_, LogLevel::kError,
                   radio_works_ ? "" : "radio: Bluetooth does not start", now_ms);
  if (sensor_.dropped() == told_dropped_) return;
  told_dropped_ = sensor_.dropped();
  TextLine(dropped_text_, sizeof(dropped_text_))
      .text("sensor: ")
      .decimal(told_dropped_)
      .text(" samples dropped since boot");
  server_.log(LogLevel::kWarning, dropped_text_);
}

void Board::stop_refused(const Refusal& refusal) {
  keep_fault({FaultKind::kRefused, 0, static_cast<uint32_t>(static_cast<int32_t>(refusal.status))});
  const BoardStatus fault = {true, false, false, false};
  uint32_t told_ms = millis();
  for (;;) {
    const uint32_t now_ms = millis();
    led_show(led_colour(led_state(fault), now_ms));
    if (now_ms - told_ms >= kNoticeMs && _SerialUSB.connected()) {
      told_ms = now_ms;
      char line[128];
      TextLine text(line, sizeof(line));
      text.text("TINYOL REFUSED -")
          .decimal(static_cast<uint32_t>(-static_cast<int32_t>(refusal.status)))
          .text(" ")
          .decimal(refusal.need)
          .text(" ")
          .decimal(refusal.have)
          .text(" ")
          .text(refusal.where);
      _SerialUSB.write(static_cast<uint8_t>(0));
      _SerialUSB.print(line);
      _SerialUSB.write(static_cast<uint8_t>(0));
    }
    watchdog_feed();
    delay(10);
  }
}

}  // namespace nano33ble
}  // namespace tinyol
