// The seed of whatever nobody may guess, from the nRF52840's generator of thermal noise.
//
// When: once at boot, before the radio starts. From then on the generator is the radio's: mbed's
// link layer starts it, waits for its bytes with no limit and stops it, under no lock, each time it
// needs a number. Drawn beside it, the same byte could go to both, or the radio's thread would wait
// for ever for a generator that was stopped here. RandomPool makes as many bytes of the seed as
// are ever needed, so that nobody has to come back.
#pragma once

#include <stdint.h>

#include "tinyol/random_pool.h"

namespace tinyol {
namespace nano33ble {

// A seed of 1,024 bytes of noise, with bias correction: about 0.12 s by the data sheet (120 us a
// byte). False, with nothing in the seed: the generator is silent, or what it gives is no noise
// (noise_test.h). It is left as it was found.
bool draw_seed(uint8_t seed[kSeedBytes]);

}  // namespace nano33ble
}  // namespace tinyol
