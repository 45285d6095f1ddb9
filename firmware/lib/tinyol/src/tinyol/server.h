// The device's side of the wire protocol (docs/wire-protocol.md): executes requests from its
// links exactly once, moves images in checked chunks, and sends events. A board's glue calls
// receive(), push_sample() and tick(), and nothing else.
#pragma once

#include <stdint.h>

#include "tinyol/alarm_ring.h"
#include "tinyol/autosave.h"
#include "tinyol/board_name.h"
#include "tinyol/device.h"
#include "tinyol/device_key.h"
#include "tinyol/hardware.h"
#include "tinyol/link_session.h"
#include "tinyol/message.h"
#include "tinyol/random_pool.h"
#include "tinyol/state_store.h"
#include "tinyol/status.h"

namespace tinyol {

constexpr int kMaxLinks = 2;                // USB and Bluetooth
constexpr uint32_t kPeerTimeoutMs = 10000;  // a peer that is silent for longer is gone
constexpr uint16_t kSamplesPerEvent = 8;
constexpr uint64_t kLogEverySamples = 1000;  // a kind of log message, at most
constexpr uint32_t kMaxTextBytes = 80;       // of a log message or a condition
constexpr int kMaxConditions = 5;

// Bits of INFO's self-test at boot.
constexpr uint32_t kSelfTestArithmetic = 1;
constexpr uint32_t kSelfTestNet = 2;
constexpr uint32_t kSelfTestPassed = 3;

// Bits of HELLO's and ACCESS's flags.
constexpr uint8_t kAccessPaired = 1;         // the board has a key
constexpr uint8_t kAccessAuthenticated = 2;  // this session has shown to know it
constexpr uint8_t kAccessPhysical = 4;       // this link may pair and reset the board
constexpr uint8_t kAccessReadingShut = 8;    // over the radio, reading needs the key too

// Bits of INFO's store.
constexpr uint32_t kStoreThere = 1;    // the board keeps what it learned, on request and by itself
constexpr uint32_t kStoreUnsaved = 2;  // something was learned since the last save
constexpr uint32_t kStoreFailed = 4;   // the last save failed: what was saved before is there

// Bits of `capabilities`.
constexpr uint32_t kCapabilityKernels = 1;  // the frozen net runs in our own kernels
constexpr uint32_t kCapabilityTflm = 2;     // ... in TFLM's interpreter
constexpr uint32_t kCapabilitySensor = 4;   // a sensor of its own; without, it must be fed
constexpr uint32_t kCapabilityLed = 8;      // an LED that blinks while locating()
constexpr uint32_t kCapabilityModel = 16;   // a model is loaded: said by the server itself

struct ServerIdentity {
  uint32_t boot_id = 1;           // different after every boot; never 0
  uint32_t firmware_version = 0;  // major << 16 | minor << 8 | patch
  uint32_t capabilities = 0;
  const char* board = "";  // what it runs on, at most 15 bytes
  float sensor_hz = 0.0f;  // rate of the board's own sensor; 0: it has none
};

// Counted since boot; all stop at 2^32 - 1.
struct ServerCounters {
  uint32_t malformed = 0;    // messages that were not understood, and ignored
  uint32_t repeated = 0;     // requests answered from memory
  uint32_t refused = 0;      // requests answered with an error
  uint32_t lost_peers = 0;   // links dropped by the heartbeat
  uint32_t lost_events = 0;  // a link could not take them
  uint32_t wrong_macs = 0;   // messages that had none where one is due, or a wrong one
  uint32_t no_key = 0;       // changes refused for want of the board's key
};

// What a board has besides its device; each may be missing, and must outlive the server.
struct ServerParts {
  StateStore* store = nullptr;   // else SAVE is refused
  Flash* learned = nullptr;      // what the store is in: FACTORY_RESET erases it without one too
  BoardName* name = nullptr;     // else NAME_SET
  DeviceKey* key = nullptr;      // else PAIR: nothing can be changed over the radio
  RandomPool* random = nullptr;  // else PAIR and CHALLENGE
};

enum class LogLevel : uint8_t { kInformation = 1, kWarning = 2, kError = 3 };

class Server {
 public:
  // `staging` holds one state image while it is transferred: device.max_image_bytes() or more.
  // Runs both self-tests; what they found is in INFO, and logged to whoever listens. What the
  // device has learned by now counts as saved: import what its store has before. A device that was
  // never loaded is served too: it counts and streams samples, and what needs a model is refused.
  void begin(Device* device, const ServerIdentity& identity, uint8_t* staging,
             uint32_t staging_bytes, const ServerParts& parts = ServerParts());
  void attach(int link_index, Link* link);

