#include "tinyol/fp_contract.h"

#include "tinyol/bytes.h"

#include <string.h>

#include "tinyol/float_math.h"

namespace tinyol {

const uint8_t* ByteReader::bytes(uint32_t n) {
  if (!ok_ || n > remaining()) {
    ok_ = false;
    return nullptr;
  }
  const uint8_t* at = data_ + position_;
  position_ += n;
  return at;
}

uint8_t ByteReader::u8() {
  const uint8_t* p = bytes(1);
  return p != nullptr ? p[0] : 0;
}

uint16_t ByteReader::u16() {
  const uint8_t* p = bytes(2);
  return p != nullptr ? static_cast<uint16_t>(p[0] | (p[1] << 8)) : 0;
}

uint32_t ByteReader::u32() {
  const uint8_t* p = bytes(4);
  if (p == nullptr) return 0;
  return static_cast<uint32_t>(p[0]) | (static_cast<uint32_t>(p[1]) << 8) |
         (static_cast<uint32_t>(p[2]) << 16) | (static_cast<uint32_t>(p[3]) << 24);
}

uint64_t ByteReader::u64() {
  const uint64_t low = u32();
  const uint64_t high = u32();
  return low | (high << 32);
}

float ByteReader::f32() {
  return float_from_bits(u32());
}

float ByteReader::finite_f32() {
  const float value = f32();
  if (!is_finite_f32(value)) fail();
  return value;
}

float ByteReader::bounded_f32(float limit) {
  const float value = f32();
  if (!(value <= limit && value >= -limit)) fail();
  return value;
}

ByteReader ByteReader::sub(uint32_t n) {
  const uint8_t* p = bytes(n);
  if (p != nullptr) return ByteReader(p, n);
  ByteReader failed;
  failed.fail();
  return failed;
}

void ByteWriter::bytes(const void* data, uint32_t n) {
  if (!ok_ || n > capacity_ - length_) {
    ok_ = false;
    return;
  }
  if (n > 0) memcpy(data_ + length_, data, n);  // nothing may come from nowhere
  length_ += n;
}

void ByteWriter::u8(uint8_t value) {
  bytes(&value, 1);
}

void ByteWriter::u16(uint16_t value) {
  const uint8_t b[2] = {static_cast<uint8_t>(value), static_cast<uint8_t>(value >> 8)};
  bytes(b, 2);
}

void ByteWriter::u32(uint32_t value) {
  const uint8_t b[4] = {static_cast<uint8_t>(value), static_cast<uint8_t>(value >> 8),
                        static_cast<uint8_t>(value >> 16), static_cast<uint8_t>(value >> 24)};
  bytes(b, 4);
}

void ByteWriter::u64(uint64_t value) {
  u32(static_cast<uint32_t>(value));
  u32(static_cast<uint32_t>(value >> 32));
}

void ByteWriter::f32(float value) {
  u32(bits_from_float(value));
}

void ByteWriter::f32s(const float* values, uint32_t n) {
  for (uint32_t i = 0; i < n; ++i) f32(values[i]);
}

void ByteWriter::patch_u32(uint32_t at, uint32_t value) {
  if (!ok_ || at + 4 > length_) {
    ok_ = false;
    return;
  }
  for (uint32_t i = 0; i < 4; ++i) data_[at + i] = static_cast<uint8_t>(value >> (8 * i));
}

}  // namespace tinyol
