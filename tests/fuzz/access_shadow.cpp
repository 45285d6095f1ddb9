#include "access_shadow.h"

#include <string.h>

#include <initializer_list>

#include "check.h"
#include "tinyol/blake2s.h"

namespace tinyol {
namespace fuzz {
namespace {

constexpr uint32_t kFreeFailures = 5;
constexpr uint64_t kFirstLockMs = 1000;
constexpr uint32_t kMostDoublings = 6;  // 64 s

void mac_of(const uint8_t key[kKeyBytes], uint8_t direction, uint64_t number,
            const uint8_t* answered, const uint8_t* message, uint32_t length,
            uint8_t out[kAuthTrailerBytes]) {
  uint8_t before[24] = {direction};
  for (int i = 0; i < 8; ++i) before[8 + i] = static_cast<uint8_t>(number >> (8 * i));
  if (answered != nullptr) memcpy(before + 16, answered, kAuthTrailerBytes);
  Blake2s hash;
  hash.begin(kAuthTrailerBytes, key, kKeyBytes);
  hash.add(before, sizeof(before));
  hash.add(message, length);
  hash.finish(out);
}

bool is_one_of(uint8_t opcode, std::initializer_list<Request> requests) {
  for (const Request request : requests) {
    if (opcode == static_cast<uint8_t>(request)) return true;
  }
  return false;
}

bool for_anybody(uint8_t opcode) {
  return is_one_of(opcode, {Request::kHello, Request::kPing, Request::kGoodbye, Request::kChallenge,
                            Request::kAuthenticate, Request::kAccess});
}

bool for_readers(uint8_t opcode) {
  return is_one_of(
      opcode, {Request::kInfo, Request::kSettingsList, Request::kClassesList, Request::kMetrics,
               Request::kAlarms, Request::kStream, Request::kHardware, Request::kCondition,
               Request::kUnknowns, Request::kWatch, Request::kClassStatus});
}

bool for_whoever_touches_it(uint8_t opcode) {
  return is_one_of(opcode, {Request::kPair, Request::kFactoryReset});
}

bool is_known(uint8_t opcode) {
  constexpr uint8_t kRuns[][2] = {{1, 4},   {8, 9},   {12, 18}, {20, 21}, {24, 24}, {28, 30},
                                  {32, 34}, {36, 40}, {44, 44}, {48, 58}, {60, 66}};
  for (const uint8_t (&run)[2] : kRuns) {
    if (opcode >= run[0] && opcode <= run[1]) return true;
  }
  return false;
}

}  // namespace

void KeyShadow::id(uint8_t out[kKeyIdBytes]) const {
  memset(out, 0, kKeyIdBytes);
  if (!paired) return;
  Blake2s hash;
  hash.begin(kKeyIdBytes, key, kKeyBytes);
  hash.add(reinterpret_cast<const uint8_t*>("tinyol key id"), 13);
  hash.finish(out);
}

void AccessShadow::begin_session() {
  forget();
  executed = 0;
  events = 0;
}

void AccessShadow::forget() {
  state_ = State::kNone;
}

void AccessShadow::expire(uint64_t now_ms) {
  if (stale(now_ms)) forget();
}

AccessShadow::Verdict AccessShadow::judge(const MessageHeader& header, const uint8_t* message,
                                          uint32_t length, uint64_t now_ms) {
  const bool sealed = (header.flags & kFlagAuthenticated) != 0;
  const bool authenticates = header.opcode == static_cast<uint8_t>(Request::kAuthenticate);
  if (!live() && !sealed && !authenticates) return Verdict::kHeard;
  if (!live() && authenticates && locked(now_ms)) return Verdict::kLocked;
  if (!sealed || state_ == State::kNone || (!live() && !authenticates)) return Verdict::kNoMac;
  const uint32_t covered = length - kAuthTrailerBytes;
  uint8_t mac[kAuthTrailerBytes];
  mac_of(key_, kToDevice, number_of(header.sequence), nullptr, message, covered, mac);
  if (memcmp(mac, message + covered, sizeof(mac)) == 0) return Verdict::kHeard;
  if (locked(now_ms)) return Verdict::kIgnored;
  if (!live()) forget();
  if (++failures_ >= kFreeFailures) {
    const uint32_t doublings = failures_ - kFreeFailures;
    locked_until_ms_ =
        now_ms + (kFirstLockMs << (doublings < kMostDoublings ? doublings : kMostDoublings));
  }
  return Verdict::kNoMac;
}

Status AccessShadow::allowed(const KeyShadow& board, uint8_t opcode) const {
  if (for_anybody(opcode) || !is_known(opcode)) return Status::kOk;
  if (for_whoever_touches_it(opcode)) return physical ? Status::kOk : Status::kNotPhysical;
  if (live()) return Status::kOk;
  if (for_readers(opcode)) {
    return physical || board.reading_open ? Status::kOk : Status::kNotAuthenticated;
  }
  return physical && !board.paired ? Status::kOk : Status::kNotAuthenticated;
}

void AccessShadow::was_executed(uint64_t now_ms) {
  ++executed;
  renewed_ms_ = now_ms;
}

void AccessShadow::was_challenged(const KeyShadow& board, const uint8_t* host,
                                  const uint8_t* device, uint16_t session, uint32_t boot_id) {
  FUZZ_CHECK(board.paired && !live());
  uint8_t text[56] = "tinyol session";
  memcpy(text + 16, host, 16);
  memcpy(text + 32, device, 16);
  const uint8_t numbers[8] = {static_cast<uint8_t>(session),
                              static_cast<uint8_t>(session >> 8),
                              0,
                              0,
                              static_cast<uint8_t>(boot_id),
                              static_cast<uint8_t>(boot_id >> 8),
                              static_cast<uint8_t>(boot_id >> 16),
                              static_cast<uint8_t>(boot_id >> 24)};
  memcpy(text + 48, numbers, 8);
  Blake2s hash;
  hash.begin(kKeyBytes, board.key, kKeyBytes);
  hash.add(text, sizeof(text));
  hash.finish(key_);
  state_ = State::kChallenged;
}

void AccessShadow::was_authenticated() {
  FUZZ_CHECK(state_ != State::kNone);
  state_ = State::kLive;
  failures_ = 0;
  locked_until_ms_ = 0;
}

uint64_t AccessShadow::number_of(uint16_t sequence) const {
  // The nearest number that ends so; half way round it is the one behind.
  const uint64_t round = 0x10000;
  const uint64_t same = executed - executed % round + sequence;
  if (same >= executed + round / 2) return same - round;
  if (same + round / 2 < executed) return same + round;
  return same;
}

void AccessShadow::seal(uint8_t direction, uint64_t number, uint8_t* message,
                        uint32_t length) const {
  mac_of(key_, direction, number, nullptr, message, length, message + length);
}

bool AccessShadow::is_right(uint64_t number, const uint8_t* answered, const uint8_t* message,
                            uint32_t length) const {
  const uint32_t covered = length - kAuthTrailerBytes;
  uint8_t mac[kAuthTrailerBytes];
  mac_of(key_, kToHost, number, answered, message, covered, mac);
  return memcmp(mac, message + covered, sizeof(mac)) == 0;
}

}  // namespace fuzz
}  // namespace tinyol
