#include "tflm_net/flat_reader.h"

#include <string.h>

namespace tinyol {
namespace {

constexpr uint32_t kFirstSlotAt = 4;  // in a vtable, behind its own size and the table's

}  // namespace

bool FlatReader::within(uint32_t place, uint32_t n_bytes, uint32_t alignment) {
  if (place % alignment != 0 || place > length_ || n_bytes > length_ - place) ok_ = false;
  return ok_;
}

// Little-endian; the caller has checked the place.
uint32_t FlatReader::load(uint32_t place, uint32_t n_bytes) const {
  uint32_t value = 0;
  for (uint32_t i = n_bytes; i-- > 0;) value = value << 8 | bytes_[place + i];
  return value;
}

// Where an offset leads: always forward, from the place that holds it.
uint32_t FlatReader::follow(uint32_t place) {
  if (!within(place, 4, 4)) return 0;
  const uint32_t offset = load(place, 4);
  if (offset == 0 || offset > length_ - place) {
    ok_ = false;
    return 0;
  }
  return place + offset;
}

uint32_t FlatReader::root() {
  return follow(0);
}

// Place of a table's field of so many bytes; 0 where the table leaves it out.
uint32_t FlatReader::field(uint32_t table, int slot, uint32_t n_bytes) {
  if (table == 0 || !within(table, 4, 4)) return 0;
  const uint32_t vtable = table - load(table, 4);  // modulo 2^32: the offset has a sign
  if (!within(vtable, kFirstSlotAt, 2)) return 0;
  const uint32_t vtable_bytes = load(vtable, 2), table_bytes = load(vtable + 2, 2);
  if (vtable_bytes < kFirstSlotAt) ok_ = false;
  if (!within(vtable, vtable_bytes, 2) || !within(table, table_bytes, 4)) return 0;
  const uint32_t at = kFirstSlotAt + 2 * static_cast<uint32_t>(slot);
  if (at + 2 > vtable_bytes) return 0;
  const uint32_t offset = load(vtable + at, 2);
  if (offset == 0) return 0;
  if (offset < 4 || offset + n_bytes > table_bytes) ok_ = false;
  return within(table + offset, n_bytes, n_bytes) ? table + offset : 0;
}

bool FlatReader::has(uint32_t table, int slot) {
  return field(table, slot, 1) != 0;
}

uint8_t FlatReader::u8(uint32_t table, int slot) {
  const uint32_t place = field(table, slot, 1);
  return place != 0 ? bytes_[place] : 0;
}

uint32_t FlatReader::u32(uint32_t table, int slot, uint32_t default_value) {
  const uint32_t place = field(table, slot, 4);
  return place != 0 ? load(place, 4) : default_value;
}

uint64_t FlatReader::u64(uint32_t table, int slot) {
  const uint32_t place = field(table, slot, 8);
  return place != 0 ? uint64_t{load(place + 4, 4)} << 32 | load(place, 4) : 0;
}

uint32_t FlatReader::table(uint32_t table, int slot) {
  const uint32_t place = field(table, slot, 4);
  const uint32_t found = place != 0 ? follow(place) : 0;
  field(found, 0, 1);  // it is a table, whatever it holds
  return ok_ ? found : 0;
}

FlatVector FlatReader::vector(uint32_t table, int slot, uint32_t element_bytes) {
  FlatVector vector;
  const uint32_t place = field(table, slot, 4);
  const uint32_t found = place != 0 ? follow(place) : 0;
  if (found == 0 || !within(found, 4, 4)) return vector;
  const uint32_t count = load(found, 4);
  if (count > length_ / element_bytes) ok_ = false;
  if (!ok_ || !within(found + 4, count * element_bytes, element_bytes)) return vector;
  vector.first = found + 4;
  vector.count = count;
  return vector;
}

FlatVector FlatReader::string(uint32_t table, int slot) {
  const FlatVector text = vector(table, slot, 1);
  if (text.first == 0 || !within(text.first + text.count, 1, 1)) return FlatVector();
  if (bytes_[text.first + text.count] != 0) ok_ = false;
  return text;
}

uint32_t FlatReader::table_at(const FlatVector& vector, uint32_t index) {
  const uint32_t found = follow(vector.first + 4 * index);
  field(found, 0, 1);
  return ok_ ? found : 0;
}

int32_t FlatReader::i32_at(const FlatVector& vector, uint32_t index) const {
  return static_cast<int32_t>(load(vector.first + 4 * index, 4));
}

int64_t FlatReader::i64_at(const FlatVector& vector, uint32_t index) const {
  const uint32_t place = vector.first + 8 * index;
  return static_cast<int64_t>(uint64_t{load(place + 4, 4)} << 32 | load(place, 4));
}

float FlatReader::f32_at(const FlatVector& vector, uint32_t index) const {
  const uint32_t bits = load(vector.first + 4 * index, 4);
  float value;
  memcpy(&value, &bits, sizeof(value));
  return value;
}

}  // namespace tinyol
