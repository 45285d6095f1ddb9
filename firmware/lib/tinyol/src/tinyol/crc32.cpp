#include "tinyol/crc32.h"

namespace tinyol {
namespace {

// One entry a nibble: 64 bytes of flash instead of 1 KB, at half the speed of a byte table.
constexpr uint32_t kNibble[16] = {0x00000000u, 0x1DB71064u, 0x3B6E20C8u, 0x26D930ACu,
                                  0x76DC4190u, 0x6B6B51F4u, 0x4DB26158u, 0x5005713Cu,
                                  0xEDB88320u, 0xF00F9344u, 0xD6D6A3E8u, 0xCB61B38Cu,
                                  0x9B64C2B0u, 0x86D3D2D4u, 0xA00AE278u, 0xBDBDF21Cu};

}  // namespace

uint32_t crc32(const void* data, uint32_t length, uint32_t previous) {
  const uint8_t* p = static_cast<const uint8_t*>(data);
  uint32_t crc = ~previous;
  for (uint32_t i = 0; i < length; ++i) {
    crc ^= p[i];
    crc = (crc >> 4) ^ kNibble[crc & 15u];
    crc = (crc >> 4) ^ kNibble[crc & 15u];
  }
  return ~crc;
}

}  // namespace tinyol
