#include "loaded_device.h"

#include <stdio.h>

namespace tinyol {
namespace endurance {

bool LoadedDevice::load(const char* path) {
  FILE* opened = fopen(path, "rb");
  if (opened == nullptr) return fprintf(stderr, "%s: cannot be read\n", path), false;
  file.resize(1 << 16);
  const uint8_t* image = reinterpret_cast<const uint8_t*>(file.data());
  const uint32_t length = static_cast<uint32_t>(fread(file.data(), 1, file.size() * 4, opened));
  fclose(opened);
  Refusal why;
  frozen::NetHeader header;
  bool good = model.parse(image, length, &why) == Status::kOk &&
              read_net_header(model.net, model.net_bytes, &header, &why) == Status::kOk;
  if (good) {
    arena.resize((header.arena_bytes + 3) / 4);
    uint8_t* memory = reinterpret_cast<uint8_t*>(arena.data());
    good = net.load(model.net, model.net_bytes, memory, header.arena_bytes, &why) == Status::kOk &&
           device.load(model, &net, &why) == Status::kOk;
  }
  if (!good) fprintf(stderr, "%s: refused: %s\n", path, why.where);
  return good;
}

}  // namespace endurance
}  // namespace tinyol
