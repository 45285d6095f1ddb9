// CRC-32 as in IEEE 802.3 and zlib: reflected polynomial 0xEDB88320, start and final XOR all ones.
#pragma once

#include <stdint.h>

namespace tinyol {

// Continue a checksum by passing the one of the bytes before; start with 0.
uint32_t crc32(const void* data, uint32_t length, uint32_t previous = 0);

}  // namespace tinyol
