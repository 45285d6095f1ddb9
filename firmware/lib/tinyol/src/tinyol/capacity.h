// Sizes of the core's arrays. A board sets them from its bundle (-D TINYOL_MAX_...), the twin
// sets generous ones. They decide only whether a model fits: results and state images never
// depend on them. A model that does not fit is refused with what it needs (Device::load).
#pragma once

#include <stdint.h>

#ifndef TINYOL_MAX_CLASSES
#define TINYOL_MAX_CLASSES 16
#endif
#ifndef TINYOL_MAX_FEATURES
#define TINYOL_MAX_FEATURES 8
#endif
#ifndef TINYOL_MAX_HIDDEN
#define TINYOL_MAX_HIDDEN 32
#endif
#ifndef TINYOL_MAX_INPUTS
#define TINYOL_MAX_INPUTS 40
#endif
#ifndef TINYOL_MAX_RING
#define TINYOL_MAX_RING 64
#endif

namespace tinyol {

constexpr uint16_t kMaxClasses = TINYOL_MAX_CLASSES;
constexpr uint16_t kMaxFeatures = TINYOL_MAX_FEATURES;
constexpr uint16_t kMaxHidden = TINYOL_MAX_HIDDEN;  // inputs of the fine-tuned layer
constexpr uint16_t kMaxInputs = TINYOL_MAX_INPUTS;  // values in a window = its outputs
constexpr uint16_t kMaxRing = TINYOL_MAX_RING;      // feature vectors kept for late labels

}  // namespace tinyol
