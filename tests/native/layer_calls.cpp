// A learned linear layer as functions of a row of words (tests/core_calls.py).
#include "tinyol/linear_layer.h"

namespace {

float* floats(uintptr_t word) {
  return reinterpret_cast<float*>(word);
}

// weights, bias or null, n_in, n_out, then as the function says.
tinyol::LinearLayer layer_of(const uintptr_t* words, float* bound) {
  return {floats(words[0]), floats(words[1]), static_cast<uint16_t>(words[2]),
          static_cast<uint16_t>(words[3]), bound};
}

}  // namespace

extern "C" {

// ... input, output
uint32_t tinyol_layer_forward(const uintptr_t* words) {
  linear_forward(layer_of(words, nullptr), floats(words[4]), floats(words[5]));
  return 0;
}

// ... input, delta, (bias_input, scale, decay, weight_limit), bound or null. Returns which count
// went up: 1 applied, 2 not finite, 4 over the limit.
uint32_t tinyol_layer_update(const uintptr_t* words) {
  const float* numbers = floats(words[6]);
  tinyol::StepCounts counts;
  update_layer(layer_of(words, floats(words[7])),
               {floats(words[4]), numbers[0], floats(words[5]), numbers[1], numbers[2]}, numbers[3],
               &counts);
  return counts.applied | counts.not_finite << 1 | counts.over_limit << 2;
}

extern const void* const tinyol_calls[2];
__attribute__((used, section(".vectors")))
const void* const tinyol_calls[2] = {reinterpret_cast<const void*>(tinyol_layer_forward),
                                     reinterpret_cast<const void*>(tinyol_layer_update)};

}  // extern "C"
