// The model that was linked into this firmware (written by `tinyol model export`), with what runs
// its net: TFLM's interpreter or our own kernels (frozen_choice.h).
#pragma once

#include <stdint.h>

#include "frozen_choice.h"
#include "tinyol/device.h"
#include "tinyol/model.h"
#include "tinyol/status.h"

#if TINYOL_FROZEN_TFLM
#include "tflm_net/tflm_net.h"
#else
#include "frozen/blob_net.h"
#endif

namespace tinyol {
namespace nano33ble {

#if TINYOL_FROZEN_TFLM
using LinkedNet = TflmNet;
#else
using LinkedNet = frozen::BlobNet;
#endif

struct LinkedModel {
  Model model;
  LinkedNet net;
  Device device;

  // Checks the image, gives the net its arena and loads the device. Refused, the device is as one
  // that was never loaded.
  Status load(Refusal* refusal);

  // Bytes of the net's arena: all of it, and what a loaded net uses.
  uint32_t arena_bytes() const;
  uint32_t arena_used() const;
};

}  // namespace nano33ble
}  // namespace tinyol
