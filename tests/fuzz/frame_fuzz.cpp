// Fuzz target: a message's way over the wire. What a peer may send is decoded here a second time,
// a whole frame at once and with a checksum of its own, and must come to the same; what the device
// sends must come back as it was. (What GATT values do to a board is of the server target.)
//
//   u8 what: bits 0-1 (What), bits 2-7 of its own
//   then its bytes
#include <string.h>

#include <vector>

#include "check.h"
#include "fuzz_input.h"
#include "tinyol/gatt_link.h"
#include "tinyol/message.h"
#include "tinyol/serial_framing.h"

namespace {

using tinyol::FrameParser;
using tinyol::GattCharacteristic;
using tinyol::fuzz::FuzzInput;
using Bytes = std::vector<uint8_t>;

enum class What : uint8_t {
  kStream,   // bytes of a serial line
  kMessage,  // a message that is sent over one, after whatever bits 2-7 say
  kPieces,   // u16 bytes of a notification, u8 how many the link takes; a message over GATT
  kHeader,   // bytes that may be a message
};

// CRC-32 of IEEE 802.3, bit by bit.
uint32_t slow_crc32(const uint8_t* data, size_t length) {
  uint32_t crc = 0xFFFFFFFFu;
  for (size_t i = 0; i < length; ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      const bool one = ((crc ^ (data[i] >> bit)) & 1) != 0;
      crc = (crc >> 1) ^ (one ? 0xEDB88320u : 0);
    }
  }
  return ~crc;
}

// The message in a frame without its zero; false if there is none.
bool decode(const Bytes& frame, Bytes* message) {
  Bytes data;
  for (size_t at = 0; at < frame.size();) {
    const size_t n = frame[at++] - 1u;
    if (n > frame.size() - at) return false;
    data.insert(data.end(), frame.begin() + at, frame.begin() + at + n);
    at += n;
    if (n < 254 && at < frame.size()) data.push_back(0);
  }
  if (data.size() < 4 || data.size() > tinyol::kMaxMessageBytes + 4) return false;
  uint32_t crc = 0;
  for (size_t i = 0; i < 4; ++i) crc |= static_cast<uint32_t>(data[data.size() - 4 + i]) << (8 * i);
  data.resize(data.size() - 4);
  *message = data;
  return crc == slow_crc32(data.data(), data.size());
}

void check_stream(const uint8_t* bytes, uint32_t n) {
  FrameParser parser;
  Bytes frame;
  uint32_t bad = 0;
  for (uint32_t i = 0; i < n; ++i) {
    const bool complete = parser.push(bytes[i]);
    if (bytes[i] != 0) {
      frame.push_back(bytes[i]);
      FUZZ_CHECK(!complete);
      continue;
    }
    Bytes message;
    const bool good = decode(frame, &message);
    if (!good && !frame.empty()) ++bad;
    FUZZ_CHECK(complete == good && parser.bad_frames() == bad);
    if (good) {
      FUZZ_CHECK(message == Bytes(parser.message(), parser.message() + parser.length()));
    }
    frame.clear();
  }
}

void check_message(const uint8_t* message, uint32_t n, uint8_t noise) {
  // Exactly as large as is promised, so that a byte too far is noticed.
  Bytes frame(tinyol::kMaxFrameBytes);
  const uint32_t length = tinyol::encode_frame(message, n, frame.data());
  FUZZ_CHECK((length == 0) == (n > tinyol::kMaxMessageBytes));
  if (length == 0) return;
  frame.resize(length);
  FUZZ_CHECK(frame.back() == 0 && memchr(frame.data(), 0, length - 1) == nullptr);
  Bytes back;
  FUZZ_CHECK(decode(Bytes(frame.begin(), frame.end() - 1), &back));
  FUZZ_CHECK(back == Bytes(message, message + n));
  FrameParser parser;
  for (uint8_t i = 0; i < noise; ++i) parser.push(static_cast<uint8_t>(noise + i));
  parser.push(0);  // whatever came before is over
  for (uint32_t i = 0; i < length; ++i) FUZZ_CHECK(parser.push(frame[i]) == (i + 1 == length));
  FUZZ_CHECK(back == Bytes(parser.message(), parser.message() + parser.length()));
  // A byte that was changed on the way, wherever it is, is noticed by CRC-32 or not a frame's.
  check_stream(frame.data(), length);
  frame[noise % length] ^= 0x10;
  check_stream(frame.data(), length);
}

