// The envelope that the model image and the state image share (docs/state-image.md):
//   u8[4] magic, u16 format version, u16 arithmetic version, u8[8] model id, u32 total length,
//   then sections (u8[4] tag, u32 payload length, payload), then u32 CRC-32 of all before it.
#pragma once

#include <stdint.h>

#include "tinyol/bytes.h"
#include "tinyol/status.h"

namespace tinyol {

// Changes when any bit of any result of the core's arithmetic does: two images of different
// arithmetic versions are never compared or mixed.
constexpr uint16_t kArithmeticVersion = 1;
constexpr uint16_t kModelFormat = 3;
constexpr uint16_t kStateFormat = 2;

constexpr uint32_t kImageHeaderBytes = 20;
constexpr uint32_t kSectionHeaderBytes = 8;
constexpr uint32_t kImageCrcBytes = 4;
constexpr uint32_t kModelIdBytes = 8;

constexpr uint32_t tag4(char a, char b, char c, char d) {
  return static_cast<uint32_t>(static_cast<uint8_t>(a)) |
         (static_cast<uint32_t>(static_cast<uint8_t>(b)) << 8) |
         (static_cast<uint32_t>(static_cast<uint8_t>(c)) << 16) |
         (static_cast<uint32_t>(static_cast<uint8_t>(d)) << 24);
}

constexpr uint32_t kModelMagic = tag4('T', 'O', 'L', 'M');
constexpr uint32_t kStateMagic = tag4('T', 'O', 'L', 'S');

struct Section {
  uint32_t tag = 0;
  ByteReader payload;
};

class ImageReader {
 public:
  // Checks magic, versions, length and CRC; next() then hands out the sections.
  Status open(const uint8_t* data, uint32_t length, uint32_t magic, uint16_t format,
              Refusal* refusal);
  const uint8_t* model_id() const { return model_id_; }
  bool at_end() const { return body_.remaining() == 0; }
  Status next(Section* section, Refusal* refusal);

 private:
  const uint8_t* model_id_ = nullptr;
  ByteReader body_;
};

class ImageWriter {
 public:
  ImageWriter(uint8_t* data, uint32_t capacity) : out_(data, capacity), data_(data) {}
  void begin(uint32_t magic, uint16_t format, const uint8_t* model_id);
  ByteWriter* begin_section(uint32_t tag);
  void end_section();
  uint32_t finish();  // total bytes; 0 when the buffer was too small

 private:
  ByteWriter out_;
  uint8_t* data_;
  uint32_t section_at_ = 0;
};

// The tag as text, for messages: 4 characters and a zero.
void tag_text(uint32_t tag, char text[5]);

}  // namespace tinyol
