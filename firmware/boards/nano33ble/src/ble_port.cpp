#include "ble_port.h"

#include <Arduino.h>
#include <string.h>

#include <initializer_list>

#include "ble_stack.h"
#include "tinyol/server.h"

namespace tinyol {
namespace nano33ble {
namespace {

constexpr char kUserDescription[] = "2901";
constexpr uint32_t kAdvertiseAgainMs = 1000;
constexpr uint32_t kRoomWaitMs = 20;  // two samples' time
constexpr uint32_t kAttHeaderBytes = 3;
constexpr int kMaxIdentityBytes = 128;
// Units of 1.25 ms, 10 ms and 0.625 ms.
constexpr uint16_t kShortestInterval = 12;
constexpr uint16_t kLongestInterval = 24;
constexpr uint16_t kSupervisionTimeout = 400;
constexpr uint16_t kAdvertisingInterval = 160;

BlePort* the_port = nullptr;  // ArduinoBLE's handlers are plain functions

void describe(BLECharacteristic* characteristic, const char* text) {
  BLEDescriptor descriptor(kUserDescription, text);
  characteristic->addDescriptor(descriptor);
}

}  // namespace

BlePort::BlePort()
    : service_(kGattService),
      control_(kGattControl, BLEWrite | BLENotify, kMaxGattValueBytes),
      events_(kGattEvents, BLENotify, kMaxGattValueBytes),
      bulk_(kGattBulk, BLEWriteWithoutResponse | BLENotify, kMaxGattValueBytes),
      info_(kGattInfo, BLERead, kMaxIdentityBytes) {}

void BlePort::describe_characteristics() {
  describe(&control_, "TinyOL requests and replies");
  describe(&events_, "TinyOL events");
  describe(&bulk_, "TinyOL state images");
  describe(&info_, "TinyOL identity");
}

bool BlePort::begin(Server* server, int link_index, const BoardName* name) {
  server_ = server;
  link_index_ = link_index;
  name_ = name;
  the_port = this;
  link_.begin(server, link_index, this);
  server->attach(link_index, &link_);
  if (!BLE.begin()) return false;

  describe_characteristics();
  control_.setEventHandler(BLEWritten, on_written);
  bulk_.setEventHandler(BLEWritten, on_written);
  info_.setEventHandler(BLERead, on_info_read);
  for (BLECharacteristic* characteristic : {&control_, &events_, &bulk_, &info_}) {
    service_.addCharacteristic(*characteristic);
  }
  update_info();

  BLE.setAdvertisedService(service_);
  BLE.addService(service_);
  BLE.setConnectionInterval(kShortestInterval, kLongestInterval);
  BLE.setSupervisionTimeout(kSupervisionTimeout);
  BLE.setAdvertisingInterval(kAdvertisingInterval);
  started_ = advertise(millis());
  return started_;
}

void BlePort::on_written(BLEDevice /*central*/, BLECharacteristic characteristic) {
  const GattCharacteristic which = strcasecmp(characteristic.uuid(), kGattBulk) == 0
                                       ? GattCharacteristic::kBulk
                                       : GattCharacteristic::kControl;
  the_port->inbox_.put(which, characteristic.value(),
                       static_cast<uint32_t>(characteristic.valueLength()));
}

void BlePort::on_info_read(BLEDevice /*central*/, BLECharacteristic /*characteristic*/) {
  the_port->update_info();
}

void BlePort::update_info() {
  uint8_t identity[kMaxIdentityBytes];
  const uint32_t length = server_->read_identity(link_index_, identity, sizeof(identity));
  info_.writeValue(identity, static_cast<int>(length));
}

void BlePort::follow_connection(uint32_t now_ms) {
  const uint32_t connections = connections_made();
  const bool connected = radio_connected();
  if (connected_ && (!connected || connections != connections_)) {
    inbox_.clear();
    link_.on_disconnected();
  }
  if (connected && (!connected_ || connections != connections_)) heard_ms_ = now_ms;
  connections_ = connections;
  connected_ = connected;
  if (!connected_) stalled_ = false;
}

bool BlePort::advertise(uint32_t now_ms) {
  const uint32_t changes = name_->changes();
  names_index_ ^= 1;
  char* name = names_[names_index_];
  memcpy(name, name_->text(), strnlen(name_->text(), kMaxBoardNameBytes) + 1);
  BLE.setLocalName(name);   // goes into the scan response: the advertisement has room for
  BLE.setDeviceName(name);  // the service's UUID alone
  advertised_ms_ = now_ms;
  if (BLE.advertise() == 0) return false;
  advertised_ = changes;
  return true;
}

// While somebody is connected the controller may refuse to advertise: that waits.
void BlePort::follow_name(uint32_t now_ms) {
  if (advertised_ == name_->changes() || connected_ || radio_connected()) return;
  if (now_ms - advertised_ms_ >= kAdvertiseAgainMs) advertise(now_ms);
}

void BlePort::poll(uint32_t now_ms) {
  if (!started_) return;
  BLE.poll();
  follow_connection(now_ms);
  GattCharacteristic characteristic;
  uint8_t value[kMaxGattValueBytes];
  uint32_t length = 0;
  while (inbox_.take(&characteristic, value, &length)) {
    heard_ms_ = now_ms;
    link_.on_write(characteristic, value, length, now_ms);
  }
  follow_name(now_ms);
  if (connected_ && now_ms - heard_ms_ > kSilentCentralMs) {
    heard_ms_ = now_ms;
    BLE.disconnect();
  }
}

bool BlePort::notify(GattCharacteristic characteristic, const uint8_t* value, uint32_t length) {
  BLECharacteristic& to = characteristic == GattCharacteristic::kControl  ? control_
                          : characteristic == GattCharacteristic::kEvents ? events_
                                                                          : bulk_;
  if (!connected_ || !radio_connected() || !to.subscribed()) return false;
  stalled_ = !radio_has_room(stalled_ ? 0 : kRoomWaitMs);
  if (stalled_) return false;
  NotifyGate gate;
  return to.writeValue(value, static_cast<int>(length)) != 0;
}

uint32_t BlePort::max_notification() const {
  return connection_mtu() - kAttHeaderBytes;
}

}  // namespace nano33ble
}  // namespace tinyol
