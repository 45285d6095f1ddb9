#include "tinyol/device_key.h"

#include <string.h>

#include "tinyol/blake2s.h"
#include "tinyol/bytes.h"
#include "tinyol/secret_bytes.h"

namespace tinyol {
namespace {

// Stands where a state image's record has its model.
constexpr uint8_t kKeyKey[kModelIdBytes] = {'K', 'E', 'Y', 0, 0, 0, 0, 0};
constexpr uint32_t kRecordBytes = 8 + kKeyBytes;  // pairings, reading, zeros, key
constexpr uint8_t kIdLabel[13] = {'t', 'i', 'n', 'y', 'o', 'l', ' ', 'k', 'e', 'y', ' ', 'i', 'd'};

}  // namespace

void DeviceKey::begin(Flash* flash) {
  unpair();
  kept_ = flash != nullptr && store_.begin(flash, kKeyKey, kRecordBytes, nullptr) == Status::kOk;
  uint8_t record[kRecordBytes];
  uint32_t length = 0;
  if (!kept_ || store_.load(record, sizeof(record), &length, nullptr) != Status::kOk) return;
  ByteReader in(record, length);
  const uint32_t pairings = in.u32();
  const bool reading_open = in.u8() == 0;
  in.bytes(3);
  const uint8_t* key = in.bytes(kKeyBytes);
  if (in.ok()) take(key, pairings, reading_open);
  wipe(record, sizeof(record));
}

Status DeviceKey::make(const uint8_t key[kKeyBytes], Refusal* refusal) {
  return keep(key, pairings_ + 1, reading_open_, refusal);  // no flash lasts for 2^32
}

Status DeviceKey::set_reading_open(bool open, Refusal* refusal) {
  if (!paired()) return refuse(refusal, Status::kNotFound, "key");
  if (open == reading_open_) return Status::kOk;  // wears no flash
  return keep(key_, pairings_, open, refusal);
}

Status DeviceKey::forget(Refusal* refusal) {
  if (!kept_) return Status::kOk;
  const Status status = store_.erase(refusal);
  if (status == Status::kOk) unpair();
  return status;
}

Status DeviceKey::keep(const uint8_t key[kKeyBytes], uint32_t pairings, bool reading_open,
                       Refusal* refusal) {
  if (!kept_) return refuse(refusal, Status::kUnsupported, "key");
  alignas(4) uint8_t record[kRecordBytes] = {};
  ByteWriter out(record, sizeof(record));
  out.u32(pairings);
  out.u32(reading_open ? 0 : 1);
  out.bytes(key, kKeyBytes);
  const Status status = store_.save(record, sizeof(record), refusal);
  wipe(record, sizeof(record));
  if (status != Status::kOk) return status;
  take(key, pairings, reading_open);
  // A key of before must not come back should this record be damaged one day: the board is then as
  // if never paired, which helps nobody but who can touch it. If it cannot be erased, so be it.
  store_.erase_others(nullptr);
  return Status::kOk;
}

void DeviceKey::take(const uint8_t key[kKeyBytes], uint32_t pairings, bool reading_open) {
  memmove(key_, key, kKeyBytes);  // it may be this one
  Blake2s hash;
  hash.begin(kKeyIdBytes, key_, kKeyBytes);
  hash.add(kIdLabel, sizeof(kIdLabel));
  hash.finish(id_);
  pairings_ = pairings;
  reading_open_ = reading_open;
}

void DeviceKey::unpair() {
  wipe(key_, sizeof(key_));
  memset(id_, 0, sizeof(id_));
  pairings_ = 0;
  reading_open_ = true;
}

}  // namespace tinyol
