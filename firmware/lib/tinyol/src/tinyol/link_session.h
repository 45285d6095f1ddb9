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
  bool stream_predictions = false;
  bool stream_samples = false;

  uint8_t reply[kMaxMessageBytes] = {};  // to the request executed last
  uint32_t reply_bytes = 0;
};

}  // namespace tinyol
