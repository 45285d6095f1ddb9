#include "text_line.h"

namespace tinyol {
namespace nano33ble {

TextLine::TextLine(char* out, uint32_t capacity) : out_(out), left_(capacity) {
  *out_ = '\0';
}

void TextLine::put(char c) {
  if (left_ <= 1) return;
  *out_++ = c;
  *out_ = '\0';
  --left_;
}

TextLine& TextLine::text(const char* text) {
  for (; *text != '\0'; ++text) put(*text);
  return *this;
}

TextLine& TextLine::decimal(uint32_t value) {
  char digits[10];
  int n = 0;
  do {
    digits[n++] = static_cast<char>('0' + value % 10);
    value /= 10;
  } while (value != 0);
  while (n > 0) put(digits[--n]);
  return *this;
}

TextLine& TextLine::hex(uint32_t value, int digits) {
  text("0x");
  for (int i = digits - 1; i >= 0; --i) put("0123456789abcdef"[(value >> (4 * i)) & 15]);
  return *this;
}

}  // namespace nano33ble
}  // namespace tinyol
