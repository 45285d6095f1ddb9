#include "notice.h"

#include "uart.h"

namespace tinyol {
namespace emulator {
namespace {

constexpr uint8_t kZero = 0;

}  // namespace

Notice::Notice(const char* word) {
  uart_write(&kZero, 1);  // closes whatever frame a fault cut short
  text("TINYOL ").text(word).text(" ");
}

Notice::~Notice() {
  uart_write(&kZero, 1);
}

Notice& Notice::text(const char* text) {
  for (; *text != '\0'; ++text) uart_write(reinterpret_cast<const uint8_t*>(text), 1);
  return *this;
}

Notice& Notice::decimal(int32_t value) {
  char digits[12];
  char* at = digits + sizeof(digits) - 1;
  *at = '\0';
  uint32_t rest = value < 0 ? 0u - static_cast<uint32_t>(value) : static_cast<uint32_t>(value);
  do {
    *--at = static_cast<char>('0' + rest % 10);
    rest /= 10;
  } while (rest != 0);
  if (value < 0) *--at = '-';
  return text(at);
}

Notice& Notice::hex(uint32_t value) {
  char digits[11] = "0x";
  for (int i = 0; i < 8; ++i) digits[2 + i] = "0123456789abcdef"[(value >> (28 - 4 * i)) & 15];
  digits[10] = '\0';
  return text(digits);
}

}  // namespace emulator
}  // namespace tinyol
