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
#ifndef TINYOL_MAX_WINDOW
#define TINYOL_MAX_WINDOW TINYOL_MAX_INPUTS
#endif
#ifndef TINYOL_MAX_RING
#define TINYOL_MAX_RING 64
#endif
#ifndef TINYOL_MAX_REHEARSAL
#define TINYOL_MAX_REHEARSAL 112
#endif
#ifndef TINYOL_MAX_REHEARSAL_WINDOWS
#define TINYOL_MAX_REHEARSAL_WINDOWS 16
#endif
#ifndef TINYOL_FULL_COVARIANCE
#define TINYOL_FULL_COVARIANCE 1
#endif

namespace tinyol {

constexpr uint16_t kMaxClasses = TINYOL_MAX_CLASSES;
constexpr uint16_t kMaxFeatures = TINYOL_MAX_FEATURES;
constexpr uint16_t kMaxHidden = TINYOL_MAX_HIDDEN;        // inputs of the fine-tuned layer
constexpr uint16_t kMaxInputs = TINYOL_MAX_INPUTS;        // values in a window = its outputs
constexpr uint16_t kMaxWindow = TINYOL_MAX_WINDOW;        // samples in a window
constexpr uint16_t kMaxRing = TINYOL_MAX_RING;            // feature vectors kept for late labels
constexpr uint16_t kMaxRehearsal = TINYOL_MAX_REHEARSAL;  // feature vectors kept for rehearsal
constexpr uint16_t kMaxRehearsalWindows = TINYOL_MAX_REHEARSAL_WINDOWS;  // windows kept for it
// Numbers that hold the covariance of one class: a triangle, or without it the diagonal.
constexpr bool kFullCovariance = TINYOL_FULL_COVARIANCE != 0;
constexpr uint16_t kMaxSpread =
    kFullCovariance ? kMaxFeatures * (kMaxFeatures + 1) / 2 : kMaxFeatures;

}  // namespace tinyol
