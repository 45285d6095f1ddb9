// One message of the wire protocol: a header, a payload, room for an authentication trailer.
// docs/wire-protocol.md says every byte. The same messages go over serial (framed, see
// serial_framing.h) and over Bluetooth (one ATT value each).
#pragma once

#include <stdint.h>

#include "tinyol/bytes.h"

namespace tinyol {

constexpr uint8_t kProtocolVersion = 2;  // 1 knew no authentication: nobody speaks it any more
constexpr uint32_t kMessageHeaderBytes = 16;
constexpr uint32_t kMaxMessageBytes = 512;  // header, payload and trailer together
constexpr uint32_t kMinMessageBytes = 136;  // what every link must carry: HELLO, INFO, refusals
constexpr uint32_t kOutcomeBytes = 12;     // of a reply's payload: status, index of the next sample
constexpr uint32_t kAuthTrailerBytes = 8;  // session_auth.h
constexpr uint32_t kMessageOpcodeAt = 2;
constexpr uint32_t kMessageFlagsAt = 3;
constexpr uint8_t kFlagAuthenticated = 1;  // a trailer follows the payload

enum class MessageKind : uint8_t { kRequest = 1, kReply = 2, kEvent = 3 };

enum class Request : uint8_t {
  kHello = 1,
  kInfo = 2,
  kPing = 3,
  kGoodbye = 4,
  kSettingsList = 8,
  kSettingSet = 9,
  kClassesList = 12,
  kClassAdd = 13,
  kClassRename = 14,
  kClassRemove = 15,
  kLabel = 16,
  kLabelBack = 17,
  kFineTune = 18,
  kMetrics = 20,
  kAlarms = 21,
  kStream = 24,
  kFeedBegin = 28,
  kFeed = 29,
  kFeedEnd = 30,
  kReset = 32,
  kSessionBegin = 33,
  kSave = 34,
  kImageGet = 36,
  kImageRead = 37,
  kImagePut = 38,
  kImageWrite = 39,
  kImageCommit = 40,
  kSelfTest = 44,
  kHardware = 48,
  kNameSet = 49,
  kLocate = 50,
  kCondition = 51,
  kRelearn = 52,
  kClassWeight = 53,
  kCalibrate = 54,
  kUnknownName = 55,
  kUnknowns = 56,
  kWatch = 57,
  kClassStatus = 58,
  kChallenge = 60,
  kAuthenticate = 61,
  kAccess = 62,
  kAccessSet = 63,
  kPair = 64,
  kFactoryReset = 65,
  kUndo = 66,
};

// Refused with kNoModel by a device that has none.
bool needs_model(Request request);

enum class Event : uint8_t {
  kPrediction = 1,  // a window was completed
  kSamples = 2,     // raw samples
  kChanged = 3,     // a link changed something
  kLog = 4,         // something that a person should know
  kNotice = 5,      // something began or ended: an alarm, an unknown state, a drift
};

// Bits of PREDICTION's state.
constexpr uint8_t kPredictionAlarm = 1;
constexpr uint8_t kPredictionUnknown = 2;

// What a NOTICE is about, and what became of it.
enum class NoticeKind : uint8_t {
  kAlarm = 1,
  kUnknown = 2,
  kMoved = 3,
  kChanged = 4,
  kCalibrated = 5,
};
enum class NoticePhase : uint8_t { kBegan = 1, kEnded = 2 };

// Bits of what a link wants to be sent.
constexpr uint8_t kStreamPredictions = 1;
constexpr uint8_t kStreamSamples = 2;
constexpr uint8_t kStreamChanges = 4;  // the link's own too; those of others are always told
constexpr uint8_t kStreamLog = 8;
constexpr uint8_t kStreamNotices = 16;
constexpr uint8_t kStreamAll = 31;

struct MessageHeader {
  MessageKind kind = MessageKind::kRequest;
  uint8_t opcode = 0;
  uint8_t flags = 0;
  uint16_t session = 0;
  uint16_t sequence = 0;
  uint32_t boot_id = 0;
  uint16_t payload_bytes = 0;
};

// False unless the bytes are exactly one message of this version: then `payload` reads it.
bool parse_message(const uint8_t* data, uint32_t length, MessageHeader* header,
                   ByteReader* payload);

// Writes the header with a payload length of zero, to be completed by end_message.
void begin_message(ByteWriter* out, const MessageHeader& header);
// Bytes of the whole message; 0 when it did not fit.
uint32_t end_message(ByteWriter* out);

}  // namespace tinyol
