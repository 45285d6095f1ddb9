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
    1024 + 8 * kSettingCount + kMaxClasses * (80 + 4 * (2 * kMaxFeatures + kMaxSpread + 3)) +
    13 * kMaxFeatures + kMaxRehearsal * (kMaxFeatures + 1) + 4 * kMaxInputs * (kMaxHidden + 1) +
    2 * kMaxRlsInputs * (kMaxRlsInputs + 1) + kMaxRehearsalWindows * kMaxInputs +
    4 * kUnknownEvents * kUnknownVectors * kMaxFeatures + 4 * kMaxClasses * kMaxClasses;

// Largest image that this model can have (all classes taken), bytes.
uint32_t max_state_image_bytes(const Model& model, uint16_t n_features);

// Bytes written, 0 if `capacity` is too small.
uint32_t write_state_image(const Model& model, const LearnedState& state, uint8_t* out,
                           uint32_t capacity);

// Validates the whole image before it changes anything; `state` must belong to `model`.
Status read_state_image(const Model& model, const uint8_t* image, uint32_t length,
                        LearnedState* state, Refusal* refusal);

}  // namespace tinyol
