// Takes the BMI270's FIFO apart (header mode; Bosch's BMI270 datasheet, section 4.5): frames of
// the accelerometer, and skip frames, in which the chip itself counts what it overwrote.
#pragma once

#include <stdint.h>

namespace tinyol {
namespace nano33ble {

struct Bmi270Frame {
  int16_t raw[3];        // x, y, z of the chip
  uint16_t lost_before;  // samples
};

class Bmi270Fifo {
 public:
  // Parses `length` bytes that were read from the FIFO. Returns the number of frames; a frame that
  // is cut off is left out, since the chip hands it out again, whole, at the next read.
  uint32_t parse(const uint8_t* bytes, uint32_t length, Bmi270Frame* frames, uint32_t capacity);

  // Bytes of headers that are none: the stream is out of step. Stops at 2^32 - 1.
  uint32_t unknown() const { return unknown_; }

 private:
  uint16_t lost_ = 0;  // told by skip frames, not yet by a sample
  uint32_t unknown_ = 0;
};

}  // namespace nano33ble
}  // namespace tinyol
