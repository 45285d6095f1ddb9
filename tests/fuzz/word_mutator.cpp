// State images, model images and net blobs are made of words: half of the changes are to one of
// them, or to a half or a byte of it, by what is likely to matter.
#include <stddef.h>
#include <stdint.h>
#include <string.h>

extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t length, size_t most);

namespace {

constexpr size_t kHeader = 1;  // of the input, before them
constexpr uint32_t kTelling[] = {
    0,          1,          2,          0x7F,       0xFF,       0x8000,     0xFFFF,     0x10000,
    0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0x3F800000, 0x7F800000, 0xFF800000, 0x7FC00000, 0x7F7FFFFF,
    0x00000001, 0x80000001, 0x49742400, 0x7149F2CA, 0x5863A992, 0x00800000, 0xBF800000, 0x3F7FFFFF,
};
constexpr uint32_t kTellingCount = sizeof(kTelling) / sizeof(kTelling[0]);

uint32_t changed(uint32_t word, uint32_t other, uint32_t how) {
  const uint32_t argument = how >> 3;
  switch (how & 7) {
    case 0:
      return word + 4 * (argument % 32) - 64;
    case 1:
      return word + argument % 17 - 8;
    case 2:
      return other;
    case 3:
      return kTelling[argument % kTellingCount];
    case 4:
      return word ^ (1u << argument % 32);
    case 5:
      return word + (((argument >> 1) % 17 - 8) << 16);
    case 6:
      return (word & 0xFFFF0000u) | (kTelling[argument % kTellingCount] & 0xFFFFu);
    default:
      return (word & 0xFFFFu) | (kTelling[argument % kTellingCount] << 16);
  }
}

}  // namespace

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t length, size_t most,
                                          unsigned int seed) {
  uint32_t random = seed;
  const auto next = [&random]() {
    random = random * 1664525u + 1013904223u;
    return random >> 8;
  };
  const size_t words = length < kHeader ? 0 : (length - kHeader) / 4;
  if (words == 0 || next() % 2 == 0) return LLVMFuzzerMutate(data, length, most);
  for (uint32_t left = 1 + next() % 3; left > 0; --left) {
    uint8_t* place = data + kHeader + 4 * (next() % words);
    uint32_t word;
    uint32_t other;
    memcpy(&word, place, 4);
    memcpy(&other, data + kHeader + 4 * (next() % words), 4);
    word = changed(word, other, next());
    memcpy(place, &word, 4);
  }
  return length;
}
