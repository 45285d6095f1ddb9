// The state image: a device's learned state as bytes (docs/state-image.md). Two devices are the
// same if their images are.
#pragma once

#include <stdint.h>

#include "tinyol/capacity.h"
#include "tinyol/learned_state.h"
#include "tinyol/model.h"
#include "tinyol/settings.h"
#include "tinyol/status.h"

namespace tinyol {

// Room for the largest state image that this build's arrays allow, and something over;
// docs/state-image.md has the fields.
constexpr uint32_t kStateImageRoom =
    512 + 8 * kSettingCount + 16 * kMaxClasses + 8 * kMaxFeatures + 4 * kMaxClasses * kMaxFeatures +
    4 * kMaxInputs * (kMaxHidden + 1) + 4 * kMaxClasses * kMaxClasses;

// Largest image that this model can have (all classes taken), bytes.
uint32_t max_state_image_bytes(const Model& model, uint16_t n_features);

// Bytes written, 0 if `capacity` is too small.
uint32_t write_state_image(const Model& model, const LearnedState& state, uint8_t* out,
                           uint32_t capacity);

// Validates the whole image before it changes anything; `state` must belong to `model`.
Status read_state_image(const Model& model, const uint8_t* image, uint32_t length,
                        LearnedState* state, Refusal* refusal);

}  // namespace tinyol
