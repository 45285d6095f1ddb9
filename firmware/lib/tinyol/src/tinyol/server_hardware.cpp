// What has nothing to do with learning: the board's hardware, its name, where it is, and the
// conditions that stand. Payloads: docs/wire-protocol.md.
#include <string.h>

#include "tinyol/server.h"

namespace tinyol {
namespace {

constexpr uint32_t kNameFieldBytes = 24;
static_assert(kMaxBoardNameBytes < kNameFieldBytes, "zero-terminated");
constexpr uint32_t kLongestCharacter = 4;  // bytes, in UTF-8

bool continues_character(char byte) {
  return (static_cast<uint8_t>(byte) & 0xC0) == 0x80;
}

}  // namespace

Status Server::execute_hardware(int link_index, Request request, ByteReader* in, ByteWriter* out,
                                Refusal* refusal) {
  switch (request) {
    case Request::kHardware:
      if (!in->ok() || in->remaining() != 0) return refuse(refusal, Status::kMalformed, "payload");
      write_hardware(out);
      return Status::kOk;
    case Request::kNameSet:
      return set_name(in, refusal);
    case Request::kLocate: {
      const uint8_t seconds = in->u8();
      if (!in->ok() || in->remaining() != 0) return refuse(refusal, Status::kMalformed, "payload");
      if ((identity_.capabilities & kCapabilityLed) == 0) {
        return refuse(refusal, Status::kUnsupported, "led");
      }
      locating_ = seconds > 0;
      locating_from_ms_ = sessions_[link_index].heard_ms;  // now
      locating_ms_ = 1000u * seconds;
      return Status::kOk;
    }
    default: {  // kCondition
      const uint8_t number = in->u8();
      if (!in->ok() || in->remaining() != 0) return refuse(refusal, Status::kMalformed, "payload");
      return write_condition(number, out, refusal);
    }
  }
}

void Server::write_hardware(ByteWriter* out) const {
  out->u8(static_cast<uint8_t>(hardware_.sensor));
  out->u8(standing_conditions());
  out->u16(0);
  out->f32(identity_.sensor_hz);
  out->u32(hardware_.dropped_samples);
  out->u32(hardware_.arena_used);
  out->u32(hardware_.arena_bytes);
  char name[kNameFieldBytes] = {};
  if (name_ != nullptr) {
    const char* text = name_->text();
    for (uint32_t i = 0; i < kMaxBoardNameBytes && text[i] != '\0'; ++i) name[i] = text[i];
  }
  out->bytes(name, sizeof(name));
}

Status Server::set_name(ByteReader* in, Refusal* refusal) {
  const uint32_t length = in->u8();
  const uint8_t* name = in->bytes(length);
  if (!in->ok() || in->remaining() != 0) return refuse(refusal, Status::kMalformed, "payload");
  if (name_ == nullptr) return refuse(refusal, Status::kUnsupported, "name");
  return name_->set(reinterpret_cast<const char*>(name), length, refusal);
}

bool Server::locating(uint32_t now_ms) const {
  // Negative where the caller had read the clock before the request came in.
  const int32_t since_ms = static_cast<int32_t>(now_ms - locating_from_ms_);
  return locating_ && since_ms < static_cast<int32_t>(locating_ms_);
}

// Else it would begin anew when the clock has gone half round.
void Server::end_locating(uint32_t now_ms) {
  if (!locating(now_ms)) locating_ = false;
}

void Server::set_condition(int slot, LogLevel level, const char* text) {
  if (slot < 0 || slot >= kMaxConditions) return;
  uint32_t n = 0;
  while (n < kMaxTextBytes && text[n] != '\0') ++n;
  // A character that does not fit whole is left out whole.
  if (text[n] != '\0') {
    uint32_t begin = n;
    while (n - begin < kLongestCharacter - 1 && continues_character(text[begin])) --begin;
    if (!continues_character(text[begin])) n = begin;
  }
  Condition& condition = conditions_[slot];
  const bool same = condition.length == n && memcmp(condition.text, text, n) == 0;
  if (same && (n == 0 || condition.level == level)) return;
  memcpy(condition.text, text, n);
  condition.text[n] = '\0';
  condition.length = static_cast<uint8_t>(n);
  condition.level = level;
  if (n > 0) log(level, condition.text);
}

uint8_t Server::standing_conditions() const {
  uint8_t n = 0;
  for (const Condition& condition : conditions_) n += condition.length > 0 ? 1 : 0;
  return n;
}

Status Server::write_condition(uint8_t number, ByteWriter* out, Refusal* refusal) const {
  const uint8_t standing = standing_conditions();
  uint8_t passed = 0;
  for (const Condition& condition : conditions_) {
    if (condition.length == 0 || passed++ != number) continue;
    out->u8(static_cast<uint8_t>(condition.level));
    out->u8(standing);
    out->u16(0);
    out->bytes(condition.text, condition.length);
    return Status::kOk;
  }
  return refuse(refusal, Status::kNotFound, "condition", number, standing);
}

void Server::log_conditions(LinkSession* session) {
  for (const Condition& condition : conditions_) {
    if (condition.length > 0) log_to(session, condition.level, condition.text);
  }
}

}  // namespace tinyol
