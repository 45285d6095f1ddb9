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

struct Range {
  uint32_t first;
  uint32_t last;
};

// What a terminal obeys, or does not show, by Unicode's categories Cc, Cf, Co, Zl, Zp, Zs (but for
// the plain space), the fillers that look like a space, and what is no character at all.
constexpr Range kUnseen[] = {
    {0x0000, 0x001F},   {0x007F, 0x00A0},    {0x00AD, 0x00AD},   {0x034F, 0x034F},
    {0x0600, 0x0605},   {0x061C, 0x061C},    {0x06DD, 0x06DD},   {0x070F, 0x070F},
    {0x0890, 0x0891},   {0x08E2, 0x08E2},    {0x115F, 0x1160},   {0x1680, 0x1680},
    {0x17B4, 0x17B5},   {0x180B, 0x180F},    {0x2000, 0x200F},   {0x2028, 0x202F},
    {0x205F, 0x206F},   {0x3000, 0x3000},    {0x3164, 0x3164},   {0xE000, 0xF8FF},
    {0xFDD0, 0xFDEF},   {0xFEFF, 0xFEFF},    {0xFFA0, 0xFFA0},   {0xFFF0, 0xFFFB},
    {0x110BD, 0x110BD}, {0x110CD, 0x110CD},  {0x13430, 0x1343F}, {0x1BCA0, 0x1BCA3},
    {0x1D173, 0x1D17A}, {0xE0000, 0x10FFFF},
};

// Marks that are drawn onto the character before them, in as many storeys as there are.
constexpr Range kMarks[] = {
    {0x0300, 0x036F}, {0x0483, 0x0489}, {0x0591, 0x05BD}, {0x0610, 0x061A}, {0x064B, 0x065F},
    {0x0E31, 0x0E31}, {0x0E34, 0x0E3A}, {0x0E47, 0x0E4E}, {0x1AB0, 0x1AFF}, {0x1DC0, 0x1DFF},
    {0x20D0, 0x20FF}, {0x302A, 0x302F}, {0x3099, 0x309A}, {0xFE00, 0xFE0F}, {0xFE20, 0xFE2F},
};
constexpr uint32_t kMostMarks = 2;  // on one character, as Vietnamese and Thai need

template <uint32_t n>
bool among(const Range (&ranges)[n], uint32_t code) {
  for (const Range& range : ranges) {
    if (code >= range.first && code <= range.last) return true;
  }
  return false;
}

}  // namespace

Status check_name(const char* name, uint32_t length, uint32_t most) {
  if (length == 0 || length > most) return Status::kBadName;
  const uint8_t* bytes = reinterpret_cast<const uint8_t*>(name);
  if (bytes[0] == ' ' || bytes[length - 1] == ' ') return Status::kBadName;
  uint32_t marks = kMostMarks;  // none stands first
  for (uint32_t i = 0; i < length;) {
    uint32_t code = 0;
    const uint32_t step = decode_utf8(bytes + i, length - i, &code);
    if (step == 0 || among(kUnseen, code) || (code & 0xFFFE) == 0xFFFE) return Status::kBadName;
    marks = among(kMarks, code) ? marks + 1 : 0;
    if (marks > kMostMarks) return Status::kBadName;
    i += step;
  }
  return Status::kOk;
}

}  // namespace tinyol
