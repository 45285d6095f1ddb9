// What it takes that only who knows the board's key may teach it: the instructions of a message's
// MAC and of a handshake's first step. Notices as of cost_main.cpp.
#include "cost_part.h"
#include "idle.h"
#include "notice.h"
#include "program.h"
#include "timer.h"
#include "tinyol/device_key.h"
#include "tinyol/failure_limit.h"
#include "tinyol/message.h"
#include "tinyol/random_pool.h"
#include "tinyol/session_auth.h"
#include "tinyol/xorshift.h"
#include "uart.h"

namespace tinyol {
namespace emulator {
namespace {

constexpr uint64_t kCounter = 0x123456789uLL;

uint32_t random_state = kXorshiftSeed;

// Every call has another key and another message: what does not vary then depends on neither.
void fill(uint8_t* bytes, uint32_t length) {
  for (uint32_t i = 0; i < length; ++i) bytes[i] = static_cast<uint8_t>(xorshift32(&random_state));
}

void begin_session(SessionAuth* session) {
  uint8_t key[kKeyBytes];
  uint8_t challenges[2 * kChallengeBytes];
  fill(key, sizeof(key));
  fill(challenges, sizeof(challenges));
  session->challenge(key, challenges, challenges + kChallengeBytes, 1, 1);
  session->confirm();
}

// A call that did not find the MAC right is not counted, and so missing.
void count_check(const char* name, uint32_t message_bytes) {
  CostPart part(name, 0, 0, 0);
  for (uint32_t i = 0; i < CostPart::kCounted; ++i) {
    uint8_t message[kMaxMessageBytes];
    SessionAuth session;
    begin_session(&session);
    fill(message, message_bytes);
    session.seal(Direction::kToDevice, kCounter, message, message_bytes);
    bool right = false;
    const uint32_t count = instructions_of([&] {
      right = session.verify(Direction::kToDevice, kCounter, message,
                             message_bytes + kAuthTrailerBytes);
    });
    if (right) part.add(count, 1);
  }
}

void count_seal(const char* name, uint32_t message_bytes) {
  CostPart part(name, 0, 0, 0);
  for (uint32_t i = 0; i < CostPart::kCounted; ++i) {
    uint8_t message[kMaxMessageBytes];
    SessionAuth session;
    begin_session(&session);
    fill(message, message_bytes);
    part.run([&] { session.seal(Direction::kToHost, kCounter, message, message_bytes); });
  }
}

void count_challenge() {
  CostPart part("handshake: CHALLENGE", 0, 0, 0);
  RandomPool pool;
  uint8_t seed[kSeedBytes];
  fill(seed, sizeof(seed));
  pool.begin(RandomSource::kHost, seed);
  for (uint32_t i = 0; i < CostPart::kCounted; ++i) {
    uint8_t key[kKeyBytes];
    uint8_t host[kChallengeBytes];
    fill(key, sizeof(key));
    fill(host, sizeof(host));
    SessionAuth session;
    part.run([&] {
      uint8_t own[kChallengeBytes];
      pool.draw(own, sizeof(own));
      session.challenge(key, host, own, 1, 1);
    });
  }
}

void tell_ram(const char* name, uint32_t bytes) {
  Notice("RAM").decimal(static_cast<int32_t>(bytes)).text(" ").text(name);
}

}  // namespace

void run_program() {
  // Without their trailers: a header of 16 bytes and the payload (docs/wire-protocol.md).
  constexpr uint32_t kPing = kMessageHeaderBytes;
  constexpr uint32_t kLabel = kMessageHeaderBytes + 8;
  constexpr uint32_t kPrediction = kMessageHeaderBytes + 52;
  constexpr uint32_t kFeed = kMessageHeaderBytes + 4 + 12 * 40;
  static_assert(kFeed + kAuthTrailerBytes <= kMaxMessageBytes, "the longest of them");
  uart_begin();
  timer_begin();
  idle_begin();
  Notice("READY").text("costs");
  count_challenge();
  count_check("MAC of PING: check", kPing);
  count_check("MAC of LABEL: check", kLabel);
  count_seal("MAC of PREDICTION: make", kPrediction);
  count_check("MAC of FEED, 40 samples: check", kFeed);
  tell_ram("session key, a link", sizeof(SessionAuth));
  tell_ram("failures, a link", sizeof(FailureLimit));
  tell_ram("board's key", sizeof(DeviceKey));
  tell_ram("random pool", sizeof(RandomPool));
  Notice("DONE").text("costs");
  for (;;) idle();
}

}  // namespace emulator
}  // namespace tinyol
