#include "random_seed.h"

#include <Arduino.h>

#include "noise_test.h"
#include "tinyol/blake2s.h"
#include "tinyol/secret_bytes.h"

namespace tinyol {
namespace nano33ble {
namespace {

// For all bytes together: several times what the data sheet lets expect. A poll takes a dozen
// cycles, so that a silent generator holds up the boot for a second, which the watchdog bears.
constexpr uint32_t kMostPolls = 5000000;

bool wait_for_byte(uint32_t* polls_left) {
  NRF_RNG->EVENTS_VALRDY = 0;
  while (NRF_RNG->EVENTS_VALRDY == 0) {
    if (*polls_left == 0) return false;
    --*polls_left;
  }
  return true;
}

}  // namespace

bool draw_seed(uint8_t seed[kSeedBytes]) {
  const uint32_t found_config = NRF_RNG->CONFIG;
  NRF_RNG->CONFIG = RNG_CONFIG_DERCEN_Msk;  // without it ones and zeros are not as likely
  NRF_RNG->TASKS_START = 1;
  NoiseTest test;
  Blake2s hash;  // of all that was tested: what a byte lacks in entropy, their number makes up for
  hash.begin(kSeedBytes);
  uint32_t polls_left = kMostPolls;
  while (!test.complete() && wait_for_byte(&polls_left)) {
    const uint8_t byte = static_cast<uint8_t>(NRF_RNG->VALUE);
    test.push(byte);
    hash.add(&byte, 1);
  }
  NRF_RNG->TASKS_STOP = 1;
  NRF_RNG->CONFIG = found_config;
  hash.finish(seed);
  wipe(&hash, sizeof(hash));
  if (!test.passed()) wipe(seed, kSeedBytes);
  return test.passed();
}

}  // namespace nano33ble
}  // namespace tinyol