  // One message from a link. Answers through the link; malformed bytes are counted and ignored.
  void receive(int link_index, const uint8_t* message, uint32_t length, uint32_t now_ms);

  // One sample from the board's own sensor; ignored while a link feeds. `gap`: it does not follow
  // the last one.
  void push_sample(const float sample[3], bool gap);

  // Call at least once a second: drops peers that fell silent, and saves what was learned when
  // that is due (autosave.h), which takes as long as the flash does. Times may wrap.
  void tick(uint32_t now_ms);
  // The transport knows that the peer is gone.
  void drop(int link_index);

  // What HELLO's reply says of this device, without a session: its own fields. Returns their
  // length, 0 if they do not fit.
  uint32_t read_identity(int link_index, uint8_t* out, uint32_t capacity) const;

  // A line for a person, to the links that stream the log; what is behind 80 bytes is cut off.
  void log(LogLevel level, const char* text);

  // For HARDWARE's reply; cheap: whenever it changed, or each pass.
  void set_hardware(const Hardware& hardware) { hardware_ = hardware; }

  // What holds until it is taken back. Logged when it comes up, and to each link that begins to
  // stream the log. `slot` is 0 to kMaxConditions - 1; `text` is copied, at most 80 bytes of it;
  // "" takes the condition back. The same again is not told again.
  void set_condition(int slot, LogLevel level, const char* text);

  // A peer wants to see which board this is (LOCATE): blink.
  bool locating(uint32_t now_ms) const;

  const AlarmRing& alarms() const { return alarms_; }
  bool feeding() const { return feeder_ != kNobody; }
  const ServerCounters& counters() const { return counters_; }

 private:
  static constexpr int kNobody = -1;
  enum class Transfer : uint8_t { kNone, kGet, kPut };
  enum class LogKind : uint8_t {
    kSampleRefused,
    kStepNotFinite,
    kStepOverLimit,
    kPeerLost,
    kSelfTest,
    kSaveFailed,
    kAlarm,
    kUnknown,
    kMoved,
    kChanged,
    kWrongMac,
    kNoKey
  };
  static constexpr int kLogKinds = 12;
  struct Condition {
    LogLevel level = LogLevel::kInformation;
    uint8_t length = 0;                 // of the text; 0: it does not hold
    char text[kMaxTextBytes + 1] = {};  // zero-terminated
  };
  // What was not learned so far; a rise is logged.
  struct Skipped {
    uint32_t samples;
    uint32_t not_finite;
    uint32_t over_limit;
  };

