#include "tinyol/image.h"

#include "tinyol/crc32.h"

namespace tinyol {

void tag_text(uint32_t tag, char text[5]) {
  for (int i = 0; i < 4; ++i) {
    const uint8_t c = static_cast<uint8_t>(tag >> (8 * i));
    text[i] = c >= 0x20 && c < 0x7F ? static_cast<char>(c) : '?';
  }
  text[4] = '\0';
}

Status ImageReader::open(const uint8_t* data, uint32_t length, uint32_t magic, uint16_t format,
                         Refusal* refusal) {
  ByteReader in(data, length);
  const uint32_t found_magic = in.u32();
  const uint16_t found_format = in.u16();
  const uint16_t arithmetic = in.u16();
  model_id_ = in.bytes(kModelIdBytes);
  const uint32_t total = in.u32();
  if (length >= 4 && found_magic != magic) return refuse(refusal, Status::kBadMagic, "magic");
  if (!in.ok() || length < kImageHeaderBytes + kImageCrcBytes) {
    return refuse(refusal, Status::kTruncated, "header", kImageHeaderBytes + kImageCrcBytes,
                  length);
  }
  if (found_format != format) {
    return refuse(refusal, Status::kBadVersion, "format version", format, found_format);
  }
  if (total != length) return refuse(refusal, Status::kTruncated, "length", total, length);
  ByteReader crc_in(data + length - kImageCrcBytes, kImageCrcBytes);
  if (crc_in.u32() != crc32(data, length - kImageCrcBytes)) {
    return refuse(refusal, Status::kBadChecksum, "CRC-32");
  }
  if (arithmetic != kArithmeticVersion) {
    return refuse(refusal, Status::kBadVersion, "arithmetic version", kArithmeticVersion,
                  arithmetic);
  }
  body_ = ByteReader(data + kImageHeaderBytes, length - kImageHeaderBytes - kImageCrcBytes);
  return Status::kOk;
}

Status ImageReader::next(Section* section, Refusal* refusal) {
  section->tag = body_.u32();
  const uint32_t length = body_.u32();
  if (!body_.ok() || length > body_.remaining()) {
    return refuse(refusal, Status::kTruncated, "section", length, body_.remaining());
  }
  section->payload = body_.sub(length);
  return Status::kOk;
}

void ImageWriter::begin(uint32_t magic, uint16_t format, const uint8_t* model_id) {
  out_.u32(magic);
  out_.u16(format);
  out_.u16(kArithmeticVersion);
  out_.bytes(model_id, kModelIdBytes);
  out_.u32(0);
}

ByteWriter* ImageWriter::begin_section(uint32_t tag) {
  out_.u32(tag);
  section_at_ = out_.length();
  out_.u32(0);
  return &out_;
}

void ImageWriter::end_section() {
  out_.patch_u32(section_at_, out_.length() - section_at_ - 4);
}

uint32_t ImageWriter::finish() {
  constexpr uint32_t kLengthAt = kImageHeaderBytes - 4;
  out_.patch_u32(kLengthAt, out_.length() + kImageCrcBytes);
  if (!out_.ok()) return 0;
  out_.u32(crc32(data_, out_.length()));
  return out_.ok() ? out_.length() : 0;
}

}  // namespace tinyol
