// The radio: our GATT service on ArduinoBLE, what GattLink asks of a stack, and the heartbeat.
#pragma once

#include <ArduinoBLE.h>
#include <stdint.h>

#include "ble_inbox.h"
#include "tinyol/board_name.h"
#include "tinyol/gatt_link.h"

namespace tinyol {

class Server;

namespace nano33ble {

// A central that is silent for so long is disconnected: one that died would keep the radio, and a
// connected board does not advertise. Longer than the server's own timeout.
constexpr uint32_t kSilentCentralMs = 20000;

class BlePort final : public GattPort {
 public:
  BlePort();

  // Starts the radio and advertises as `name`, anew when that changes. Attaches a link to the
  // server, as `link_index`. There is one port. False: the radio does not start.
  bool begin(Server* server, int link_index, const BoardName* name);

  // Call in every pass of the main loop.
  void poll(uint32_t now_ms);

  bool connected() const { return connected_; }
  uint32_t dropped_values() const { return inbox_.dropped(); }

  bool notify(GattCharacteristic characteristic, const uint8_t* value, uint32_t length) override;
  uint32_t max_notification() const override;

 private:
  static void on_written(BLEDevice central, BLECharacteristic characteristic);
  static void on_info_read(BLEDevice central, BLECharacteristic characteristic);
  void describe_characteristics();
  void update_info();
  void follow_connection(uint32_t now_ms);
  void follow_name(uint32_t now_ms);
  bool advertise(uint32_t now_ms);

  Server* server_ = nullptr;
  int link_index_ = 0;
  GattLink link_;
  BleInbox inbox_;
  bool started_ = false;
  bool connected_ = false;
  bool stalled_ = false;  // the controller had no room the last time: do not wait again
  uint32_t connections_ = 0;
  uint32_t heard_ms_ = 0;

  const BoardName* name_ = nullptr;
  uint32_t advertised_ = 0;     // of the name's changes
  uint32_t advertised_ms_ = 0;  // or tried to
  // The library keeps the pointer, and reckons with the text that stood there before: so the next
  // name goes to the other one.
  char names_[2][kMaxBoardNameBytes + 1] = {};
  int names_index_ = 0;

  BLEService service_;
  BLECharacteristic control_;
  BLECharacteristic events_;
  BLECharacteristic bulk_;
  BLECharacteristic info_;
};

}  // namespace nano33ble
}  // namespace tinyol
