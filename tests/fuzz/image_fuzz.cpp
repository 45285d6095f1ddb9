// Fuzz target: state images and model images. Damage beyond the checksum is what is looked for, so
// length and CRC-32 are put right first. What is accepted must then work.
//
//   u8 header: bits 0-1 a state image of kept model 0 or 1, or (2, 3) a model image; bit 2 length
//   and checksum stay as they are; bit 3 so do magic, versions and model id
//   then the image
#include <string.h>

#include "check.h"
#include "fuzz_input.h"
#include "kept_models.h"
#include "state_checks.h"
#include "tinyol/crc32.h"
#include "tinyol/image.h"

namespace {

using tinyol::ByteWriter;
using tinyol::Device;
using tinyol::Model;
using tinyol::Refusal;
using tinyol::Status;
using tinyol::fuzz::AlignedBytes;
using tinyol::fuzz::Image;
using tinyol::fuzz::KeptModel;

constexpr uint32_t kLeastBytes = tinyol::kImageHeaderBytes + tinyol::kImageCrcBytes;
constexpr uint32_t kMostArenaBytes = 1 << 16;

// Magic, versions and model id as they should be.
void put_identity_right(AlignedBytes* image, bool is_model, const uint8_t* model_id) {
  ByteWriter out(image->data(), image->length());
  out.u32(is_model ? tinyol::kModelMagic : tinyol::kStateMagic);
  out.u16(is_model ? tinyol::kModelFormat : tinyol::kStateFormat);
  out.u16(tinyol::kArithmeticVersion);
  out.bytes(model_id, tinyol::kModelIdBytes);
}

void seal(AlignedBytes* image) {
  const uint32_t length = image->length();
  ByteWriter(image->data() + 16, 4).u32(length);
  ByteWriter(image->data() + length - 4, 4).u32(tinyol::crc32(image->data(), length - 4));
}

void try_state(KeptModel* kept, AlignedBytes* image) {
  static Device device;
  static Device other;
  for (Device* each : {&device, &other}) {
    FUZZ_CHECK(each->load(kept->model, &kept->net, nullptr) == Status::kOk);
  }
  const Image before = tinyol::fuzz::export_of(device);
  Refusal refusal;
  const Status status = device.import_state(image->data(), image->length(), &refusal);
  const Image after = tinyol::fuzz::export_of(device);
  if (status != Status::kOk) {
    FUZZ_CHECK(status == refusal.status && after == before);
    return;
  }
  // Not a byte of it is ignored.
  FUZZ_CHECK(after.size() == image->length() &&
             memcmp(after.data(), image->data(), after.size()) == 0);
  tinyol::fuzz::check_sound(device.state());
  tinyol::fuzz::check_same_future(after, &device, &other, 24);
  tinyol::fuzz::check_round_trip(device, &other);
}

void try_model(AlignedBytes* image) {
  Model model;
  Refusal refusal;
  if (model.parse(image->data(), image->length(), &refusal) != Status::kOk) return;
  tinyol::frozen::NetHeader header;
  if (tinyol::frozen::read_net_header(model.net, model.net_bytes, &header, &refusal) !=
          Status::kOk ||
      header.arena_bytes > kMostArenaBytes) {
    return;
  }
  // In places of their own and exactly as large as they say, so that a byte too far is noticed.
  AlignedBytes arena(header.arena_bytes);
  AlignedBytes blob(model.net_bytes);
  memset(arena.data(), 0, arena.length());
  memcpy(blob.data(), model.net, model.net_bytes);
  tinyol::frozen::BlobNet net;
  if (net.load(blob.data(), blob.length(), arena.data(), arena.length(), &refusal) != Status::kOk) {
    return;
  }
  static Device device;
  static Device other;
  if (device.load(model, &net, &refusal) != Status::kOk) return;
  FUZZ_CHECK(other.load(model, &net, &refusal) == Status::kOk);
  const Image first = tinyol::fuzz::check_round_trip(device, &other);
  uint16_t index;
  const Status added = device.add_class("a", 1, &index, &refusal);
  FUZZ_CHECK(added == Status::kOk || (added == Status::kFull && model.max_classes == 0));
  tinyol::fuzz::check_same_future(tinyol::fuzz::export_of(device), &device, &other, 60);
  tinyol::fuzz::check_round_trip(device, &other);
  FUZZ_CHECK(device.reset(&refusal) == Status::kOk);
  FUZZ_CHECK(tinyol::fuzz::export_of(device) == first);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t length) {
  tinyol::fuzz::FuzzInput input(data, length);
  const uint8_t header = input.u8();
  const bool is_model = (header & 2) != 0;
  uint32_t n;
  const uint8_t* bytes = input.bytes(static_cast<uint32_t>(length), &n);
  AlignedBytes image(n);
  if (n > 0) memcpy(image.data(), bytes, n);
  if (n >= kLeastBytes) {
    KeptModel& kept = tinyol::fuzz::kept_model(header & 1);
    if ((header & 8) == 0) put_identity_right(&image, is_model, kept.model.id);
    if ((header & 4) == 0) seal(&image);
  }
  if (is_model) {
    try_model(&image);
  } else {
    try_state(&tinyol::fuzz::kept_model(header & 1), &image);
  }
  return 0;
}
