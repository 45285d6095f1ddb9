// At boot: a device takes over what it had saved.
#pragma once

#include <stdint.h>

#include "tinyol/device.h"
#include "tinyol/state_store.h"

namespace tinyol {

// `staging` has room for device->max_image_bytes(). kNotFound: nothing was saved yet; any other
// refusal: what was saved cannot be used. Then the device is as training left it.
Status restore(const StateStore& store, Device* device, uint8_t* staging, uint32_t staging_bytes,
               Refusal* refusal);

}  // namespace tinyol
