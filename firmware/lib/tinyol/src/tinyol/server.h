// The device's side of the wire protocol (docs/wire-protocol.md): executes requests from its
// links exactly once, moves images in checked chunks, and sends events. A board's glue calls
// receive(), push_sample() and tick(), and nothing else.
#pragma once

#include <stdint.h>

#include "tinyol/device.h"
#include "tinyol/link_session.h"
#include "tinyol/message.h"
#include "tinyol/status.h"

namespace tinyol {

constexpr int kMaxLinks = 2;                // USB and Bluetooth
constexpr uint32_t kPeerTimeoutMs = 10000;  // a peer that is silent for longer is gone
constexpr uint16_t kSamplesPerEvent = 8;

// Bits of `capabilities`.
constexpr uint32_t kCapabilityKernels = 1;  // the frozen net runs in our own kernels
constexpr uint32_t kCapabilityTflm = 2;     // ... in TFLM's interpreter
constexpr uint32_t kCapabilitySensor = 4;   // a sensor of its own; without, it must be fed

struct ServerIdentity {
  uint32_t boot_id = 1;           // different after every boot; never 0
  uint32_t firmware_version = 0;  // major << 16 | minor << 8 | patch
  uint32_t capabilities = 0;
  const char* board = "";  // what it runs on, at most 15 bytes
};

// Counted since boot; all stop at 2^32 - 1.
struct ServerCounters {
  uint32_t malformed = 0;    // messages that were not understood, and ignored
  uint32_t repeated = 0;     // requests answered from memory
  uint32_t refused = 0;      // requests answered with an error
  uint32_t lost_peers = 0;   // links dropped by the heartbeat
  uint32_t lost_events = 0;  // a link could not take them
};

class Server {
 public:
  // `staging` holds one state image while it is transferred: device.max_image_bytes() or more.
  void begin(Device* device, const ServerIdentity& identity, uint8_t* staging,
             uint32_t staging_bytes);
  void attach(int link_index, Link* link);

  // One message from a link. Answers through the link; malformed bytes are counted and ignored.
  void receive(int link_index, const uint8_t* message, uint32_t length, uint32_t now_ms);

  // One sample from the board's own sensor; ignored while a link feeds. `gap`: it does not follow
  // the last one.
  void push_sample(const float sample[3], bool gap);

  // Call at least once a second: drops peers that fell silent. Times may wrap.
  void tick(uint32_t now_ms);
  // The transport knows that the peer is gone.
  void drop(int link_index);

  bool feeding() const { return feeder_ != kNobody; }
  const ServerCounters& counters() const { return counters_; }

 private:
  static constexpr int kNobody = -1;
  enum class Transfer : uint8_t { kNone, kGet, kPut };

  void hello(int link_index, const MessageHeader& header, ByteReader payload, uint32_t now_ms);
  void answer_out_of_order(int link_index, const MessageHeader& header, Status status);
  void reply_to(int link_index, const MessageHeader& header, ByteReader payload);
  Status execute(int link_index, uint8_t opcode, ByteReader* in, ByteWriter* out, Refusal* refusal);
  Status execute_change(int link_index, uint8_t opcode, ByteReader* in, ByteWriter* out,
                        Refusal* refusal);
  Status feed(ByteReader* in, ByteWriter* out, Refusal* refusal);
  Status transfer(int link_index, uint8_t opcode, ByteReader* in, ByteWriter* out,
                  Refusal* refusal);
  void write_identity(const LinkSession& session, ByteWriter* out) const;
  void write_info(ByteWriter* out) const;
  void accept_sample(const float sample[3]);
  void send_prediction(const WindowResult& result);
  void mark_gap();
  void send_samples(const float sample[3]);
  void flush_samples(uint16_t still_to_count);
  void tell_others(int link_index, uint8_t opcode);
  void send_event(LinkSession* session, Event event, const uint8_t* payload, uint32_t bytes);

  Device* device_ = nullptr;
  ServerIdentity identity_;
  ServerCounters counters_;
  LinkSession sessions_[kMaxLinks];
  uint16_t next_session_ = 1;
  int feeder_ = kNobody;

  uint8_t* staging_ = nullptr;
  uint32_t staging_bytes_ = 0;
  Transfer transfer_ = Transfer::kNone;
  int transfer_link_ = kNobody;
  uint32_t image_bytes_ = 0;   // of the image in transfer
  uint32_t image_crc_ = 0;     // of a put, as announced
  uint32_t image_filled_ = 0;  // of a put: bytes received, without holes

  float pending_[3 * kSamplesPerEvent] = {};  // raw samples for the next event
  uint16_t n_pending_ = 0;
  bool pending_gap_ = false;
};

}  // namespace tinyol
