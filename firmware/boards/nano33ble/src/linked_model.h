// The model that was linked into this firmware (model_data.cpp, written by `tinyol model export`).
#pragma once

#include "frozen/blob_net.h"
#include "tinyol/device.h"
#include "tinyol/model.h"
#include "tinyol/status.h"

namespace tinyol {
namespace nano33ble {

struct LinkedModel {
  Model model;
  frozen::BlobNet net;
  Device device;

  // Checks the image, gives the net its arena and loads the device.
  Status load(Refusal* refusal);
};

}  // namespace nano33ble
}  // namespace tinyol
