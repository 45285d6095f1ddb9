// The whole board: one device and its server behind USB and Bluetooth, a sensor, flash, an LED.
#pragma once

#include <stdint.h>

#include "ble_port.h"
#include "board_identity.h"
#include "board_memory.h"
#include "fault_record.h"
#include "linked_model.h"
#include "refusal_text.h"
#include "sensor_feed.h"
#include "status_led.h"
#include "tinyol/hardware.h"
#include "tinyol/random_pool.h"
#include "tinyol/server.h"
#include "tinyol/state_image.h"
#include "usb_link.h"

namespace tinyol {
namespace nano33ble {

constexpr uint32_t kFirmwareVersion = 0x00000100;  // 0.1.0

class Board {
 public:
  void begin();
  void pass();  // of the main loop; never waits for a peer

 private:
  void load_model();
  void begin_random();
  void begin_server(bool sensor_found);
  void tell_what_boot_found();
  void tell_sensor();
  BoardStatus status(uint32_t now_ms) const;

  LinkedModel linked_;
  BoardMemory memory_;
  RandomPool random_;
  Server server_;
  UsbLink usb_;
  BlePort ble_;
  SensorFeed sensor_;
  bool radio_works_ = false;
  FaultRecord last_fault_;
  char last_fault_text_[kFaultTextBytes] = {};
  char model_text_[kRefusalTextBytes] = {};  // why it was refused
  uint32_t told_dropped_ = 0;
  alignas(8) uint8_t staging_[kStateImageRoom] = {};
  alignas(8) uint8_t undo_[kStateImageRoom] = {};  // the device's
};

}  // namespace nano33ble
}  // namespace tinyol
