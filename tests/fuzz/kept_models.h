// The small models in tests/vectors, each parsed once, with its net.
#pragma once

#include <stdint.h>

#include <vector>

#include "frozen/blob_net.h"
#include "tinyol.h"

namespace tinyol {
namespace fuzz {

// Bytes at a multiple of 4, exactly as long as they are said to be: a byte too far is noticed.
class AlignedBytes {
 public:
  explicit AlignedBytes(uint32_t length) : length_(length), data_(new uint8_t[length]) {}
  ~AlignedBytes() { delete[] data_; }
  AlignedBytes(const AlignedBytes&) = delete;
  AlignedBytes& operator=(const AlignedBytes&) = delete;
  uint8_t* data() { return data_; }
  uint32_t length() const { return length_; }

 private:
  uint32_t length_;
  uint8_t* data_;
};

struct KeptModel {
  KeptModel(const uint8_t* bytes, uint32_t length);
  AlignedBytes image;
  Model model;
  frozen::BlobNet net;
  std::vector<uint32_t> arena;
};

constexpr uint32_t kKeptModels = 2;
// 0: life-int8.model, 1: life-float32.model
KeptModel& kept_model(uint32_t index);

}  // namespace fuzz
}  // namespace tinyol
