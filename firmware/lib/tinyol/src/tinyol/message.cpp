#include "tinyol/message.h"

namespace tinyol {
namespace {

constexpr uint32_t kLengthAt = 12;

}  // namespace

bool parse_message(const uint8_t* data, uint32_t length, MessageHeader* header,
                   ByteReader* payload) {
  if (length < kMessageHeaderBytes || length > kMaxMessageBytes) return false;
  ByteReader in(data, length);
  const uint8_t version = in.u8();
  const uint8_t kind = in.u8();
  header->opcode = in.u8();
  header->flags = in.u8();
  header->session = in.u16();
  header->sequence = in.u16();
  header->boot_id = in.u32();
  header->payload_bytes = in.u16();
  const uint16_t reserved = in.u16();
  const uint32_t trailer = (header->flags & kFlagAuthenticated) != 0 ? kAuthTrailerBytes : 0;
  if (version != kProtocolVersion || kind < 1 || kind > 3 || reserved != 0) return false;
  if ((header->flags & ~kFlagAuthenticated) != 0) return false;
  if (in.remaining() != header->payload_bytes + trailer) return false;
  header->kind = static_cast<MessageKind>(kind);
  *payload = in.sub(header->payload_bytes);
  return true;
}

bool needs_model(Request request) {
  switch (request) {
    case Request::kSettingsList:
    case Request::kSettingSet:
    case Request::kClassesList:
    case Request::kClassAdd:
    case Request::kClassRename:
    case Request::kClassRemove:
    case Request::kLabel:
    case Request::kLabelBack:
    case Request::kFineTune:
    case Request::kMetrics:
    case Request::kFeedBegin:
    case Request::kFeed:
    case Request::kFeedEnd:
    case Request::kReset:
    case Request::kSessionBegin:
    case Request::kSave:
    case Request::kImageGet:
    case Request::kImageRead:
    case Request::kImagePut:
    case Request::kImageWrite:
    case Request::kImageCommit:
    case Request::kRelearn:
    case Request::kClassWeight:
    case Request::kCalibrate:
    case Request::kUnknownName:
    case Request::kUnknowns:
    case Request::kWatch:
    case Request::kClassStatus:
    case Request::kUndo:
      return true;
    default:
      return false;
  }
}

void begin_message(ByteWriter* out, const MessageHeader& header) {
  out->u8(kProtocolVersion);
  out->u8(static_cast<uint8_t>(header.kind));
  out->u8(header.opcode);
  out->u8(header.flags);
  out->u16(header.session);
  out->u16(header.sequence);
  out->u32(header.boot_id);
  out->u32(0);  // payload length and reserved
}

uint32_t end_message(ByteWriter* out) {
  out->patch_u32(kLengthAt, out->length() - kMessageHeaderBytes);
  return out->ok() ? out->length() : 0;
}

}  // namespace tinyol
