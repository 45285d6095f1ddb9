#include "tinyol/state_store.h"

#include <string.h>

#include "tinyol/bytes.h"
#include "tinyol/count_up.h"
#include "tinyol/crc32.h"

namespace tinyol {
namespace {

// Where the parts of a record's header are, in the order in which they are written.
constexpr uint32_t kErasesAt = 0;  // u32 and its complement, at once after the erase
constexpr uint32_t kRecordAt = 8;  // magic to CRC
constexpr uint32_t kCrcAt = 32;
constexpr uint32_t kCommitAt = 36;  // last

constexpr uint8_t kMagic[4] = {'T', 'O', 'L', 'R'};
constexpr uint8_t kCommitted[4] = {'D', 'O', 'N', 'E'};
constexpr uint32_t kChunkBytes = 64;

struct RecordHeader {
  bool known;  // false: no record of this format
  uint32_t sequence;
  uint32_t length;
  const uint8_t* model_id;
  uint32_t crc;
};

RecordHeader read_header(const uint8_t bytes[kRecordHeaderBytes]) {
  ByteReader in(bytes + kRecordAt, kRecordHeaderBytes - kRecordAt);
  const bool magic = memcmp(in.bytes(4), kMagic, 4) == 0;
  const uint16_t format = in.u16();
  in.u16();
  RecordHeader header;
  header.sequence = in.u32();
  header.length = in.u32();
  header.model_id = in.bytes(kModelIdBytes);
  header.crc = in.u32();
  header.known = magic && format == kRecordFormat && memcmp(in.bytes(4), kCommitted, 4) == 0;
  return header;
}

// 0 if the count was never written, or torn.
uint32_t read_erases(const uint8_t bytes[kRecordHeaderBytes]) {
  ByteReader in(bytes + kErasesAt, 8);
  const uint32_t erases = in.u32();
  return in.u32() == ~erases ? erases : 0;
}

}  // namespace

Status StateStore::begin(Flash* flash, const uint8_t model_id[kModelIdBytes],
                         uint32_t max_image_bytes, Refusal* refusal) {
  flash_ = flash;
  memcpy(model_id_, model_id, kModelIdBytes);
  const uint32_t page = flash->page_bytes();
  slot_pages_ = (kRecordHeaderBytes + max_image_bytes + page - 1) / page;
  n_slots_ = flash->n_pages() / slot_pages_;
  newest_ = last_ = kNoSlot;
  next_sequence_ = 1;
  wear_ = saves_ = 0;
  if (n_slots_ < 2) {
    n_slots_ = 0;
    return refuse(refusal, Status::kTooSmall, "flash", 2 * slot_pages_ * page,
                  flash->n_pages() * page);
  }

  uint32_t newest_sequence = 0;
  for (uint32_t slot = 0; slot < n_slots_; ++slot) {
    uint8_t bytes[kRecordHeaderBytes];
    if (flash_->read(slot_offset(slot), bytes, sizeof(bytes)) != Status::kOk) continue;
    const uint32_t erases = read_erases(bytes);
    if (erases > wear_) wear_ = erases;
    if (!is_whole(slot, bytes)) continue;
    const RecordHeader header = read_header(bytes);
    if (header.sequence >= next_sequence_) {
      next_sequence_ = header.sequence + 1;
      last_ = slot;
    }
    // A record of another model is passed over; its slot is written when its turn comes.
    const bool own = memcmp(header.model_id, model_id_, kModelIdBytes) == 0;
    if (own && header.sequence > newest_sequence) {
      newest_sequence = header.sequence;
      newest_ = slot;
    }
  }
  return Status::kOk;
}

bool StateStore::is_whole(uint32_t slot, const uint8_t bytes[kRecordHeaderBytes]) const {
  const RecordHeader header = read_header(bytes);
  const uint32_t most = slot_pages_ * flash_->page_bytes() - kRecordHeaderBytes;
  if (!header.known || header.sequence == 0 || header.length > most) return false;
  uint32_t crc = crc32(bytes, kCrcAt);
  uint32_t at = slot_offset(slot) + kRecordHeaderBytes;
  uint8_t chunk[kChunkBytes];
  for (uint32_t left = header.length; left > 0;) {
    const uint32_t n = left < kChunkBytes ? left : kChunkBytes;
    if (flash_->read(at, chunk, n) != Status::kOk) return false;
    crc = crc32(chunk, n, crc);
    at += n;
    left -= n;
  }
  return crc == header.crc;
}

Status StateStore::load(uint8_t* out, uint32_t capacity, uint32_t* length, Refusal* refusal) const {
  *length = 0;
  if (newest_ == kNoSlot) return refuse(refusal, Status::kNotFound, "saved state");
  const uint32_t offset = slot_offset(newest_);
  uint8_t bytes[kRecordHeaderBytes];
  if (flash_->read(offset, bytes, sizeof(bytes)) != Status::kOk) {
    return refuse(refusal, Status::kFlash, "flash");
  }
  const RecordHeader header = read_header(bytes);
  if (header.length > capacity) {
    return refuse(refusal, Status::kTooSmall, "staging", header.length, capacity);
  }
  if (flash_->read(offset + kRecordHeaderBytes, out, header.length) != Status::kOk) {
    return refuse(refusal, Status::kFlash, "flash");
  }
  // begin() has checked it; should the flash have changed its mind, nothing damaged gets through.
  if (crc32(out, header.length, crc32(bytes, kCrcAt)) != header.crc) {
    return refuse(refusal, Status::kBadChecksum, "saved state");
  }
  *length = header.length;
  return Status::kOk;
}

Status StateStore::save(const uint8_t* image, uint32_t length, Refusal* refusal) {
  if (n_slots_ == 0) return refuse(refusal, Status::kTooSmall, "flash");
  const uint32_t most = slot_pages_ * flash_->page_bytes() - kRecordHeaderBytes;
  if (length > most || length % 4 != 0) {
    return refuse(refusal, Status::kBadValue, "image", most, length);
  }
  uint32_t slot = last_;
  for (uint32_t tried = 0; tried < n_slots_; ++tried) {
    slot = slot == kNoSlot || slot + 1 == n_slots_ ? 0 : slot + 1;
    if (slot == newest_) continue;
    if (write_record(slot, image, length) != Status::kOk) continue;
    newest_ = last_ = slot;
    ++next_sequence_;
    count_up(&saves_);
    return Status::kOk;
  }
  return refuse(refusal, Status::kFlash, "flash");
}

Status StateStore::erase(Refusal* refusal) {
  const Status status = erase_others(refusal);
  if (status != Status::kOk || newest_ == kNoSlot) return status;
  if (erase_slot(newest_) != Status::kOk) return refuse(refusal, Status::kFlash, "flash");
  newest_ = kNoSlot;
  return Status::kOk;
}

Status StateStore::erase_others(Refusal* refusal) {
  for (uint32_t slot = 0; slot < n_slots_; ++slot) {
    if (slot == newest_ || erase_slot(slot) == Status::kOk) continue;
    return refuse(refusal, Status::kFlash, "flash");
  }
  // Behind the last slot a model with other slots may have a record.
  for (uint32_t page = n_slots_ * slot_pages_; page < flash_->n_pages(); ++page) {
    if (flash_->erase(page) != Status::kOk) return refuse(refusal, Status::kFlash, "flash");
  }
  return Status::kOk;
}

Status StateStore::erase_slot(uint32_t slot) {
  const uint32_t offset = slot_offset(slot);
  alignas(4) uint8_t count[kRecordHeaderBytes];
  Status status = flash_->read(offset, count, sizeof(count));
  if (status != Status::kOk) return status;
  uint32_t erases = read_erases(count);
  // Not known, since it is new or the power failed at the wrong moment: as often as its turn came.
  if (erases == 0) erases = (next_sequence_ - 1) / n_slots_;
  for (uint32_t i = 0; i < slot_pages_; ++i) {
    status = flash_->erase(slot * slot_pages_ + i);
    if (status != Status::kOk) return status;
  }
  count_up(&erases);
  if (erases > wear_) wear_ = erases;
  ByteWriter out(count, sizeof(count));
  out.u32(erases);
  out.u32(~erases);
  return write_checked(offset, count, kRecordAt);
}

Status StateStore::write_record(uint32_t slot, const uint8_t* image, uint32_t length) {
  Status status = erase_slot(slot);
  if (status != Status::kOk) return status;
  const uint32_t offset = slot_offset(slot);
  alignas(4) uint8_t header[kRecordHeaderBytes];
  status = flash_->read(offset, header, kRecordAt);
  if (status != Status::kOk) return status;

  ByteWriter out(header + kRecordAt, sizeof(header) - kRecordAt);
  out.bytes(kMagic, sizeof(kMagic));
  out.u16(kRecordFormat);
  out.u16(0);
  out.u32(next_sequence_);
  out.u32(length);
  out.bytes(model_id_, kModelIdBytes);
  out.u32(crc32(image, length, crc32(header, kCrcAt)));
  out.bytes(kCommitted, sizeof(kCommitted));

  status = write_checked(offset + kRecordAt, header + kRecordAt, kCommitAt - kRecordAt);
  if (status == Status::kOk) status = write_checked(offset + kRecordHeaderBytes, image, length);
  if (status != Status::kOk) return status;
  return write_checked(offset + kCommitAt, header + kCommitAt, sizeof(kCommitted));
}

Status StateStore::write_checked(uint32_t offset, const uint8_t* data, uint32_t length) {
  const Status status = flash_->write(offset, data, length);
  if (status != Status::kOk) return status;
  return holds(offset, data, length) ? Status::kOk : Status::kFlash;
}

bool StateStore::holds(uint32_t offset, const uint8_t* data, uint32_t length) const {
  uint8_t chunk[kChunkBytes];
  for (uint32_t at = 0; at < length; at += kChunkBytes) {
    const uint32_t n = length - at < kChunkBytes ? length - at : kChunkBytes;
    if (flash_->read(offset + at, chunk, n) != Status::kOk) return false;
    if (memcmp(chunk, data + at, n) != 0) return false;
  }
  return true;
}

}  // namespace tinyol
