#include "tinyol/board_name.h"

#include <string.h>

#include "tinyol/name_rules.h"

namespace tinyol {
namespace {

// Stands where a state image's record has its model.
constexpr uint8_t kNameKey[kModelIdBytes] = {'N', 'A', 'M', 'E', 0, 0, 0, 0};
constexpr uint32_t kMaxRecordBytes = 24;
static_assert(1 + kMaxBoardNameBytes <= kMaxRecordBytes, "u8 length, then the name");

uint32_t record_bytes(uint32_t name_bytes) {
  return (1 + name_bytes + 3) / 4 * 4;
}

}  // namespace

void BoardName::begin(Flash* flash, const char* fallback) {
  memset(fallback_, 0, sizeof(fallback_));
  for (uint32_t i = 0; i < kMaxBoardNameBytes && fallback[i] != '\0'; ++i) {
    fallback_[i] = fallback[i];
  }
  changes_ = 0;
  in_doubt_ = false;
  take(nullptr, 0);
  kept_ =
      flash != nullptr && store_.begin(flash, kNameKey, kMaxRecordBytes, nullptr) == Status::kOk;
  uint8_t record[kMaxRecordBytes];
  uint32_t length = 0;
  if (!kept_ || store_.load(record, sizeof(record), &length, nullptr) != Status::kOk) return;
  const char* name = reinterpret_cast<const char*>(record + 1);
  if (length == 0 || length != record_bytes(record[0])) return;
  if (check_name(name, record[0], kMaxBoardNameBytes) == Status::kOk) take(name, record[0]);
}

Status BoardName::set(const char* name, uint32_t length, Refusal* refusal) {
  if (!kept_) return refuse(refusal, Status::kUnsupported, "name");
  if (length > 0 && check_name(name, length, kMaxBoardNameBytes) != Status::kOk) {
    return refuse(refusal, Status::kBadName, "name", kMaxBoardNameBytes, length);
  }
  // The same again wears no flash.
  const bool same = length == set_bytes_ && (length == 0 || memcmp(name, text_, length) == 0);
  if (!same || in_doubt_) {
    alignas(4) uint8_t record[kMaxRecordBytes] = {};
    record[0] = static_cast<uint8_t>(length);
    if (length > 0) memcpy(record + 1, name, length);
    const Status status = store_.save(record, record_bytes(length), refusal);
    in_doubt_ = status != Status::kOk;
    if (in_doubt_) return status;
  }
  take(name, length);
  ++changes_;
  return Status::kOk;
}

Status BoardName::forget(Refusal* refusal) {
  if (!kept_) return Status::kOk;
  const Status status = store_.erase(refusal);
  in_doubt_ = status != Status::kOk;
  if (in_doubt_) return status;
  take(nullptr, 0);
  ++changes_;
  return Status::kOk;
}

void BoardName::take(const char* name, uint32_t length) {
  char taken[sizeof(text_)] = {};
  if (length > 0) {
    memcpy(taken, name, length);
  } else {
    memcpy(taken, fallback_, sizeof(fallback_));
  }
  memcpy(text_, taken, sizeof(text_));
  set_bytes_ = length;
}

}  // namespace tinyol
