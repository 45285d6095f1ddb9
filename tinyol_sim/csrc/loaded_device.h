// A device with all that it stands on: the model image, the frozen net and the net's memory.
#pragma once

#include <stdint.h>

#include <vector>

#include "frozen/blob_net.h"
#include "tinyol.h"

namespace tinyol {

struct LoadedDevice {
  std::vector<uint32_t> image;  // words, since the blob in it is read as such
  std::vector<uint32_t> arena;
  std::vector<uint8_t> undo;  // one state image
  Model model;
  frozen::BlobNet net;
  Device device;

  // Copies the image, checks it and loads the device from it. Once only.
  Status load(const uint8_t* model_image, uint32_t length, Refusal* refusal);
};

}  // namespace tinyol
