#include "tinyol/class_table.h"

#include <string.h>

#include "tinyol/name_rules.h"

namespace tinyol {

Status check_class_name(const char* name, uint32_t length) {
  return check_name(name, length, kMaxNameBytes);
}

int ClassTable::find(const char* name, uint32_t length) const {
  if (length > kMaxNameBytes) return -1;
  for (uint16_t i = 0; i < size; ++i) {
    if (names[i][length] == '\0' && memcmp(names[i], name, length) == 0) return i;
  }
  return -1;
}

Status ClassTable::check_new(const char* name, uint32_t length, Refusal* refusal) const {
  if (check_class_name(name, length) != Status::kOk) {
    return refuse(refusal, Status::kBadName, "class name", kMaxNameBytes, length);
  }
  if (find(name, length) >= 0) return refuse(refusal, Status::kExists, "class name");
  if (size >= limit) return refuse(refusal, Status::kFull, "classes", size + 1u, limit);
  return Status::kOk;
}

Status ClassTable::add(const char* name, uint32_t length, uint16_t* index, Refusal* refusal) {
  const Status status = check_new(name, length, refusal);
  if (status != Status::kOk) return status;
  memset(names[size], 0, sizeof(names[size]));
  memcpy(names[size], name, length);
  *index = size++;
  return Status::kOk;
}

Status ClassTable::rename(uint16_t index, const char* name, uint32_t length, Refusal* refusal) {
  if (index >= size) return refuse(refusal, Status::kNotFound, "class", index, size);
  if (check_class_name(name, length) != Status::kOk) {
    return refuse(refusal, Status::kBadName, "class name", kMaxNameBytes, length);
  }
  const int other = find(name, length);
  if (other >= 0 && other != index) return refuse(refusal, Status::kExists, "class name");
  memset(names[index], 0, sizeof(names[index]));
  memcpy(names[index], name, length);
  return Status::kOk;
}

Status ClassTable::remove(uint16_t index) {
  if (index >= size) return Status::kNotFound;
  for (uint16_t i = index; i + 1 < size; ++i) memcpy(names[i], names[i + 1], sizeof(names[i]));
  --size;
  memset(names[size], 0, sizeof(names[size]));
  return Status::kOk;
}

void ClassTable::write(ByteWriter* out) const {
  out->u16(size);
  out->u16(0);
  for (uint16_t i = 0; i < size; ++i) out->bytes(names[i], sizeof(names[i]));
}

Status ClassTable::read(ByteReader* in, uint16_t limit, ClassTable* into, uint16_t* count,
                        Refusal* refusal) {
  *count = in->u16();
  if (in->u16() != 0) return refuse(refusal, Status::kMalformed, "CLAS");
  if (*count > limit) return refuse(refusal, Status::kFull, "classes", *count, limit);
  const uint8_t* first = in->bytes(*count * (kMaxNameBytes + 1));
  if (first == nullptr) return refuse(refusal, Status::kTruncated, "CLAS");
  for (uint16_t i = 0; i < *count; ++i) {
    const char* name = reinterpret_cast<const char*>(first) + i * (kMaxNameBytes + 1);
    uint32_t length = 0;
    while (length <= kMaxNameBytes && name[length] != '\0') ++length;
    if (check_class_name(name, length) != Status::kOk) {
      return refuse(refusal, Status::kBadName, "CLAS name", 0, i);
    }
    for (uint32_t k = length; k <= kMaxNameBytes; ++k) {
      if (name[k] != '\0') return refuse(refusal, Status::kBadName, "CLAS name", 0, i);
    }
    for (uint16_t other = 0; other < i; ++other) {
      if (memcmp(first + other * (kMaxNameBytes + 1), name, kMaxNameBytes + 1) == 0) {
        return refuse(refusal, Status::kExists, "CLAS name", other, i);
      }
    }
  }
  if (into != nullptr) {
    *into = ClassTable();
    into->limit = limit;
    into->size = *count;
    memcpy(into->names, first, *count * (kMaxNameBytes + 1));
  }
  return Status::kOk;
}

}  // namespace tinyol
