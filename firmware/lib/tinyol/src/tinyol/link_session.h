// What the server remembers of each link so that every request is executed exactly once.
#pragma once

#include <stdint.h>

#include "tinyol/link.h"
#include "tinyol/message.h"

namespace tinyol {

struct LinkSession {
  Link* link = nullptr;
  bool open = false;           // a HELLO was answered and the peer is not known to be gone
  uint64_t nonce = 0;          // the peer's, which names the session across a reconnect
  uint16_t id = 0;             // given by the device; never 0 once a HELLO was answered
  uint16_t last_sequence = 0;  // of the request executed last
  uint32_t heard_ms = 0;       // when the peer was last heard
  uint16_t next_event = 1;     // counter of the events sent on this link
  uint8_t streams = 0;         // kStream... bits
  uint8_t untold_gaps = 0;     // since the last sample, for the head of the next SAMPLES event

  uint8_t reply[kMaxMessageBytes] = {};  // to the request executed last
  uint32_t reply_bytes = 0;

  // Nothing longer is sent on the link.
  uint32_t max_message() const {
    const uint32_t bytes = link->max_message();
    if (bytes < kMinMessageBytes) return kMinMessageBytes;
    return bytes < kMaxMessageBytes ? bytes : kMaxMessageBytes;
  }
  bool wants(uint8_t stream) const { return open && (streams & stream) != 0; }
};

}  // namespace tinyol
