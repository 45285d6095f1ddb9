// What the server remembers of each link so that every request is executed exactly once.
#pragma once

#include <stdint.h>

#include "tinyol/failure_limit.h"
#include "tinyol/link.h"
#include "tinyol/message.h"
#include "tinyol/secret_bytes.h"
#include "tinyol/session_auth.h"

namespace tinyol {

struct LinkSession {
  Link* link = nullptr;
  bool open = false;        // a HELLO was answered and the peer is not known to be gone
  uint64_t nonce = 0;       // the peer's, which names the session across a reconnect
  uint16_t id = 0;          // given by the device; never 0 once a HELLO was answered
  uint64_t executed = 0;    // number of the request executed last, from 1
  uint32_t heard_ms = 0;    // when the peer was last heard
  uint64_t events = 0;      // sent in this session
  uint8_t streams = 0;      // kStream... bits
  uint8_t untold_gaps = 0;  // since the last sample, for the head of the next SAMPLES event

  uint8_t reply[kMaxMessageBytes] = {};  // to the request executed last
  uint32_t reply_bytes = 0;              // 0: there is none

  SessionAuth auth;
  uint32_t renewed_ms = 0;  // when a new request came that was due
  FailureLimit failures;    // of the link, whatever session

  // A message has 16 bits of its request's number: the one of that ending that is nearest.
  uint64_t number_of(uint16_t sequence) const {
    const uint16_t ahead = static_cast<uint16_t>(sequence - static_cast<uint16_t>(executed));
    return executed + static_cast<uint64_t>(static_cast<int64_t>(static_cast<int16_t>(ahead)));
  }
  // A trailer behind the message, which has room for it, where the session is live. `answered`: as
  // SessionAuth::seal. Returns the bytes that the message has then.
  uint32_t seal(uint64_t counter, uint8_t* message, uint32_t length,
                const uint8_t* answered = nullptr) const {
    if (!auth.live()) return length;
    message[kMessageFlagsAt] |= kFlagAuthenticated;
    auth.seal(Direction::kToHost, counter, message, length, answered);
    return length + kAuthTrailerBytes;
  }
  // It is live, and was not renewed for kLiveMs. Times may wrap.
  bool lapsed(uint32_t now_ms) const {
    const int32_t since_ms = static_cast<int32_t>(now_ms - renewed_ms);
    return auth.live() && since_ms > static_cast<int32_t>(kLiveMs);
  }
  bool reply_has_key() const {
    return reply_bytes > 0 && reply[kMessageOpcodeAt] == static_cast<uint8_t>(Request::kPair);
  }
  void forget_reply() {
    wipe(reply, reply_bytes);
    reply_bytes = 0;
  }

  // Nothing longer is sent on the link, a trailer included.
  uint32_t max_message() const {
    const uint32_t bytes = link->max_message();
    if (bytes < kMinMessageBytes) return kMinMessageBytes;
    return bytes < kMaxMessageBytes ? bytes : kMaxMessageBytes;
  }
  bool wants(uint8_t stream) const { return open && (streams & stream) != 0; }
};

}  // namespace tinyol
