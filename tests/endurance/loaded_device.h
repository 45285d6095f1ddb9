// A device of a model image in a file, with its net.
#pragma once

#include <stdint.h>

#include <vector>

#include "frozen/blob_net.h"
#include "tinyol.h"

namespace tinyol {
namespace endurance {

struct LoadedDevice {
  // False, with a message on stderr, where the file cannot be read or holds no model image that
  // fits this build.
  bool load(const char* path);

  std::vector<uint32_t> file;
  Model model;
  frozen::BlobNet net;
  std::vector<uint32_t> arena;
  Device device;
};

}  // namespace endurance
}  // namespace tinyol
