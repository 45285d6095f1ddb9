#include "tinyol/fp_contract.h"

#include "tinyol/net_self_test.h"

#include "tinyol/crc32.h"
#include "tinyol/xorshift.h"

namespace tinyol {
namespace {

// int8: the top byte of each random number; float32: the top 24 bits as a number in [-1, 1).
void draw(uint32_t* random, const TensorView& input) {
  for (uint16_t i = 0; i < input.length; ++i) {
    const int32_t number = static_cast<int32_t>(xorshift32(random));
    if (input.type == TensorType::kInt8) {
      static_cast<int8_t*>(input.data)[i] = static_cast<int8_t>(number >> 24);
    } else {
      static_cast<float*>(input.data)[i] = static_cast<float>(number >> 8) * (1.0f / 8388608.0f);
    }
  }
}

uint32_t bytes_of(const TensorView& view) {
  return view.type == TensorType::kInt8 ? view.length : uint32_t{4} * view.length;
}

}  // namespace

SelfTest run_net_self_test(FrozenNet* net, const GoldenVectors& golden) {
  uint32_t random = golden.seed;
  uint32_t crc = 0;
  for (uint16_t v = 0; v < golden.count; ++v) {
    draw(&random, net->input());
    if (!net->invoke()) return {golden.crc, ~golden.crc};
    for (int tap = 0; tap < kTapCount; ++tap) {
      const TensorView view = net->output(static_cast<Tap>(tap));
      crc = crc32(view.data, bytes_of(view), crc);
    }
  }
  return {golden.crc, crc};
}

}  // namespace tinyol
