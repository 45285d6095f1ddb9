// One learning part, called over and over: the first calls bring it to its steady state, the
// others are counted and told.
#pragma once

#include <stdint.h>

#include "instructions.h"

namespace tinyol {
namespace emulator {

class CostPart {
 public:
  static constexpr uint32_t kCounted = 32;  // calls

  // `before`: calls that are not told. `name` nullptr: none is.
  CostPart(const char* name, uint32_t before, uint16_t classes, uint16_t features);

  // Returns the instructions of this call.
  template <typename Call>
  uint32_t run(Call call) {
    const uint32_t count = instructions_of(call);
    add(count, 1);
    return count;
  }

  // Tells, as notice COST (cost_main.cpp), what the last `measurements` calls of
  // instructions_of() together have counted.
  void add(uint32_t count, uint32_t measurements);

 private:
  const char* name_;
  uint32_t before_;
  uint16_t classes_;
  uint16_t features_;
  uint32_t told_ = 0;
};

}  // namespace emulator
}  // namespace tinyol
