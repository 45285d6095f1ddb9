// The device behind a GATT service: what a board's Bluetooth stack and the tests' peripheral
// share. docs/wire-protocol.md has the service, its characteristics and the pieces of a message
// that is longer than a notification.
#pragma once

#include <stdint.h>

#include "tinyol/link.h"
#include "tinyol/message.h"

namespace tinyol {

class Server;

// 128-bit UUIDs of the service and its characteristics, as texts.
constexpr char kGattService[] = "7b1e0001-6c0f-4e5a-9a7d-54696e794f4c";
constexpr char kGattControl[] = "7b1e0002-6c0f-4e5a-9a7d-54696e794f4c";
constexpr char kGattEvents[] = "7b1e0003-6c0f-4e5a-9a7d-54696e794f4c";
constexpr char kGattBulk[] = "7b1e0004-6c0f-4e5a-9a7d-54696e794f4c";
constexpr char kGattInfo[] = "7b1e0005-6c0f-4e5a-9a7d-54696e794f4c";

enum class GattCharacteristic : uint8_t { kControl = 0, kEvents = 1, kBulk = 2 };

constexpr uint32_t kMaxGattValueBytes = 512;  // Bluetooth Core, Vol 3 Part F, 3.2.9
// A notification of this size holds every reply whole; where it is shorter, messages go in pieces.
constexpr uint32_t kWholeMessageBytes = 180;
constexpr uint32_t kPiecedMessageBytes = 244;  // the longest message where they do
constexpr uint8_t kPieceMark = 0x80;           // first byte of a piece; no protocol version has it
constexpr uint8_t kLastPiece = 0x40;
constexpr uint8_t kPieceNumber = 0x3F;

// What the Bluetooth stack does for the link.
class GattPort {
 public:
  // Queues one notification. False if it cannot be taken now, or nobody has subscribed.
  virtual bool notify(GattCharacteristic characteristic, const uint8_t* value, uint32_t length) = 0;
  // Bytes that a notification may have on this connection: its MTU - 3.
  virtual uint32_t max_notification() const = 0;

 protected:
  ~GattPort() = default;
};

class GattLink final : public Link {
 public:
  // `server` and `port` outlive it. Attach it to the server as link `link_index`.
  void begin(Server* server, int link_index, GattPort* port);

  // From the stack: a value that was written, and the peer that is gone.
  void on_write(GattCharacteristic characteristic, const uint8_t* value, uint32_t length,
                uint32_t now_ms);
  void on_disconnected();

  // Events go to their characteristic, a reply to the one that its request was written to. In one
  // notification, or in pieces: u8 kPieceMark | number, the last with kLastPiece, then bytes.
  bool send(const uint8_t* message, uint32_t length) override;
  uint32_t max_message() const override;
  bool is_physical() const override { return false; }

 private:
  void on_piece(const uint8_t* value, uint32_t length, uint32_t now_ms);

  Server* server_ = nullptr;
  GattPort* port_ = nullptr;
  int link_index_ = 0;
  GattCharacteristic written_ = GattCharacteristic::kControl;  // what the last request came by
  uint8_t request_[kPiecedMessageBytes] = {};                  // of which pieces have come
  uint32_t request_bytes_ = 0;
  uint8_t next_piece_ = 0;
};

}  // namespace tinyol
