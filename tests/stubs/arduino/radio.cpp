// Behind the stubs: the radio, with one central that a test plays. A written value is echoed to
// the writer wherever a characteristic notifies, as ArduinoBLE does.
#include <Arduino.h>
#include <ArduinoBLE.h>
#include <string.h>
#include <strings.h>
#include <utility/ATT.h>
#include <utility/HCI.h>
#include <utility/HCITransport.h>

#include <deque>
#include <string>
#include <vector>

#include "stub_board.h"

struct StubCharacteristic {
  std::string uuid;
  uint16_t permissions;
  uint16_t handle;
  std::vector<uint8_t> value;
  bool subscribed;
  BLECharacteristicEventHandler handler[4];
};

namespace {

using Bytes = std::vector<uint8_t>;

constexpr uint16_t kConnection = 1;
constexpr uint8_t kPackets = 4;
constexpr uint32_t kNotificationAt = 12;  // in a packet: HCI's and L2CAP's headers, opcode, handle

std::deque<std::pair<uint16_t, Bytes>> to_board;
std::deque<std::pair<uint16_t, Bytes>> to_central;
const char* local_name = nullptr;  // the library keeps the pointer,
int name_room = 31;                // and reckons by what stands there
std::string advertised_name;
uint32_t advertised = 0;
bool radio_off = false;
bool started = false;
uint32_t mtu = 23;
uint32_t under_way = 0;
bool full = false;
bool wants_connection = false;
bool connected = false;

// A function: characteristics are made before this file's own variables are.
std::deque<StubCharacteristic>& characteristics() {
  static std::deque<StubCharacteristic> all;  // a deque: addresses stay
  return all;
}

StubCharacteristic* find(const char* uuid) {
  for (StubCharacteristic& c : characteristics()) {
    if (strcasecmp(c.uuid.c_str(), uuid) == 0) return &c;
  }
  return nullptr;
}

StubCharacteristic* find(uint16_t handle) {
  return &characteristics()[handle];
}

}  // namespace

BLELocalDevice BLE;
HCITransportInterface HCITransport;

BLECharacteristic::BLECharacteristic(const char* uuid, uint16_t permissions, int) {
  const uint16_t handle = static_cast<uint16_t>(characteristics().size());
  characteristics().push_back({uuid, permissions, handle, {}, false, {}});
  local_ = &characteristics().back();
}
const char* BLECharacteristic::uuid() const {
  return local_->uuid.c_str();
}
const uint8_t* BLECharacteristic::value() const {
  return local_->value.data();
}
int BLECharacteristic::valueLength() const {
  return static_cast<int>(local_->value.size());
}
int BLECharacteristic::writeValue(const uint8_t value[], int length, bool) {
  local_->value.assign(value, value + length);
  return local_->subscribed ? ATT.handleNotify(local_->handle, value, length) : length;
}
bool BLECharacteristic::subscribed() {
  return local_->subscribed;
}
void BLECharacteristic::addDescriptor(BLEDescriptor&) {}
void BLECharacteristic::setEventHandler(int event, BLECharacteristicEventHandler handler) {
  local_->handler[event] = handler;
}
void BLEService::addCharacteristic(BLECharacteristic&) {}

int BLELocalDevice::begin() {
  uint16_t bytes = 0;
  uint8_t packets = 0;
  started = true;
  if (radio_off) return 0;
  return HCI.readLeBufferSize(bytes, packets) == 0;
}
void BLELocalDevice::poll() {
  HCI.poll();
}
bool BLELocalDevice::disconnect() {
  wants_connection = false;
  return true;
}
bool BLELocalDevice::setLocalName(const char* name) {
  constexpr int kOverhead = 2;
  const auto bytes_of = [](const char* text) { return static_cast<int>(strlen(text)) + kOverhead; };
  const bool had = local_name != nullptr && local_name[0] != '\0';
  const int room = name_room + (had ? bytes_of(local_name) : 0) - bytes_of(name);
  if (room < 0) return false;
  name_room = room;
  local_name = name;
  return true;
}
void BLELocalDevice::setDeviceName(const char*) {}
bool BLELocalDevice::setAdvertisedService(const BLEService&) {
  return true;
}
void BLELocalDevice::addService(BLEService&) {}
void BLELocalDevice::setConnectionInterval(uint16_t, uint16_t) {}
void BLELocalDevice::setSupervisionTimeout(uint16_t) {}
void BLELocalDevice::setAdvertisingInterval(uint16_t) {}
int BLELocalDevice::advertise() {
  if (connected) return 0;  // the controller refuses
  advertised_name = local_name;
  ++advertised;
  return 1;
}

