// A way to one peer: USB serial, Bluetooth, a test. What a board's glue fulfils.
#pragma once

#include <stdint.h>

#include "tinyol/message.h"

namespace tinyol {

class Link {
 public:
  // Queues one whole message. False if it cannot be taken now: a reply is then repeated when the
  // peer repeats its request; an event is lost, which the peer sees by its counter.
  virtual bool send(const uint8_t* message, uint32_t length) = 0;

  // Whoever speaks here can touch the board: a wire, not the radio. Such a peer may pair it.
  virtual bool is_physical() const = 0;

  // Bytes of the longest message that it carries, kMinMessageBytes to kMaxMessageBytes. Nothing
  // longer is sent. It may change until the peer says HELLO.
  virtual uint32_t max_message() const { return kMaxMessageBytes; }

 protected:
  ~Link() = default;
};

}  // namespace tinyol
