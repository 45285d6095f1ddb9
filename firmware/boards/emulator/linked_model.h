// The model that was linked into this image, ready to run.
#pragma once

#include "frozen/blob_net.h"
#include "tinyol/device.h"
#include "tinyol/model.h"
#include "tinyol/status.h"

namespace tinyol {
namespace emulator {

struct LinkedModel {
  Model model;
  frozen::BlobNet net;
  Device device;
  uint32_t arena_bytes = 0;  // of the net; all of them are in use
};

// Checks the image, gives the net its arena and loads the device; stops if anything is refused.
// There is one, which lives for ever.
LinkedModel* load_linked_model();

// Says what was refused, and stops.
[[noreturn]] void stop_refused(const Refusal& refusal);

}  // namespace emulator
}  // namespace tinyol
