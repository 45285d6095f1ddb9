// One long, eventful life of a device, the same wherever it is compiled: 105,000 samples with
// labels, late labels, classes added, renamed, removed and learned anew, unknown ones named,
// fine-tuning with every loss and rule, calibrations, settings turned, resets, exports and imports,
// gaps and spoiled samples in between. Everything is drawn by a counter-based generator;
// tests/life_in_python.py tells the same story to a Twin.
//
//   life MODEL_IMAGE
//
// prints a CRC-32 over all that came out on the way, then the final state image.
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <vector>

#include "frozen/blob_net.h"
#include "tinyol.h"
#include "tinyol/bytes.h"
#include "tinyol/crc32.h"
#include "tinyol/float_math.h"

namespace {

using tinyol::Device;
using tinyol::Status;
using tinyol::WindowResult;

constexpr uint32_t kBlocks = 420;
constexpr uint32_t kBlockLen = 250;  // samples

// The finaliser of MurmurHash3 over a counter: draw number `i` of stream `stream`.
uint32_t draw(uint32_t stream, uint32_t i) {
  uint32_t x = stream * 0x9E3779B9u + i;
  x ^= x >> 16;
  x *= 0x85EBCA6Bu;
  x ^= x >> 13;
  x *= 0xC2B2AE35u;
  return x ^ (x >> 16);
}

// Streams.
enum : uint32_t { kAction = 1, kArgument, kValue, kKind, kNoise, kSpoiled, kGap };

// Settings to turn, four values each; some are refused.
struct Turn {
  uint16_t id;
  float values[4];
};
constexpr Turn kTurns[] = {
    {1, {0.01f, 0.1f, 0.5f, 100.0f}},       {2, {0.0f, 1.0f, 2.0f, 3.0f}},
    {3, {1.0f, 100.0f, 1000.0f, 0.5f}},     {4, {0.0f, 0.0001f, 0.01f, -1.0f}},
    {5, {0.0f, 0.5f, 2.0f, 1e7f}},          {6, {0.25f, 2.0f, 1000.0f, 0.0f}},
    {7, {0.0f, 1.0f, 1.0f, 1.0f}},          {16, {0.001f, 0.01f, 0.03f, 100.0f}},
    {17, {0.0f, 1.0f, 2.0f, 0.5f}},         {18, {10.0f, 100.0f, 1000.0f, 0.0f}},
    {19, {0.0f, 0.0001f, 0.001f, 2.0f}},    {20, {0.0f, 0.5f, 5.0f, -0.1f}},
    {21, {3.0f, 30.0f, 1000.0f, 1e9f}},     {22, {0.0f, 1.0f, 2.0f, 3.0f}},
    {32, {16.0f, 1000.0f, 16384.0f, 8.0f}}, {33, {1.0f, 1.0f, 1.0f, 0.0f}},
    {48, {0.25f, 1.0f, 4.0f, 2e6f}},        {8, {0.0f, 1.0f, 1.0f, 2.0f}},
    {9, {0.0f, 1.0f, 1.0f, 0.5f}},          {10, {0.0f, 1.0f, 1.0f, -1.0f}},
    {11, {0.0f, 4.0f, 16.0f, 17.0f}},       {12, {16.0f, 100.0f, 4096.0f, 8.0f}},
    {13, {1.0f, 2.0f, 50.0f, 0.0f}},        {23, {0.0f, 1.0f, 2.0f, 2.0f}},
    {24, {0.0f, 0.1f, 1.0f, 3.0f}},         {25, {0.9f, 0.99f, 1.0f, 0.5f}},
    {26, {0.0f, 1.0f, 4.0f, 5.0f}},         {49, {0.0f, 1.0f, 1.0f, 2.0f}},
    {50, {0.005f, 0.05f, 0.2f, 0.0f}},      {51, {64.0f, 500.0f, 4096.0f, 8.0f}},
    {52, {0.0f, 1.0f, 1.0f, 2.0f}},         {53, {1.0f, 3.0f, 10.0f, 0.0f}},
    {54, {1.0f, 5.0f, 20.0f, 0.0f}},        {64, {0.05f, 0.1f, 0.5f, 0.0f}},
    {65, {1.0f, 5.0f, 20.0f, 0.0f}},        {80, {0.5f, 5.0f, 60.0f, 90.0f}},
    {81, {0.01f, 0.1f, 1.0f, 0.0f}},        {82, {1.0f, 20.0f, 100.0f, 0.0f}},
    {83, {0.0f, 0.5f, 2.0f, 9.0f}},         {84, {0.0f, 5.0f, 50.0f, -1.0f}},
    {85, {0.0f, 1.0f, 1.0f, 2.0f}},         {86, {0.0f, 20.0f, 100.0f, -1.0f}},
    {87, {30.0f, 100.0f, 200.0f, 10.0f}},   {99, {0.0f, 0.0f, 0.0f, 0.0f}},
};
constexpr uint32_t kTurnCount = sizeof(kTurns) / sizeof(kTurns[0]);

void sample_at(uint32_t i, float xyz[3]) {
  const uint32_t kind = draw(kKind, i / 1000) % 3;
  const float sizes[3] = {0.0625f, 0.25f, 1.0f};
  const uint32_t pitches[3] = {3, 7, 13};
  // Every term and product is exact, so that no compiler can round it otherwise.
  const float wave = (static_cast<float>(i * pitches[kind] % 64) - 32.0f) / 32.0f;
  for (uint32_t c = 0; c < 3; ++c) {
    const float noise = static_cast<float>(draw(kNoise, 3 * i + c) >> 16) / 131072.0f;
    xyz[c] = sizes[kind] * (wave + noise);
  }
  const float spoils[3] = {tinyol::float_from_bits(0x7FC00000u),
                           tinyol::float_from_bits(0x7F800000u), 1e9f};
  const uint32_t spoiled = draw(kSpoiled, i);
  if (spoiled % 1024 == 0) xyz[spoiled >> 10 & 1] = spoils[(spoiled >> 11) % 3];
}

bool command(Device* device, uint32_t block, std::vector<uint8_t>* image) {
  const uint16_t n_classes = device->state().classes.size;
  const uint32_t argument = draw(kArgument, block);
  const uint16_t index = n_classes > 0 ? static_cast<uint16_t>(argument % n_classes) : 0;
  char name[16];
  uint16_t out;
  uint32_t action = n_classes < 2 ? 0 : draw(kAction, block) % 24;
  switch (action) {
    case 0:
      snprintf(name, sizeof(name), "c%u", block);
      return device->add_class(name, strlen(name), &out, nullptr) == Status::kOk;
    case 1:  // refused where another class has the name
      snprintf(name, sizeof(name), "r%u", argument % 8);
      return device->rename_class(index, name, strlen(name), nullptr) == Status::kOk;
    case 2:
      return n_classes > 3 && device->remove_class(index, nullptr) == Status::kOk;
    case 3:
    case 4:
      return device->label(index, tinyol::kUntilStopped, nullptr) == Status::kOk;
    case 5:
      return device->label(index, argument % 100, nullptr) == Status::kOk;
    case 6:
      return device->label(tinyol::kNoClass, 0, nullptr) == Status::kOk;
    case 7:
      return device->label_back(index, static_cast<uint16_t>(1 + argument % 100), &out, nullptr) ==
             Status::kOk;
    case 8:
      return device->fine_tune(argument % 400, nullptr) == Status::kOk;
    case 9:
      return device->fine_tune(tinyol::kUntilStopped, nullptr) == Status::kOk;
    case 10:
      if (argument % 8 != 0) return false;
      return device->reset(nullptr) == Status::kOk;
    case 11: {
      const uint32_t length = device->export_state(image->data(), image->size());
      return device->import_state(image->data(), length, nullptr) == Status::kOk;
    }
    case 12:
      return device->relearn(index, static_cast<uint16_t>(1 + argument % 100), &out, nullptr) ==
             Status::kOk;
    case 13:
      return device->calibrate(argument % 50, argument % 200, nullptr) == Status::kOk;
    case 14: {
      uint16_t lessons;
      snprintf(name, sizeof(name), "u%u", argument % 4);
      return device->name_unknown(device->state().unknown.count, name, strlen(name), &out, &lessons,
                                  nullptr) == Status::kOk;
    }
    case 15:
      return device->set_class_weight(index, static_cast<float>(argument % 16), nullptr) ==
             Status::kOk;
    default: {
      const Turn& turn = kTurns[argument % kTurnCount];
      return device->set(turn.id, turn.values[draw(kValue, block) % 4], nullptr) == Status::kOk;
    }
  }
}

uint32_t add_window(uint32_t crc, const Device& device, const WindowResult& r) {
  uint8_t bytes[512];
  tinyol::ByteWriter out(bytes, sizeof(bytes));
  out.u64(r.sample_index);
  out.u64(r.window_index);
  for (float value :
       {r.error, r.tuned_error, r.log_variance, r.confidence, r.loss, r.score, r.novelty}) {
    out.f32(value);
  }
  out.u16(static_cast<uint16_t>(r.predicted));
  out.u16(static_cast<uint16_t>(r.label));
  out.u8(r.anomaly);
  out.u8(r.learned);
  out.u8(r.fine_tuned);
  out.u8(r.alarm);
  out.u8(r.unknown);
  out.u16(r.notices);
  out.f32s(device.learner().features(), device.learner().n_features());
  out.f32s(device.learner().probabilities(), device.state().classes.size);
  return tinyol::crc32(bytes, out.length(), crc);
}

bool read_file(const char* path, std::vector<uint32_t>* words, uint32_t* length) {
  FILE* file = fopen(path, "rb");
  if (file == nullptr) return false;
  words->resize(1 << 16);
  *length = static_cast<uint32_t>(fread(words->data(), 1, words->size() * 4, file));
  fclose(file);
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<uint32_t> file;
  uint32_t length = 0;
  if (argc != 2 || !read_file(argv[1], &file, &length)) return 2;
  static tinyol::Model model;
  static tinyol::frozen::BlobNet net;
  static Device device;
  tinyol::Refusal why;
  tinyol::frozen::NetHeader header;
  if (model.parse(reinterpret_cast<const uint8_t*>(file.data()), length, &why) != Status::kOk ||
      read_net_header(model.net, model.net_bytes, &header, &why) != Status::kOk) {
    return fprintf(stderr, "refused: %s\n", why.where), 1;
  }
  std::vector<uint32_t> arena((header.arena_bytes + 3) / 4);
  if (net.load(model.net, model.net_bytes, reinterpret_cast<uint8_t*>(arena.data()),
               header.arena_bytes, &why) != Status::kOk ||
      device.load(model, &net, &why) != Status::kOk) {
    return fprintf(stderr, "refused: %s\n", why.where), 1;
  }

  std::vector<uint8_t> image(device.max_image_bytes());
  uint32_t crc = 0;
  uint32_t windows = 0;
  for (uint32_t block = 0; block < kBlocks; ++block) {
    const uint8_t accepted = command(&device, block, &image);
    crc = tinyol::crc32(&accepted, 1, crc);
    for (uint32_t i = block * kBlockLen; i < (block + 1) * kBlockLen; ++i) {
      if (draw(kGap, i) % 512 == 0) device.gap();
      float xyz[3];
      sample_at(i, xyz);
      WindowResult result;
      if (!device.push_sample(xyz, &result)) continue;
      crc = add_window(crc, device, result);
      ++windows;
    }
  }
  const uint32_t n = device.export_state(image.data(), image.size());
  printf("%u windows\n%08x\n%08x\n", windows, crc, tinyol::crc32(image.data(), n - 4));
  for (uint32_t i = 0; i < n; ++i) printf("%02x", image[i]);
  printf("\n");
  return 0;
}
