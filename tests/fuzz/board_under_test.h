// A board with two links, and a second opinion about the protocol: who has a session, which
// sequence is due, what must be answered, and what must not have changed (docs/wire-protocol.md).
#pragma once

#include <stdint.h>

#include <string>
#include <vector>

#include "access_shadow.h"
#include "kept_models.h"
#include "ram_flash.h"
#include "shadow.h"
#include "tinyol/board_region.h"
#include "tinyol/gatt_link.h"
#include "tinyol/random_pool.h"
#include "tinyol/serial_framing.h"
#include "tinyol/server.h"

namespace tinyol {
namespace fuzz {

constexpr uint32_t kBootId = 77;
constexpr uint32_t kMostRecorded = 64;

// What a host knows of its session.
struct Peer {
  bool known = false;  // a HELLO was answered
  uint64_t nonce = 0;
  uint64_t heard_ms = 0;
  uint32_t announced = 0;           // bytes of the image that it is putting
  std::vector<uint8_t> remembered;  // reply to the request executed last; empty: none yet
};

class BoardUnderTest;

// Checks every message that the device sends, and keeps the last reply.
class CheckedLink final : public Link {
 public:
  bool send(const uint8_t* message, uint32_t length) override;
  uint32_t max_message() const override { return limit; }
  bool is_physical() const override { return access->physical; }

  uint32_t limit = kMaxMessageBytes;
  bool stuck = false;  // takes nothing now
  bool open = false;   // what the board must think of the peer
  uint16_t id = 0;     // of the session
  uint32_t n_replies = 0;
  std::vector<uint8_t> sent;   // the last reply
  std::vector<uint8_t> reply;  // the same without a trailer
  Shadow* shadow = nullptr;    // follows what is streamed here
  AccessShadow* access = nullptr;
  BoardUnderTest* board = nullptr;

 private:
  void check_event(const MessageHeader& header, ByteReader payload, uint32_t length,
                   const uint8_t* message);
};

// The Bluetooth stack between a GattLink and its peer: puts pieces together again.
class CheckedPort final : public GattPort {
 public:
  bool notify(GattCharacteristic characteristic, const uint8_t* value, uint32_t length) override;
  uint32_t max_notification() const override { return room; }

  uint32_t room = 0;  // 0: the link is a serial line
  CheckedLink* link = nullptr;
  GattCharacteristic written = GattCharacteristic::kControl;  // by the last request

 private:
  std::vector<uint8_t> message_;  // of which pieces have come
  uint32_t n_pieces_ = 0;
};

// What a board is equipped with.
struct Equipment {
  bool model;
  bool store;  // only with a model
  bool name;
  bool led;
  bool key;  // it can keep one, and has random numbers
};

// What every input of a kind of board shares, since it is long in the making: the self-tests at
// boot.
struct Bench {
  Bench(KeptModel* kept, const Equipment& has);
  KeptModel* kept;
  Equipment has;
  Device device;
  Shadow shadows[kMaxLinks];
  AlignedBytes staging;
  std::vector<uint8_t> undo;
  RamFlash flash;
  BoardRegion region;
  StateStore store;
  BoardName name;
  DeviceKey key;
  RandomPool random;
  Server booted;
};
// One for each kept model, then one of a board without a model.
Bench& bench(uint32_t index);

class BoardUnderTest {
 public:
  // Nothing learned, nobody connected.
  explicit BoardUnderTest(Bench* bench);
  BoardUnderTest(const BoardUnderTest&) = delete;
  BoardUnderTest& operator=(const BoardUnderTest&) = delete;

