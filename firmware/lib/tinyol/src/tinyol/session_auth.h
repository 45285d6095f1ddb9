// What makes a session authenticated: a key of its own, which both sides derive from the board's
// key and from a challenge of either, and a MAC behind every message from then on.
//
//   session key = BLAKE2s-256(board's key; "tinyol session\0\0", host's challenge, device's
//                 challenge, u16 session, u16 0, u32 boot id)
//   MAC         = BLAKE2s-64(session key; u8 direction, u8[7] 0, u64 counter, MAC of the request
//                 that a reply answers or u8[8] 0, the message's header and payload)
//
// BLAKE2s with a key is a MAC by itself (RFC 7693, 2.9; the digest's length is part of what is
// hashed). The counter never repeats in a session: of requests and their replies the number of the
// request, of events the number of the event, both counted beyond the 16 bits that a header has.
// A reply is bound to what was asked, so that nobody takes it for the answer to something else.
#pragma once

#include <stdint.h>

#include "tinyol/device_key.h"
#include "tinyol/message.h"

namespace tinyol {

constexpr uint32_t kChallengeBytes = 16;
// A session without a new request for longer is not live any more: a request that somebody holds
// back on its way is of no use to them after that. A host gives a request up earlier.
constexpr uint32_t kLiveMs = 20000;

enum class Direction : uint8_t { kToDevice = 1, kToHost = 2 };

class SessionAuth {
 public:
  // Nothing is authenticated any more; the keys are wiped.
  void forget();

  // Derives the key of a session that nobody has shown to know yet.
  void challenge(const uint8_t key[kKeyBytes], const uint8_t host[kChallengeBytes],
                 const uint8_t device[kChallengeBytes], uint16_t session, uint32_t boot_id);
  bool challenged() const { return state_ == State::kChallenged; }
  // The peer knows the key: from now on every message of the session has a MAC.
  void confirm();
  bool live() const { return state_ == State::kLive; }

  // `length`: with the trailer. False unless there is a key and the trailer is right.
  bool verify(Direction direction, uint64_t counter, const uint8_t* message, uint32_t length) const;
  // Writes kAuthTrailerBytes behind the `length` bytes of the message. `answered`: the MAC of the
  // request that it is the reply to.
  void seal(Direction direction, uint64_t counter, uint8_t* message, uint32_t length,
            const uint8_t* answered = nullptr) const;

 private:
  enum class State : uint8_t { kNone, kChallenged, kLive };

  State state_ = State::kNone;
  uint8_t key_[kKeyBytes] = {};
};

}  // namespace tinyol
