// Messages on a byte stream: message, CRC-32, both in COBS (Cheshire and Baker, IEEE/ACM
// Transactions on Networking 7(2), 1999), then a zero. A zero is never inside a frame, so a
// receiver that lost its place finds it again at the next one.
#pragma once

#include <stdint.h>

#include "tinyol/message.h"

namespace tinyol {

constexpr uint32_t kFrameCrcBytes = 4;
constexpr uint32_t kMaxFrameBytes =
    kMaxMessageBytes + kFrameCrcBytes + (kMaxMessageBytes + kFrameCrcBytes) / 254 + 2;

// Bytes written to `frame` (room for kMaxFrameBytes), the closing zero included; 0 if the message
// is too long.
uint32_t encode_frame(const uint8_t* message, uint32_t length, uint8_t* frame);

// Takes a stream byte by byte.
class FrameParser {
 public:
  // True when this byte completes a good frame: message() and length() then hold its message
  // until the next push.
  bool push(uint8_t byte);

  const uint8_t* message() const { return buffer_; }
  uint32_t length() const { return length_; }
  uint32_t bad_frames() const { return bad_frames_; }  // wrong COBS or CRC, or too long

 private:
  bool finish();
  void start();

  uint8_t buffer_[kMaxMessageBytes + kFrameCrcBytes] = {};
  uint32_t filled_ = 0;
  uint32_t length_ = 0;
  uint32_t bad_frames_ = 0;
  uint8_t left_ = 0;       // data bytes until the next code byte
  bool zero_due_ = false;  // the block that ends owes a zero
  bool empty_ = true;      // nothing since the last zero
  bool broken_ = false;    // skip to the next zero
};

}  // namespace tinyol