void HCIClass::poll() {
  delayMicroseconds(20);  // or a loop that polls until a time is over would never end
  if (connected != wants_connection) {
    connected = wants_connection;
    if (connected) {
      uint8_t address[6] = {};
      ATT.addConnection(kConnection, 1, 0, address, 0, 0, 0, 0);
    } else {
      for (StubCharacteristic& c : characteristics()) c.subscribed = false;
      ATT.removeConnection(kConnection, 0);
      under_way = 0;
    }
  }
  if (!full && under_way > 0) {
    const uint16_t done = static_cast<uint16_t>(under_way);
    under_way = 0;
    handleNumCompPkts(kConnection, done);
  }
  while (!to_board.empty()) {
    const auto written = to_board.front();
    to_board.pop_front();
    StubCharacteristic* c = find(written.first);
    c->value = written.second;
    if (c->subscribed) {
      ATT.handleNotify(c->handle, c->value.data(), static_cast<int>(c->value.size()));
    }
    BLECharacteristic copy(*reinterpret_cast<BLECharacteristic*>(&c));
    if (c->handler[BLEWritten] != nullptr) c->handler[BLEWritten](BLEDevice(), copy);
  }
}
int HCIClass::readLeBufferSize(uint16_t& packet_bytes, uint8_t& packets) {
  packet_bytes = 251;
  packets = kPackets;
  return 0;
}
int HCIClass::sendAclPkt(uint16_t, uint8_t, uint8_t, void*) {
  return -1;
}
void HCIClass::handleNumCompPkts(uint16_t, uint16_t) {}
size_t HCITransportInterface::write(const uint8_t* data, size_t length) {
  ++under_way;
  const uint16_t handle = static_cast<uint16_t>(data[10] | data[11] << 8);
  to_central.push_back({handle, Bytes(data + kNotificationAt, data + length)});
  return length;
}

int ATTClass::handleNotify(uint16_t handle, const uint8_t* value, int length) {
  uint8_t packet[256] = {0x1B, static_cast<uint8_t>(handle), static_cast<uint8_t>(handle >> 8)};
  const size_t room = ::mtu - 3;
  const size_t n = static_cast<size_t>(length) < room ? static_cast<size_t>(length) : room;
  memcpy(packet + 3, value, n);
  HCI.sendAclPkt(kConnection, 4, static_cast<uint8_t>(n + 3), packet);
  return static_cast<int>(n);
}
void ATTClass::addConnection(uint16_t, uint8_t, uint8_t, uint8_t[6], uint16_t, uint16_t, uint16_t,
                             uint8_t) {}
void ATTClass::removeConnection(uint16_t, uint8_t) {}
uint16_t ATTClass::mtu(uint16_t) const {
  return static_cast<uint16_t>(::mtu);
}

void stub_radio_connect(int wanted, uint32_t new_mtu) {
  wants_connection = wanted != 0;
  mtu = new_mtu;
}
void stub_radio_subscribe(const char* uuid) {
  find(uuid)->subscribed = true;
}
void stub_radio_write(const char* uuid, const uint8_t* bytes, uint32_t length) {
  to_board.push_back({find(uuid)->handle, Bytes(bytes, bytes + length)});
}
uint32_t stub_radio_read(char* uuid, uint8_t* bytes, uint32_t capacity) {
  if (to_central.empty()) return 0;
  const auto told = to_central.front();
  to_central.pop_front();
  strcpy(uuid, find(told.first)->uuid.c_str());
  const size_t n = told.second.size() < capacity ? told.second.size() : capacity;
  memcpy(bytes, told.second.data(), n);
  return static_cast<uint32_t>(n);
}
void stub_radio_full(int now_full) {
  full = now_full != 0;
}
uint32_t stub_radio_read_value(const char* uuid, uint8_t* bytes, uint32_t capacity) {
  const Bytes& value = find(uuid)->value;
  const size_t n = value.size() < capacity ? value.size() : capacity;
  memcpy(bytes, value.data(), n);
  return static_cast<uint32_t>(n);
}
const char* stub_radio_name() {
  return advertised_name.c_str();
}
uint32_t stub_radio_advertised() {
  return advertised;
}
void stub_radio_off(int off) {
  radio_off = off != 0;
}
int stub_radio_started() {
  return started ? 1 : 0;
}
void stub_radio_stop() {
  started = false;
}
int stub_radio_connected() {
  return connected ? 1 : 0;
}
