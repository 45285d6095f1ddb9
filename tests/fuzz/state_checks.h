// What must hold of a device, whatever it was fed or told.
#pragma once

#include <stdint.h>

#include <vector>

#include "tinyol.h"

namespace tinyol {
namespace fuzz {

using Image = std::vector<uint8_t>;

// The state image, and that it is no larger than announced.
Image export_of(const Device& device);

// All that is learned is finite, spreads are positive, tables are within their limits, and nothing
// contradicts another.
void check_sound(const LearnedState& state);

// `other`, of the same model and in any state, takes over what `device` exports, to the byte.
Image check_round_trip(const Device& device, Device* other);

// What follows depends on the image alone: both take it over and then go through the same samples,
// with a label, fine-tuning and a calibration, relearn a class and name an unknown event.
void check_same_future(const Image& image, Device* one, Device* other, uint32_t n_samples);

// A sample of noise of `size` in g; *random goes on.
void noise(uint32_t* random, float size, float sample[3]);

}  // namespace fuzz
}  // namespace tinyol
