// Little-endian reading and writing with bounds kept: what the model image, the state image and
// the wire protocol are made of. A reader or writer that ran out stays failed; check ok() once.
#pragma once

#include <stdint.h>

namespace tinyol {

class ByteReader {
 public:
  ByteReader() = default;
  ByteReader(const uint8_t* data, uint32_t length) : data_(data), length_(length) {}

  bool ok() const { return ok_; }
  uint32_t position() const { return position_; }
  uint32_t remaining() const { return length_ - position_; }
  const uint8_t* here() const { return data_ + position_; }

  uint8_t u8();
  uint16_t u16();
  uint32_t u32();
  uint64_t u64();
  float f32();
  float finite_f32();                // fails on NaN and infinity
  float bounded_f32(float limit);    // fails unless |value| <= limit
  const uint8_t* bytes(uint32_t n);  // nullptr when fewer are left
  ByteReader sub(uint32_t n);        // the next n bytes as a reader of their own
  void fail() { ok_ = false; }

 private:
  const uint8_t* data_ = nullptr;
  uint32_t length_ = 0;
  uint32_t position_ = 0;
  bool ok_ = true;
};

class ByteWriter {
 public:
  ByteWriter(uint8_t* data, uint32_t capacity) : data_(data), capacity_(capacity) {}

  bool ok() const { return ok_; }
  uint32_t length() const { return length_; }
  uint32_t remaining() const { return capacity_ - length_; }

  void u8(uint8_t value);
  void u16(uint16_t value);
  void u32(uint32_t value);
  void u64(uint64_t value);
  void f32(float value);
  void f32s(const float* values, uint32_t n);
  void bytes(const void* data, uint32_t n);
  void patch_u32(uint32_t at, uint32_t value);  // overwrites what was written before

 private:
  uint8_t* data_;
  uint32_t capacity_;
  uint32_t length_ = 0;
  bool ok_ = true;
};

}  // namespace tinyol
