// Reads tables and vectors of a FlatBuffer from bytes that nobody has checked: whatever lies
// outside them reads as absent, and ok() is false from then on. (The format: flatbuffers.dev,
// "Internals". FlatBuffers' own verifier takes 10 KB of flash for every table that the schema
// knows, and says nothing of indices, types and shapes.)
#pragma once

#include <stdint.h>

namespace tinyol {

struct FlatVector {
  uint32_t first = 0;  // place of the first element; 0: the vector is absent
  uint32_t count = 0;
};

// A place is an offset from the first byte; 0 stands for what is absent. A slot is a field's
// number in its table, from 0. Absent fields have the default, as the format says.
class FlatReader {
 public:
  FlatReader(const uint8_t* bytes, uint32_t length) : bytes_(bytes), length_(length) {}

  bool ok() const { return ok_; }

  uint32_t root();
  bool has(uint32_t table, int slot);
  uint8_t u8(uint32_t table, int slot);                                 // default 0
  uint32_t u32(uint32_t table, int slot, uint32_t default_value = 0);   // or an int32's bits
  uint64_t u64(uint32_t table, int slot);                               // default 0
  uint32_t table(uint32_t table, int slot);                             // a table in a field
  FlatVector vector(uint32_t table, int slot, uint32_t element_bytes);  // of numbers or offsets
  FlatVector string(uint32_t table, int slot);                          // zero-terminated

  // Elements, index < vector.count, of a vector with such elements.
  uint32_t table_at(const FlatVector& vector, uint32_t index);
  int32_t i32_at(const FlatVector& vector, uint32_t index) const;
  int64_t i64_at(const FlatVector& vector, uint32_t index) const;
  float f32_at(const FlatVector& vector, uint32_t index) const;

 private:
  bool within(uint32_t place, uint32_t n_bytes, uint32_t alignment);
  uint32_t field(uint32_t table, int slot, uint32_t n_bytes);
  uint32_t follow(uint32_t place);
  uint32_t load(uint32_t place, uint32_t n_bytes) const;

  const uint8_t* bytes_;
  uint32_t length_;
  bool ok_ = true;
};

}  // namespace tinyol