  // Link 1 is a GATT service from now on, with notifications of at most `room` bytes.
  void use_gatt(uint32_t room);
  // Bytes on a link's serial line, or written to a GATT characteristic.
  void receive_bytes(int link, const uint8_t* bytes, uint32_t n);
  // A message in a frame of its own, or as one or more GATT values.
  void receive_message(int link, const uint8_t* message, uint32_t length);
  // The session's next request, with a MAC where the session is live, or with one by whatever was
  // challenged; true if it was executed. body() is what follows the outcome.
  bool ask(int link, uint8_t opcode, const uint8_t* payload, uint32_t length);
  // A host that has the board's key shows it; whether it could.
  bool authenticate(int link, uint8_t challenge);
  // The board gets its first key, at link 0.
  void pair();
  // Appends a MAC to the request, of the session's key and of the number `beyond` its own.
  uint32_t seal(int link, uint8_t direction, uint64_t beyond, uint8_t* message,
                uint32_t length) const;
  ByteReader body(int link) const;
  // The next request's header.
  MessageHeader next_request(int link, uint8_t opcode) const;
  void sense(const float sample[3], bool gap);
  void pass(uint32_t ms);
  // The board's own glue sets a condition.
  void condition(int slot, uint8_t level, const uint8_t* text, uint32_t length);
  void drop(int link);
  // Follows what the link streams from now on, beginning with `image`.
  void follow(int link, const std::vector<uint8_t>& image);
  // What was saved last is there after a power cut.
  void check_store(Device* other);
  // The name that was set last is there after a power cut, and so is the key.
  void check_name();
  void check_key();
  // Where nothing is loaded: nothing was learned.
  void check_nothing_learned() const;
  // Where a link was followed to the end, its events were all that one needs.
  void check_shadow(int link);

  KeptModel& kept;
  Device& device;
  RamFlash& flash;
  const Equipment has;
  Server server;
  CheckedLink links[kMaxLinks];
  Peer peers[kMaxLinks];
  AccessShadow access[kMaxLinks];
  std::vector<std::vector<uint8_t>> recorded;  // requests with a MAC that came over any link
  bool self_tests =
      false;  // SELF_TEST takes a thousand times longer than others: only if asked for

  // A reply of such a request is on its way; the authentication of all links has ended.
  void reply_ends_authentication();
  uint64_t now_ms() const { return passed_ms_; }
  bool may_read(int link) const;

 private:
  void close(int link);
  void lapse(int link);
  void look_at_store();
  bool is_gatt(int link) const { return link == 1 && port_.room > 0; }
  static GattCharacteristic one_of_both(uint32_t length);
  void write_value(GattCharacteristic characteristic, const uint8_t* value, uint32_t length);
  // `value`: the GATT value that completes the message, where it does not come by itself.
  void deliver(int link, const uint8_t* message, uint32_t length, const uint8_t* value = nullptr,
               uint32_t value_bytes = 0);
  void check_hello(int link, const MessageHeader& header, ByteReader payload);
  void check_identity(int link, ByteReader in) const;
  void check_unheard(int link, AccessShadow::Verdict verdict) const;
  // `mac`: the request's own; null if it had none. `need`: what it must be refused with.
  void check_reply(int link, const MessageHeader& header, ByteReader payload, bool unchanged,
                   const uint8_t* mac, Status need);
  void check_granted(int link, Request opcode, ByteReader payload);
  void check_reset_to_factory(Status status);
  void check_access(int link, ByteReader in) const;
  void check_hardware(ByteReader in) const;
  void check_condition(uint8_t number, ByteReader in) const;
  uint8_t standing() const;

  FrameParser parsers_[kMaxLinks];
  GattLink gatt_;
  CheckedPort port_;
  std::vector<uint8_t> pieces_;    // written so far
  uint32_t next_piece_ = 0;        // 0: none was written, or it did not continue
  uint32_t now_ms_ = 0xFFFFE000u;  // wraps after 8 s
  uint64_t passed_ms_ = 0;
  Bench& bench_;
  StateStore& store_;
  uint32_t saves_ = 0;
  std::vector<uint8_t> saved_;  // the image that was saved last
  std::string name_;            // what the board must go by
  KeyShadow key_;
  bool half_reset_ = false;  // the flash failed in a FACTORY_RESET: what it erased is not known
  std::string conditions_[kMaxConditions];
  uint8_t levels_[kMaxConditions] = {};
};

}  // namespace fuzz
}  // namespace tinyol
