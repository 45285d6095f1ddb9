#include "usb_link.h"

#include <Arduino.h>
#include <USB/PluggableUSBSerial.h>

#include "tinyol/server.h"

namespace tinyol {
namespace nano33ble {
namespace {

constexpr uint32_t kPacketBytes = 64;  // USB full speed

}  // namespace

void UsbLink::begin(Server* server, int link_index) {
  server_ = server;
  link_index_ = link_index;
  server->attach(link_index, this);
}

void UsbLink::poll(uint32_t now_ms) {
  const bool connected = _SerialUSB.connected();
  if (connected_ && !connected) {
    server_->drop(link_index_);
    queue_.clear();
    parser_ = FrameParser();
  }
  connected_ = connected;
  receive(now_ms);
  pump();
}

void UsbLink::receive(uint32_t now_ms) {
  for (uint32_t i = 0; i < kMostBytesAPass && _SerialUSB.available() > 0; ++i) {
    if (parser_.push(static_cast<uint8_t>(_SerialUSB.read()))) {
      server_->receive(link_index_, parser_.message(), parser_.length(), now_ms);
    }
  }
}

void UsbLink::pump() {
  uint8_t packet[kPacketBytes];
  const uint32_t n = queue_.peek(packet, sizeof(packet));
  if (n == 0) return;
  uint32_t taken = 0;  // 0 while the last packet is under way
  _SerialUSB.send_nb(packet, n, &taken);
  queue_.drop(taken);
}

bool UsbLink::send(const uint8_t* message, uint32_t length) {
  if (!connected_) return false;
  const uint32_t n = encode_frame(message, length, frame_);
  return n > 0 && queue_.put(frame_, n);
}

}  // namespace nano33ble
}  // namespace tinyol
