#include "bmi270_fifo.h"

namespace tinyol {
namespace nano33ble {
namespace {

constexpr uint8_t kAccelerometer = 0x84;
constexpr uint8_t kSkip = 0x40;
constexpr uint8_t kSensorTime = 0x44;
constexpr uint8_t kConfiguration = 0x48;
constexpr uint8_t kOverRead = 0x80;  // nothing more in the FIFO
constexpr uint8_t kInterruptTags = 0x03;

// Bytes behind a header; 0 = no header of ours.
uint32_t payload_bytes(uint8_t header) {
  switch (header) {
    case kAccelerometer:
      return 6;
    case kSkip:
      return 1;
    case kSensorTime:
      return 3;
    case kConfiguration:
      return 4;
    default:
      return 0;
  }
}

int16_t little_endian(const uint8_t* bytes) {
  return static_cast<int16_t>(static_cast<uint16_t>(bytes[0] | bytes[1] << 8));
}

}  // namespace

uint32_t Bmi270Fifo::parse(const uint8_t* bytes, uint32_t length, Bmi270Frame* frames,
                           uint32_t capacity) {
  uint32_t n = 0;
  uint32_t at = 0;
  while (at < length && n < capacity) {
    const uint8_t header = static_cast<uint8_t>(bytes[at] & ~kInterruptTags);
    if (header == kOverRead) break;
    const uint32_t payload = payload_bytes(header);
    if (payload == 0) {
      if (unknown_ != 0xFFFFFFFFu) ++unknown_;
      break;
    }
    if (length - at < 1 + payload) break;
    const uint8_t* body = bytes + at + 1;
    if (header == kSkip) {
      lost_ = static_cast<uint16_t>(lost_ > 0xFFFFu - body[0] ? 0xFFFFu : lost_ + body[0]);
    } else if (header == kAccelerometer) {
      frames[n] = {{little_endian(body), little_endian(body + 2), little_endian(body + 4)}, lost_};
      lost_ = 0;
      ++n;
    }
    at += 1 + payload;
  }
  return n;
}

}  // namespace nano33ble
}  // namespace tinyol
