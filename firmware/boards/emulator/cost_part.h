// One learning part, called over and over: the first calls bring it to its steady state, the
// others are counted.
#pragma once

#include <stdint.h>

#include "instructions.h"

namespace tinyol {
namespace emulator {

class CostPart {
 public:
  static constexpr uint32_t kCounted = 32;  // calls

  // `before`: calls that are not counted.
  CostPart(const char* name, uint32_t before, uint16_t classes, uint16_t features);

  // Returns the instructions of this call.
  template <typename Call>
  uint32_t run(Call call) {
    const uint32_t count = instructions_of(call);
    add(count);
    return count;
  }
  void add(uint32_t count);  // of a call that was counted elsewhere
  void tell() const;         // notice COST (cost_main.cpp)

 private:
  const char* name_;
  uint32_t before_;
  uint16_t classes_;
  uint16_t features_;
  uint32_t size_ = 0;
  uint32_t counts_[kCounted] = {};  // ascending
};

}  // namespace emulator
}  // namespace tinyol
