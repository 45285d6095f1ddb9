// A line of text put together in a buffer of the caller's; what does not fit is cut off.
#pragma once

#include <stdint.h>

namespace tinyol {
namespace nano33ble {

class TextLine {
 public:
  // `out` is zero-terminated from here on. capacity: at least 1.
  TextLine(char* out, uint32_t capacity);

  TextLine& text(const char* text);
  TextLine& decimal(uint32_t value);
  TextLine& hex(uint32_t value, int digits = 8);  // "0x" and so many digits

 private:
  void put(char c);

  char* out_;
  uint32_t left_;
};

}  // namespace nano33ble
}  // namespace tinyol
