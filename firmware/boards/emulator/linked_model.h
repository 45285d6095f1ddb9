// The model that was linked into this image, ready to run.
#pragma once

#include "frozen/blob_net.h"
#include "tinyol/device.h"
#include "tinyol/model.h"
#include "tinyol/status.h"

namespace tinyol {
namespace emulator {

// Checks the image, gives the net its arena and loads the device. All three live for ever.
Status load_linked_model(Model* model, frozen::BlobNet* net, Device* device, Refusal* refusal);

// Says what was refused, and stops.
[[noreturn]] void stop_refused(const Refusal& refusal);

}  // namespace emulator
}  // namespace tinyol
