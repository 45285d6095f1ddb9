#include "tinyol/session_auth.h"

#include "tinyol/blake2s.h"
#include "tinyol/bytes.h"
#include "tinyol/secret_bytes.h"

namespace tinyol {
namespace {

constexpr uint8_t kSessionLabel[16] = {'t', 'i', 'n', 'y', 'o', 'l', ' ', 's',
                                       'e', 's', 's', 'i', 'o', 'n', 0,   0};
constexpr uint32_t kNumbersBytes = 8;    // session, zero, boot id
constexpr uint32_t kPreambleBytes = 24;  // direction, zeros, counter, MAC of the request

void write_mac(const uint8_t key[kKeyBytes], Direction direction, uint64_t counter,
               const uint8_t* answered, const uint8_t* message, uint32_t length,
               uint8_t mac[kAuthTrailerBytes]) {
  uint8_t preamble[kPreambleBytes] = {static_cast<uint8_t>(direction)};
  ByteWriter out(preamble + 8, sizeof(preamble) - 8);
  out.u64(counter);
  if (answered != nullptr) out.bytes(answered, kAuthTrailerBytes);
  Blake2s hash;
  hash.begin(kAuthTrailerBytes, key, kKeyBytes);
  hash.add(preamble, sizeof(preamble));
  hash.add(message, length);
  hash.finish(mac);
}

}  // namespace

void SessionAuth::forget() {
  state_ = State::kNone;
  wipe(key_, sizeof(key_));
}

void SessionAuth::challenge(const uint8_t key[kKeyBytes], const uint8_t host[kChallengeBytes],
                            const uint8_t device[kChallengeBytes], uint16_t session,
                            uint32_t boot_id) {
  uint8_t numbers[kNumbersBytes];
  ByteWriter out(numbers, sizeof(numbers));
  out.u16(session);
  out.u16(0);
  out.u32(boot_id);
  Blake2s hash;
  hash.begin(kKeyBytes, key, kKeyBytes);
  hash.add(kSessionLabel, sizeof(kSessionLabel));
  hash.add(host, kChallengeBytes);
  hash.add(device, kChallengeBytes);
  hash.add(numbers, sizeof(numbers));
  hash.finish(key_);
  state_ = State::kChallenged;
}

void SessionAuth::confirm() {
  if (state_ == State::kChallenged) state_ = State::kLive;
}

bool SessionAuth::verify(Direction direction, uint64_t counter, const uint8_t* message,
                         uint32_t length) const {
  if (state_ == State::kNone || length < kMessageHeaderBytes + kAuthTrailerBytes) return false;
  const uint32_t covered = length - kAuthTrailerBytes;
  uint8_t mac[kAuthTrailerBytes];
  write_mac(key_, direction, counter, nullptr, message, covered, mac);
  const bool right = same_bytes(mac, message + covered, kAuthTrailerBytes);
  wipe(mac, sizeof(mac));  // of a forged message it would be the answer
  return right;
}

void SessionAuth::seal(Direction direction, uint64_t counter, uint8_t* message, uint32_t length,
                       const uint8_t* answered) const {
  write_mac(key_, direction, counter, answered, message, length, message + length);
}

}  // namespace tinyol