  void hello(int link_index, const MessageHeader& header, ByteReader payload, uint32_t now_ms);
  void answer_out_of_order(int link_index, const MessageHeader& header, Status status,
                           const uint8_t* mac = nullptr);
  void answer_unheard(int link_index, const MessageHeader& header, const Refusal& refusal,
                      const uint8_t* mac = nullptr);
  void reply_to(int link_index, const MessageHeader& header, ByteReader payload,
                const uint8_t* mac);
  bool authentic(int link_index, const MessageHeader& header, const uint8_t* message,
                 uint32_t length, uint32_t now_ms);
  bool may_read(const LinkSession& session) const;
  Status check_access(const LinkSession& session, Request request, Refusal* refusal);
  Status execute_allowed(int link_index, uint8_t opcode, ByteReader* in, ByteWriter* out,
                         Refusal* refusal);
  Status challenge(LinkSession* session, ByteReader* in, ByteWriter* out, Refusal* refusal);
  Status pair(ByteReader* in, ByteWriter* out, Refusal* refusal);
  Status set_access(ByteReader* in, Refusal* refusal);
  Status erase_learned(Refusal* refusal) const;
  Status reset_to_factory(int link_index, ByteReader* in, Refusal* refusal);
  void end_authentication(int link_index);
  void end_lapsed(int link_index, uint32_t now_ms);
  uint8_t access_flags(const LinkSession& session) const;
  void write_key_id(ByteWriter* out) const;
  void write_access(LinkSession* session, ByteWriter* out) const;
  Status execute(int link_index, uint8_t opcode, ByteReader* in, ByteWriter* out, Refusal* refusal);
  Status execute_change(int link_index, uint8_t opcode, ByteReader* in, ByteWriter* out,
                        Refusal* refusal);
  Status execute_hardware(int link_index, Request request, ByteReader* in, ByteWriter* out,
                          Refusal* refusal);
  static bool only_says(Request request, ByteReader in);
  Status teach(Request request, ByteReader* in, ByteWriter* out, Refusal* refusal);
  Status undo(ByteReader* in, ByteWriter* out, Refusal* refusal);
  Status feed(ByteReader* in, ByteWriter* out, Refusal* refusal);
  Status begin_session(int link_index, ByteReader* in, ByteWriter* out, Refusal* refusal);
  void set_streams(LinkSession* session, uint8_t streams);
  Status transfer(int link_index, uint8_t opcode, ByteReader* in, ByteWriter* out,
                  Refusal* refusal);
  bool taken_by_another(int link_index) const {
    return transfer_ != Transfer::kNone && transfer_link_ != link_index;
  }
  Status stage_image(int link_index, ByteWriter* out, Refusal* refusal);
  void end_transfer();
  Status save_requested(int link_index, ByteWriter* out, Refusal* refusal);
  Status save(Refusal* refusal);
  void save_if_due(uint32_t now_ms);
  uint32_t store_flags() const;
  void write_identity(const LinkSession& session, ByteWriter* out) const;
  void write_info(ByteWriter* out) const;
  Status write_list(Request request, ByteReader* in, ByteWriter* out, Refusal* refusal) const;
  Status write_watched(Request request, ByteWriter* out) const;
  void write_alarms(ByteWriter* out) const;
  void write_unknowns(ByteWriter* out) const;
  void write_watch(ByteWriter* out) const;
  void write_hardware(ByteWriter* out) const;
  Status set_name(ByteReader* in, Refusal* refusal);
  Status write_condition(uint8_t number, ByteWriter* out, Refusal* refusal) const;
  uint8_t standing_conditions() const;
  void log_conditions(LinkSession* session);
  void end_locating(uint32_t now_ms);
  void accept_sample(const float sample[3]);
  void take_window(const WindowResult& result);
  void forget_windows();
  void send_prediction(const WindowResult& result);
  void send_notices(const WindowResult& result);
  void log_notice(NoticeKind kind);
  void mark_gap();
  void forget_gaps();
  void send_samples(const float sample[3]);
  void flush_samples(uint16_t still_to_count);
  void tell_changed(int link_index, uint8_t opcode, const uint8_t* payload, uint32_t bytes);
  void log_to(LinkSession* session, LogLevel level, const char* text);
  void log_once_in_a_while(LogKind kind);
  Skipped skipped() const;
  void log_skipped_since(const Skipped& before);
  void send_event(LinkSession* session, Event event, const uint8_t* payload, uint32_t bytes);

  Device* device_ = nullptr;
  ServerIdentity identity_;
  ServerCounters counters_;
  AlarmRing alarms_;
  float last_score_ = 0.0f;  // of the last window, since alarms_ was cleared
  bool last_unknown_ = false;
  LinkSession sessions_[kMaxLinks];
  uint16_t next_session_ = 1;
  int feeder_ = kNobody;
  uint32_t self_test_ = 0;  // at boot: kSelfTest... bits
  uint64_t logged_at_[kLogKinds];

  uint8_t* staging_ = nullptr;
  uint32_t staging_bytes_ = 0;
  Transfer transfer_ = Transfer::kNone;
  int transfer_link_ = kNobody;
  uint32_t image_bytes_ = 0;   // of the image in transfer
  uint32_t image_crc_ = 0;     // of a put, as announced
  uint32_t image_filled_ = 0;  // of a put: bytes received, without holes

  StateStore* store_ = nullptr;
  Flash* learned_ = nullptr;
  Autosave autosave_;
  uint32_t saved_bytes_ = 0;  // of the image saved last
  bool save_failed_ = false;

  BoardName* name_ = nullptr;
  DeviceKey* key_ = nullptr;
  RandomPool* random_ = nullptr;
  Hardware hardware_;
  Condition conditions_[kMaxConditions];
  bool locating_ = false;
  uint32_t locating_from_ms_ = 0;
  uint32_t locating_ms_ = 0;

  float pending_[3 * kSamplesPerEvent] = {};  // raw samples for the next event
  uint16_t n_pending_ = 0;
};

}  // namespace tinyol
