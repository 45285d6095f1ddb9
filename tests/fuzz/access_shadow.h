// A second opinion about who may do what to a board (docs/wire-protocol.md): its key, what a link
// has shown to know of it, and which messages carry a MAC.
#pragma once

#include <stdint.h>

#include <vector>

#include "tinyol/device_key.h"
#include "tinyol/message.h"
#include "tinyol/session_auth.h"
#include "tinyol/status.h"

namespace tinyol {
namespace fuzz {

constexpr uint8_t kToDevice = 1;
constexpr uint8_t kToHost = 2;

// The board's.
struct KeyShadow {
  bool kept = false;  // there is flash for one
  bool random = false;
  bool paired = false;
  uint8_t key[kKeyBytes] = {};
  uint32_t pairings = 0;
  bool reading_open = true;

  void id(uint8_t out[kKeyIdBytes]) const;
};

// One link's.
class AccessShadow {
 public:
  // What becomes of a message of the open session, before its sequence is looked at.
  enum class Verdict : uint8_t { kHeard, kNoMac, kLocked, kIgnored };

  bool physical = false;
  uint64_t executed = 0;  // number of the request executed last
  uint64_t events = 0;    // told in this session

  void begin_session();
  void forget();
  bool live() const { return state_ == State::kLive; }
  // Live, but for too long: whether an event has a MAC depends on when the board looks.
  bool stale(uint64_t now_ms) const { return live() && now_ms - renewed_ms_ > kLiveMs; }
  void expire(uint64_t now_ms);
  bool locked(uint64_t now_ms) const { return now_ms < locked_until_ms_; }

  // Counts a wrong MAC, and spends the challenge that it was tried on.
  Verdict judge(const MessageHeader& header, const uint8_t* message, uint32_t length,
                uint64_t now_ms);
  // kOk, or what the request must be refused with for the sake of who asks. kOk may still be
  // refused for other reasons.
  Status allowed(const KeyShadow& board, uint8_t opcode) const;
  void was_executed(uint64_t now_ms);
  void was_challenged(const KeyShadow& board, const uint8_t* host, const uint8_t* device,
                      uint16_t session, uint32_t boot_id);
  void was_authenticated();

  uint64_t number_of(uint16_t sequence) const;
  // The request with the MAC of the session's key and of that number; `length` without it.
  void seal(uint8_t direction, uint64_t number, uint8_t* message, uint32_t length) const;
  // Whether reply or event has the MAC that it must have; `answered`: of a reply its request's.
  bool is_right(uint64_t number, const uint8_t* answered, const uint8_t* message,
                uint32_t length) const;

 private:
  enum class State : uint8_t { kNone, kChallenged, kLive };

  State state_ = State::kNone;
  uint8_t key_[kKeyBytes] = {};
  uint64_t renewed_ms_ = 0;
  uint32_t failures_ = 0;  // in a row
  uint64_t locked_until_ms_ = 0;
};

}  // namespace fuzz
}  // namespace tinyol
