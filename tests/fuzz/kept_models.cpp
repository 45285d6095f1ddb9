#include "kept_models.h"

#include <stdio.h>
#include <string.h>

#include "check.h"

namespace tinyol {
namespace fuzz {
namespace {

KeptModel* load(const char* path) {
  uint8_t bytes[1 << 14];
  FILE* file = fopen(path, "rb");
  FUZZ_CHECK(file != nullptr);
  const size_t length = fread(bytes, 1, sizeof(bytes), file);
  fclose(file);
  return new KeptModel(bytes, static_cast<uint32_t>(length));
}

}  // namespace

KeptModel::KeptModel(const uint8_t* bytes, uint32_t length) : image(length) {
  memcpy(image.data(), bytes, length);
  FUZZ_CHECK(model.parse(image.data(), length, nullptr) == Status::kOk);
  frozen::NetHeader header;
  FUZZ_CHECK(frozen::read_net_header(model.net, model.net_bytes, &header, nullptr) == Status::kOk);
  arena.resize(header.arena_bytes / 4);
  uint8_t* memory = reinterpret_cast<uint8_t*>(arena.data());
  FUZZ_CHECK(net.load(model.net, model.net_bytes, memory, header.arena_bytes, nullptr) ==
             Status::kOk);
}

KeptModel& kept_model(uint32_t index) {
  static KeptModel* const models[kKeptModels] = {load(TINYOL_FUZZ_MODELS "/life-int8.model"),
                                                 load(TINYOL_FUZZ_MODELS "/life-float32.model")};
  return *models[index];
}

}  // namespace fuzz
}  // namespace tinyol
