#include "loaded_device.h"

#include <string.h>

namespace tinyol {

Status LoadedDevice::load(const uint8_t* model_image, uint32_t length, Refusal* refusal) {
  image.resize((length + 3) / 4);
  if (length > 0) memcpy(image.data(), model_image, length);
  Status status = model.parse(reinterpret_cast<const uint8_t*>(image.data()), length, refusal);
  if (status != Status::kOk) return status;
  frozen::NetHeader header;
  status = frozen::read_net_header(model.net, model.net_bytes, &header, refusal);
  if (status != Status::kOk) return status;
  arena.resize((header.arena_bytes + 3) / 4);
  status = net.load(model.net, model.net_bytes, reinterpret_cast<uint8_t*>(arena.data()),
                    header.arena_bytes, refusal);
  if (status != Status::kOk) return status;
  status = device.load(model, &net, refusal);
  if (status != Status::kOk) return status;
  undo.resize(device.max_image_bytes());
  device.keep_undo(undo.data(), static_cast<uint32_t>(undo.size()));
  return status;
}

}  // namespace tinyol
