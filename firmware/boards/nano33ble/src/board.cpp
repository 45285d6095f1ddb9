#include "board.h"

#include <Arduino.h>

#include "imu.h"
#include "instruction_cache.h"
#include "random_seed.h"
#include "text_line.h"
#include "tinyol/secret_bytes.h"
#include "watchdog.h"

namespace tinyol {
namespace nano33ble {
namespace {

constexpr int kUsb = 0;
constexpr int kBluetooth = 1;
constexpr uint64_t kAlarmShownSamples = 2 * static_cast<uint64_t>(kSensorHz);

// The server's conditions.
constexpr int kLastRun = 0;
constexpr int kSensor = 1;
constexpr int kRadio = 2;
constexpr int kModelOrMemory = 3;  // without a model nothing is saved
constexpr int kRandom = 4;
static_assert(kRandom < kMaxConditions, "a slot each");

}  // namespace

void Board::begin() {
  cache_instructions();
  led_begin();
  if (take_fault(&last_fault_)) describe(last_fault_, last_fault_text_);
  watchdog_begin();
  char default_name[kDefaultNameBytes];
  make_default_name(default_name);
  memory_.begin(default_name);
  load_model();
  begin_random();  // before the radio, whose generator it is from then on
  begin_server(sensor_.begin(millis()));
  usb_.begin(&server_, kUsb);
  watchdog_feed();
  radio_works_ = ble_.begin(&server_, kBluetooth, memory_.name());
  tell_what_boot_found();
}

void Board::load_model() {
  Refusal refusal;
  if (linked_.load(&refusal) != Status::kOk) describe("model refused", refusal, model_text_);
  linked_.device.keep_undo(undo_, sizeof(undo_));
  memory_.restore(&linked_.device, staging_, sizeof(staging_));
}

void Board::begin_random() {
  uint8_t seed[kSeedBytes];
  const bool is_noise = draw_seed(seed);
  random_.begin(is_noise ? RandomSource::kHardware : RandomSource::kNone, seed);
  wipe(seed, sizeof(seed));
}

void Board::begin_server(bool sensor_found) {
  const bool has_model = linked_.device.loaded();
  const bool rate_is_ours = !has_model || rate_fits(linked_.model.pipeline.rate_hz, kSensorHz);
  if (!rate_is_ours) sensor_.refuse_rate();
  ServerIdentity identity;
  identity.boot_id = make_boot_id(&random_);
  identity.firmware_version = kFirmwareVersion;
  identity.capabilities = kCapabilityLed;
  identity.capabilities |= TINYOL_FROZEN_TFLM ? kCapabilityTflm : kCapabilityKernels;
  if (sensor_found && rate_is_ours) identity.capabilities |= kCapabilitySensor;
  identity.board = kBoardName;
  identity.sensor_hz = kSensorHz;
  ServerParts parts;
  parts.store = memory_.store();
  parts.learned = memory_.learned();
  parts.name = memory_.name();
  parts.key = memory_.key();
  parts.random = &random_;
  server_.begin(&linked_.device, identity, staging_, sizeof(staging_), parts);
}

void Board::tell_what_boot_found() {
  server_.set_condition(kLastRun, LogLevel::kError, last_fault_text_);
  server_.set_condition(kRadio, LogLevel::kError,
                        radio_works_ ? "" : "radio: Bluetooth does not start");
  server_.set_condition(kModelOrMemory, LogLevel::kError,
                        linked_.device.loaded() ? memory_.trouble() : model_text_);
  const bool has_random = random_.source() != RandomSource::kNone;
  server_.set_condition(kRandom, LogLevel::kError,
                        has_random ? "" : "random numbers: the generator fails");
}

void Board::pass() {
  const uint32_t now_ms = millis();
  sensor_.poll(&server_, now_ms, micros());
  tell_sensor();
  usb_.poll(now_ms);
  ble_.poll(now_ms);
  server_.tick(millis());
  led_show(led_colour(led_state(status(now_ms)), now_ms));
  watchdog_feed();
  delay(1);  // lets the CPU sleep, and the radio's thread run
}

void Board::tell_sensor() {
  Hardware hardware;
  hardware.sensor = sensor_.state();
  hardware.dropped_samples = sensor_.dropped();
  hardware.arena_used = linked_.arena_used();
  hardware.arena_bytes = linked_.arena_bytes();
  server_.set_hardware(hardware);
  server_.set_condition(kSensor, LogLevel::kError, describe(hardware.sensor));
  if (hardware.dropped_samples == told_dropped_) return;
  told_dropped_ = hardware.dropped_samples;
  char text[48];
  TextLine(text, sizeof(text))
      .text("sensor: ")
      .decimal(told_dropped_)
      .text(" samples dropped since boot");
  server_.log(LogLevel::kWarning, text);
}

BoardStatus Board::status(uint32_t now_ms) const {
  const Device& device = linked_.device;
  BoardStatus status;
  status.locating = server_.locating(now_ms);
  // Fed by another, the board works without a sensor.
  const bool has_samples = server_.feeding() || sensor_.state() == SensorState::kRunning;
  status.fault = !device.loaded() || !radio_works_ || !has_samples;
  const AlarmRing& alarms = server_.alarms();
  const bool alarm_was_short =
      alarms.size() > 0 &&
      device.state().counters.samples - alarms.latest(0).last_sample < kAlarmShownSamples;
  status.alarm = device.state().detector.alarm || alarm_was_short;
  status.unknown = device.state().unknown.open;
  status.learning = device.current_label() != kNoClass || device.learner().fine_tune_left() > 0 ||
                    device.learner().calibration().windows_left > 0;
  status.connected = usb_.connected() || ble_.connected();
  return status;
}

}  // namespace nano33ble
}  // namespace tinyol