// Puts pieces together again, and fails when it has taken enough.
class Port final : public tinyol::GattPort {
 public:
  Port(uint32_t room, uint32_t takes) : room_(room), takes_(takes) {}
  bool notify(GattCharacteristic characteristic, const uint8_t* value, uint32_t length) override {
    FUZZ_CHECK(length > 0 && length <= room_ && !failed);
    if (takes_-- == 0) {
      failed = true;
      return false;
    }
    where = characteristic;
    if ((value[0] & tinyol::kPieceMark) == 0) {
      FUZZ_CHECK(n_pieces_ == 0);
      message.assign(value, value + length);
      whole = true;
      return true;
    }
    FUZZ_CHECK((value[0] & tinyol::kPieceNumber) == n_pieces_++ && length > 1 && !whole);
    message.insert(message.end(), value + 1, value + length);
    whole = (value[0] & tinyol::kLastPiece) != 0;
    return true;
  }
  uint32_t max_notification() const override { return room_; }

  Bytes message;
  bool whole = false;
  bool failed = false;
  GattCharacteristic where = GattCharacteristic::kBulk;

 private:
  uint32_t room_;
  uint32_t takes_;
  uint32_t n_pieces_ = 0;
};

void check_pieces(FuzzInput* input, bool event) {
  constexpr uint32_t kLeastRoom = 20;  // of Bluetooth's least MTU, 23
  const uint32_t room = kLeastRoom + input->u16() % (tinyol::kMaxGattValueBytes - kLeastRoom + 1);
  Port port(room, input->u8());
  tinyol::GattLink link;
  link.begin(nullptr, 1, &port);  // nothing is received
  const uint32_t most = link.max_message();
  FUZZ_CHECK(most >= tinyol::kMinMessageBytes && most <= tinyol::kMaxMessageBytes);
  uint32_t n;
  const uint8_t* bytes = input->bytes(most, &n);
  if (n < 2) return;
  Bytes message(bytes, bytes + n);
  message[0] = tinyol::kProtocolVersion;
  message[1] =
      static_cast<uint8_t>(event ? tinyol::MessageKind::kEvent : tinyol::MessageKind::kReply);
  const bool sent = link.send(message.data(), n);
  FUZZ_CHECK(sent == port.whole && sent != port.failed);
  if (!sent) return;
  FUZZ_CHECK(port.message == message);
  FUZZ_CHECK(port.where == (event ? GattCharacteristic::kEvents : GattCharacteristic::kControl));
}

void check_header(const uint8_t* bytes, uint32_t n) {
  const Bytes data(bytes, bytes + n);  // so that a byte too far is noticed
  tinyol::MessageHeader header;
  tinyol::ByteReader payload;
  if (!parse_message(data.data(), n, &header, &payload)) return;
  const bool trailer = (header.flags & tinyol::kFlagAuthenticated) != 0;
  const uint32_t n_payload = payload.remaining();
  FUZZ_CHECK(n ==
             tinyol::kMessageHeaderBytes + n_payload + (trailer ? tinyol::kAuthTrailerBytes : 0));
  FUZZ_CHECK(header.payload_bytes == n_payload);
  // There is one way to write it.
  uint8_t again[tinyol::kMaxMessageBytes];
  tinyol::ByteWriter out(again, sizeof(again));
  begin_message(&out, header);
  if (n_payload > 0) out.bytes(payload.bytes(n_payload), n_payload);
  const uint32_t length = end_message(&out);
  FUZZ_CHECK(length == tinyol::kMessageHeaderBytes + n_payload);
  FUZZ_CHECK(memcmp(again, data.data(), length) == 0);
  // Beyond its end there is nothing.
  payload.u32();
  FUZZ_CHECK(!payload.ok());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t length) {
  FuzzInput input(data, length);
  const uint8_t header = input.u8();
  const uint8_t own = header >> 2;
  if (static_cast<What>(header & 3) == What::kPieces) {
    check_pieces(&input, (own & 1) != 0);
    return 0;
  }
  uint32_t n;
  const uint8_t* bytes = input.bytes(static_cast<uint32_t>(length), &n);
  switch (static_cast<What>(header & 3)) {
    case What::kStream:
      check_stream(bytes, n);
      break;
    case What::kMessage:
      check_message(bytes, n, own);
      break;
    default:
      check_header(bytes, n);
  }
  return 0;
}
