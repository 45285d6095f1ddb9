#include "tinyol/blake2s.h"

#include <string.h>

#include "tinyol/bytes.h"
#include "tinyol/secret_bytes.h"

namespace tinyol {
namespace {

// RFC 7693, 2.6: the initial hash values are SHA-256's.
constexpr uint32_t kInitial[8] = {0x6A09E667u, 0xBB67AE85u, 0x3C6EF372u, 0xA54FF53Au,
                                  0x510E527Fu, 0x9B05688Cu, 0x1F83D9ABu, 0x5BE0CD19u};

// RFC 7693, 2.7: the order in which each round takes the message's words.
constexpr int kRounds = 10;
constexpr uint8_t kWordOrder[kRounds][16] = {
    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
    {14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
    {11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4},
    {7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8},
    {9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13},
    {2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9},
    {12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11},
    {13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10},
    {6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5},
    {10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0},
};

// The words that each of a round's eight mixes takes: the columns, then the diagonals.
constexpr uint8_t kMixed[8][4] = {{0, 4, 8, 12},  {1, 5, 9, 13},  {2, 6, 10, 14}, {3, 7, 11, 15},
                                  {0, 5, 10, 15}, {1, 6, 11, 12}, {2, 7, 8, 13},  {3, 4, 9, 14}};

inline uint32_t rotate_right(uint32_t word, int bits) {
  return (word >> bits) | (word << (32 - bits));
}

// RFC 7693, 3.1: the function G.
inline void mix(uint32_t* a, uint32_t* b, uint32_t* c, uint32_t* d, uint32_t x, uint32_t y) {
  *a += *b + x;
  *d = rotate_right(*d ^ *a, 16);
  *c += *d;
  *b = rotate_right(*b ^ *c, 12);
  *a += *b + y;
  *d = rotate_right(*d ^ *a, 8);
  *c += *d;
  *b = rotate_right(*b ^ *c, 7);
}

}  // namespace

void Blake2s::begin(uint32_t digest_bytes, const uint8_t* key, uint32_t key_bytes) {
  memcpy(h_, kInitial, sizeof(h_));
  h_[0] ^= 0x01010000u ^ (key_bytes << 8) ^ digest_bytes;  // 2.8: fanout 1, depth 1
  memset(block_, 0, sizeof(block_));
  counted_ = 0;
  digest_bytes_ = digest_bytes;
  filled_ = 0;
  if (key_bytes == 0) return;
  memcpy(block_, key, key_bytes);
  filled_ = kBlockBytes;
}

void Blake2s::add(const uint8_t* bytes, uint32_t length) {
  while (length > 0) {
    // A full block waits for what follows it: the last one is compressed otherwise.
    if (filled_ == kBlockBytes) {
      counted_ += kBlockBytes;
      compress(false);
      filled_ = 0;
    }
    const uint32_t room = kBlockBytes - filled_;
    const uint32_t n = length < room ? length : room;
    memcpy(block_ + filled_, bytes, n);
    filled_ += n;
    bytes += n;
    length -= n;
  }
}

void Blake2s::finish(uint8_t* digest) {
  memset(block_ + filled_, 0, kBlockBytes - filled_);
  counted_ += filled_;
  compress(true);
  for (uint32_t i = 0; i < digest_bytes_; ++i) {
    digest[i] = static_cast<uint8_t>(h_[i / 4] >> (8 * (i % 4)));
  }
  wipe(h_, sizeof(h_));
  wipe(block_, sizeof(block_));
}

// RFC 7693, 3.2: the function F.
void Blake2s::compress(bool last) {
  uint32_t words[16];
  ByteReader in(block_, kBlockBytes);
  for (uint32_t& word : words) word = in.u32();
  uint32_t v[16];
  memcpy(v, h_, sizeof(h_));
  memcpy(v + 8, kInitial, sizeof(kInitial));
  v[12] ^= static_cast<uint32_t>(counted_);
  v[13] ^= static_cast<uint32_t>(counted_ >> 32);
  if (last) v[14] = ~v[14];
  for (const uint8_t (&order)[16] : kWordOrder) {
    for (int i = 0; i < 8; ++i) {
      const uint8_t* at = kMixed[i];
      mix(&v[at[0]], &v[at[1]], &v[at[2]], &v[at[3]], words[order[2 * i]], words[order[2 * i + 1]]);
    }
  }
  for (int i = 0; i < 8; ++i) h_[i] ^= v[i] ^ v[i + 8];
}

}  // namespace tinyol
