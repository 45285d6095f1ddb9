#include "tinyol/name_rules.h"

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

Status check_name(const char* name, uint32_t length, uint32_t most) {
  if (length == 0 || length > most) return Status::kBadName;
  const uint8_t* bytes = reinterpret_cast<const uint8_t*>(name);
  for (uint32_t i = 0; i < length;) {
    uint32_t code = 0;
    const uint32_t step = decode_utf8(bytes + i, length - i, &code);
    if (step == 0 || !is_printable(code)) return Status::kBadName;
    i += step;
  }
  return Status::kOk;
}

}  // namespace tinyol
