// The USB serial port as a link: messages in frames (tinyol/serial_framing.h). The core's own
// write() waits for a host that holds the port open and does not read; here nothing waits.
#pragma once

#include <stdint.h>

#include "byte_ring.h"
#include "tinyol/link.h"
#include "tinyol/serial_framing.h"

namespace tinyol {

class Server;

namespace nano33ble {

class UsbLink final : public Link {
 public:
  // Attaches itself to the server as link `link_index`.
  void begin(Server* server, int link_index);

  // Call in every pass of the main loop: takes what has come, sends on what waits.
  void poll(uint32_t now_ms);

  bool connected() const { return connected_; }  // a program holds the port open

  bool is_physical() const override { return true; }
  // Queues a whole frame, or nothing.
  bool send(const uint8_t* message, uint32_t length) override;

 private:
  void receive(uint32_t now_ms);
  void pump();

  static constexpr uint32_t kQueueBytes = 4096;
  static constexpr uint32_t kMostBytesAPass = 1024;  // so that the other link has its turn

  Server* server_ = nullptr;
  int link_index_ = 0;
  bool connected_ = false;
  FrameParser parser_;
  ByteRing<kQueueBytes> queue_;
  uint8_t frame_[kMaxFrameBytes] = {};
};

}  // namespace nano33ble
}  // namespace tinyol
