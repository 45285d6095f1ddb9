// The classes a person has named, in the order in which they were added.
#pragma once

#include <stdint.h>

#include "tinyol/bytes.h"
#include "tinyol/capacity.h"
#include "tinyol/status.h"

namespace tinyol {

constexpr uint32_t kMaxNameBytes = 15;

// A class name is 1 to 15 bytes; name_rules.h says of what.
Status check_class_name(const char* name, uint32_t length);

struct ClassTable {
  uint16_t size = 0;
  uint16_t limit = 0;                               // from the model, at most kMaxClasses
  char names[kMaxClasses][kMaxNameBytes + 1] = {};  // padded with zeros

  int find(const char* name, uint32_t length) const;  // index, or -1

  // Whether add() would take it.
  Status check_new(const char* name, uint32_t length, Refusal* refusal = nullptr) const;
  // On success *index is the new class: always `size` before the call.
  Status add(const char* name, uint32_t length, uint16_t* index, Refusal* refusal = nullptr);
  Status rename(uint16_t index, const char* name, uint32_t length, Refusal* refusal = nullptr);
  Status remove(uint16_t index);  // classes behind it move up by one

  // Section payload: u16 count, u16 0, then 16 bytes a name.
  void write(ByteWriter* out) const;
  static Status read(ByteReader* in, uint16_t limit, ClassTable* into, uint16_t* count,
                     Refusal* refusal);
};

}  // namespace tinyol
