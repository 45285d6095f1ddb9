// BLAKE2s (RFC 7693): a hash, and with a key a MAC, of 32-bit additions, rotations and XORs alone.
// No table is looked up and no branch depends on a secret, so that its time tells nothing of one.
#pragma once

#include <stdint.h>

namespace tinyol {

class Blake2s {
 public:
  static constexpr uint32_t kMostDigestBytes = 32;
  static constexpr uint32_t kMostKeyBytes = 32;
  static constexpr uint32_t kBlockBytes = 64;

  // digest_bytes 1 to 32, key_bytes 0 to 32.
  void begin(uint32_t digest_bytes, const uint8_t* key = nullptr, uint32_t key_bytes = 0);
  void add(const uint8_t* bytes, uint32_t length);
  // Writes digest_bytes; begin() comes next.
  void finish(uint8_t* digest);

 private:
  void compress(bool last);

  uint32_t h_[8] = {};
  uint8_t block_[kBlockBytes] = {};
  uint32_t filled_ = 0;   // of the block
  uint64_t counted_ = 0;  // bytes compressed so far
  uint32_t digest_bytes_ = 0;
};

}  // namespace tinyol
