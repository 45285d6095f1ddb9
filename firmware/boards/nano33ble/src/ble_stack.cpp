#include "ble_stack.h"

#include <Arduino.h>
#include <ArduinoBLE.h>
#include <string.h>
#include <utility/ATT.h>
#include <utility/HCI.h>
#include <utility/HCITransport.h>

namespace tinyol {
namespace nano33ble {
namespace {

constexpr uint8_t kAclDataPacket = 0x02;
constexpr uint32_t kAclHeaderBytes = 9;  // type, handle, length; L2CAP's length and channel
constexpr uint32_t kMostPayloadBytes = 255;
constexpr uint32_t kGiveUpMs = 1000;  // for answers of the library's own
constexpr uint16_t kNoConnection = 0xFFFF;
constexpr uint16_t kLeastMtu = 23;

void put_u16(uint8_t* out, uint32_t value) {
  out[0] = static_cast<uint8_t>(value);
  out[1] = static_cast<uint8_t>(value >> 8);
}

class CountingHci final : public HCIClass {
 public:
  int readLeBufferSize(uint16_t& packet_bytes, uint8_t& packets) override {
    const int result = HCIClass::readLeBufferSize(packet_bytes, packets);
    if (result == 0) most_ = packets;
    under_way_ = 0;
    return result;
  }

  int sendAclPkt(uint16_t handle, uint8_t channel, uint8_t length, void* data) override {
    if (!wait_for_room(kGiveUpMs)) return -1;
    uint8_t packet[kAclHeaderBytes + kMostPayloadBytes];
    packet[0] = kAclDataPacket;
    put_u16(packet + 1, handle);
    put_u16(packet + 3, length + 4u);
    put_u16(packet + 5, length);
    put_u16(packet + 7, channel);
    memcpy(packet + kAclHeaderBytes, data, length);
    ++under_way_;
    HCITransport.write(packet, kAclHeaderBytes + length);
    return 0;
  }

  bool wait_for_room(uint32_t wait_ms) {
    const uint32_t start_ms = millis();
    while (under_way_ >= most_) {
      if (millis() - start_ms >= wait_ms) return false;
      poll();
    }
    return true;
  }

  void forget() { under_way_ = 0; }

 private:
  void handleNumCompPkts(uint16_t /*handle*/, uint16_t packets) override {
    under_way_ = packets < under_way_ ? under_way_ - packets : 0;
  }

  uint32_t most_ = 1;  // packets that the controller holds
  uint32_t under_way_ = 0;
};

class GatedAtt final : public ATTClass {
 public:
  int handleNotify(uint16_t handle, const uint8_t* value, int length) override {
    return open_ ? ATTClass::handleNotify(handle, value, length) : 0;
  }

  void addConnection(uint16_t handle, uint8_t role, uint8_t address_type, uint8_t address[6],
                     uint16_t interval, uint16_t latency, uint16_t timeout,
                     uint8_t accuracy) override {
    ATTClass::addConnection(handle, role, address_type, address, interval, latency, timeout,
                            accuracy);
    handle_ = handle;
    ++made_;
  }

  void removeConnection(uint16_t handle, uint8_t reason) override;

  bool open_ = false;
  uint16_t handle_ = kNoConnection;
  uint32_t made_ = 0;
};

CountingHci counting_hci;
GatedAtt gated_att;

void GatedAtt::removeConnection(uint16_t handle, uint8_t reason) {
  ATTClass::removeConnection(handle, reason);
  if (handle != handle_) return;
  handle_ = kNoConnection;
  counting_hci.forget();
}

}  // namespace

bool radio_has_room(uint32_t wait_ms) {
  return counting_hci.wait_for_room(wait_ms);
}

NotifyGate::NotifyGate() {
  gated_att.open_ = true;
}

NotifyGate::~NotifyGate() {
  gated_att.open_ = false;
}

uint32_t connections_made() {
  return gated_att.made_;
}

bool radio_connected() {
  return gated_att.handle_ != kNoConnection;
}

uint16_t connection_mtu() {
  return radio_connected() ? gated_att.mtu(gated_att.handle_) : kLeastMtu;
}

}  // namespace nano33ble
}  // namespace tinyol

// What the rest of the library works with.
HCIClass& HCI = tinyol::nano33ble::counting_hci;
ATTClass& ATT = tinyol::nano33ble::gated_att;
