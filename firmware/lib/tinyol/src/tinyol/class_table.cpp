#include "tinyol/class_table.h"

#include <string.h>

namespace tinyol {
namespace {

// Decodes one character; returns its length in bytes, 0 if the bytes are not UTF-8 (RFC 3629:
// no overlong forms, no surrogates, nothing above U+10FFFF).
uint32_t decode_utf8(const uint8_t* s, uint32_t n, uint32_t* code) {
  const uint8_t lead = s[0];
  if (lead < 0x80) {
    *code = lead;
    return 1;
  }
  uint32_t length;
  uint32_t smallest;
  if ((lead & 0xE0) == 0xC0) {
    length = 2;
    smallest = 0x80;
    *code = lead & 0x1Fu;
  } else if ((lead & 0xF0) == 0xE0) {
    length = 3;
    smallest = 0x800;
    *code = lead & 0x0Fu;
  } else if ((lead & 0xF8) == 0xF0) {
    length = 4;
    smallest = 0x10000;
    *code = lead & 0x07u;
  } else {
    return 0;
  }
  if (length > n) return 0;
  for (uint32_t i = 1; i < length; ++i) {
    if ((s[i] & 0xC0) != 0x80) return 0;
    *code = (*code << 6) | (s[i] & 0x3Fu);
  }
  const bool surrogate = *code >= 0xD800 && *code <= 0xDFFF;
  return *code < smallest || *code > 0x10FFFF || surrogate ? 0 : length;
}

bool is_printable(uint32_t code) {
  if (code < 0x20 || (code >= 0x7F && code <= 0x9F)) return false;
  const bool line_break = code == 0x2028 || code == 0x2029;
  const bool direction = (code >= 0x200E && code <= 0x200F) || (code >= 0x202A && code <= 0x202E) ||
                         (code >= 0x2066 && code <= 0x2069) || code == 0x061C;
  return !line_break && !direction && code != 0xFEFF;
}

}  // namespace

Status check_class_name(const char* name, uint32_t length) {
  if (length == 0 || length > kMaxNameBytes) return Status::kBadName;
  const uint8_t* bytes = reinterpret_cast<const uint8_t*>(name);
  for (uint32_t i = 0; i < length;) {
    uint32_t code = 0;
    const uint32_t step = decode_utf8(bytes + i, length - i, &code);
    if (step == 0 || !is_printable(code)) return Status::kBadName;
    i += step;
  }
  return Status::kOk;
}

int ClassTable::find(const char* name, uint32_t length) const {
  if (length > kMaxNameBytes) return -1;
  for (uint16_t i = 0; i < size; ++i) {
    if (names[i][length] == '\0' && memcmp(names[i], name, length) == 0) return i;
  }
  return -1;
}

Status ClassTable::add(const char* name, uint32_t length, uint16_t* index, Refusal* refusal) {
  if (check_class_name(name, length) != Status::kOk) {
    return refuse(refusal, Status::kBadName, "class name", kMaxNameBytes, length);
  }
  if (find(name, length) >= 0) return refuse(refusal, Status::kExists, "class name");
  if (size >= limit) return refuse(refusal, Status::kFull, "classes", size + 1u, limit);
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
