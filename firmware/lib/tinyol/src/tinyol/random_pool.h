// Random bytes for keys and challenges, drawn from a seed that the board's glue collects at boot,
// before the radio uses the same generator. BLAKE2s makes of it as many as are asked for; a seed
// that was used is forgotten, so that what was drawn cannot be reckoned back.
#pragma once

#include <stdint.h>

namespace tinyol {

// Where the seed comes from: told to the host as it is.
enum class RandomSource : uint8_t {
  kNone = 0,      // there is none, or it failed its test: nothing can be drawn
  kHardware = 1,  // a generator in the chip
  kHost = 2,      // the host that runs the emulation
};

constexpr uint32_t kSeedBytes = 32;

class RandomPool {
 public:
  // `seed`: kSeedBytes from the source. One whose bytes are all alike is no seed: kNone then.
  void begin(RandomSource source, const uint8_t* seed);
  RandomSource source() const { return source_; }
  // False, and nothing is written, without a source.
  bool draw(uint8_t* out, uint32_t length);

 private:
  RandomSource source_ = RandomSource::kNone;
  uint8_t state_[kSeedBytes] = {};
};

}  // namespace tinyol
