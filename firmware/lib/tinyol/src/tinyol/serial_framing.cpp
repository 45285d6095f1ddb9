#include "tinyol/serial_framing.h"

#include "tinyol/count_up.h"
#include "tinyol/crc32.h"

namespace tinyol {
namespace {

// Writes COBS blocks: a code byte says how many bytes follow before the next zero.
class CobsWriter {
 public:
  explicit CobsWriter(uint8_t* out) : out_(out) {}

  void put(uint8_t byte) {
    if (byte != 0) {
      out_[length_++] = byte;
      if (++code_ == 0xFF) close();
    } else {
      close();
    }
  }

  uint32_t finish() {
    out_[code_at_] = code_;
    out_[length_++] = 0;
    return length_;
  }

 private:
  void close() {
    out_[code_at_] = code_;
    code_at_ = length_++;
    code_ = 1;
  }

  uint8_t* out_;
  uint32_t length_ = 1;
  uint32_t code_at_ = 0;
  uint8_t code_ = 1;
};

}  // namespace

uint32_t encode_frame(const uint8_t* message, uint32_t length, uint8_t* frame) {
  if (length > kMaxMessageBytes) return 0;
  CobsWriter out(frame);
  for (uint32_t i = 0; i < length; ++i) out.put(message[i]);
  const uint32_t crc = crc32(message, length);
  for (uint32_t i = 0; i < kFrameCrcBytes; ++i) out.put(static_cast<uint8_t>(crc >> (8 * i)));
  return out.finish();
}

void FrameParser::start() {
  filled_ = 0;
  left_ = 0;
  zero_due_ = false;
  empty_ = true;
  broken_ = false;
}

bool FrameParser::finish() {
  if (empty_) return false;  // zeros between frames are no error
  bool good = !broken_ && left_ == 0 && filled_ >= kFrameCrcBytes;
  if (good) {
    length_ = filled_ - kFrameCrcBytes;
    uint32_t crc = 0;
    for (uint32_t i = 0; i < kFrameCrcBytes; ++i) {
      crc |= static_cast<uint32_t>(buffer_[length_ + i]) << (8 * i);
    }
    good = crc == crc32(buffer_, length_);
  }
  if (!good) count_up(&bad_frames_);
  return good;
}

bool FrameParser::push(uint8_t byte) {
  if (byte == 0) {
    const bool good = finish();
    start();
    return good;
  }
  empty_ = false;
  if (broken_) return false;
  if (left_ == 0) {  // a code byte
    if (zero_due_) {
      if (filled_ == sizeof(buffer_)) {
        broken_ = true;
        return false;
      }
      buffer_[filled_++] = 0;
    }
    left_ = static_cast<uint8_t>(byte - 1);
    zero_due_ = byte != 0xFF;
    return false;
  }
  --left_;
  if (filled_ == sizeof(buffer_)) {
    broken_ = true;
    return false;
  }
  buffer_[filled_++] = byte;
  return false;
}

}  // namespace tinyol
