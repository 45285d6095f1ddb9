// How large an arena TFLM needs for a model: an upper bound, worked out from what is in the file.
// The host writes the same number into the firmware (tinyol_sim/tflm_arena.py), and the device
// refuses a smaller arena before TFLM sees it. TFLM plans on the arena itself, then puts what is
// computed where the plan was: the larger of both counts. That tensors whose lifetimes do not meet
// share their bytes is left out.
#pragma once

#include <stdint.h>

#include "tflm_net/check_tflite.h"

namespace tinyol {

uint32_t tflm_arena_need(const TfliteCounts& counts);

}  // namespace tinyol
