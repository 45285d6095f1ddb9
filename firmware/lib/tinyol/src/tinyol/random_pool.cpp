#include "tinyol/random_pool.h"

#include <string.h>

#include "tinyol/blake2s.h"
#include "tinyol/secret_bytes.h"

namespace tinyol {
namespace {

// What a state makes: bytes that are handed out, and the state that comes next. Neither says
// anything of the state, nor of the other.
enum class Made : uint8_t { kOutput = 1, kNextState = 2 };

void make(const uint8_t state[kSeedBytes], Made what, uint8_t out[kSeedBytes]) {
  const uint8_t label = static_cast<uint8_t>(what);
  Blake2s hash;
  hash.begin(kSeedBytes, state, kSeedBytes);
  hash.add(&label, 1);
  hash.finish(out);
}

}  // namespace

void RandomPool::begin(RandomSource source, const uint8_t* seed) {
  bool varies = false;
  for (uint32_t i = 1; i < kSeedBytes; ++i) varies |= seed[i] != seed[0];
  source_ = varies ? source : RandomSource::kNone;
  memcpy(state_, seed, kSeedBytes);
}

bool RandomPool::draw(uint8_t* out, uint32_t length) {
  if (source_ == RandomSource::kNone) return false;
  uint8_t made[kSeedBytes];
  while (length > 0) {
    const uint32_t n = length < kSeedBytes ? length : kSeedBytes;
    make(state_, Made::kOutput, made);
    memcpy(out, made, n);
    out += n;
    length -= n;
    make(state_, Made::kNextState, made);
    memcpy(state_, made, kSeedBytes);
  }
  wipe(made, sizeof(made));
  return true;
}

}  // namespace tinyol
