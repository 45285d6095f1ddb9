#include "tinyol/fp_contract.h"

#include "tinyol/sgd.h"

#include <string.h>

#include "tinyol/count_up.h"
#include "tinyol/float_math.h"

namespace tinyol {
namespace {

// |x| as a number that grows with it: finite ones, then infinity, then NaN. Cheaper than two
// comparisons of floats, each of which waits for its flags.
inline uint32_t size_of(float x) {
  uint32_t bits;
  memcpy(&bits, &x, sizeof(bits));
  return bits & 0x7FFFFFFFu;
}
constexpr uint32_t kInfinite = 0x7F800000u;

struct Step {
  const LinearLayer& layer;
  const float* input;
  const float* delta;
  float scale;
  float decay;

  // Without decay its term is a zero, which changes no bit of what is left of a finite weight.
  template <bool kDecays>
  float stepped(float weight, float step, float a) const {
    return kDecays ? weight - (step * a + decay * weight) : weight - step * a;
  }

  // The largest size_of() a weight that there would be.
  template <bool kDecays>
  uint32_t look() const {
    uint32_t largest = 0;
    const float* weight = layer.weights;
    for (uint16_t i = 0; i < layer.n_out; ++i) {
      const float step = scale * delta[i];
      for (const float *a = input, *end = input + layer.n_in; a != end; ++a, ++weight) {
        const uint32_t size = size_of(stepped<kDecays>(*weight, step, *a));
        if (size > largest) largest = size;
      }
      if (layer.bias == nullptr) continue;
      const uint32_t size = size_of(layer.bias[i] - step);
      if (size > largest) largest = size;
    }
    return largest;
  }

  template <bool kDecays>
  void take() const {
    float* weight = layer.weights;
    for (uint16_t i = 0; i < layer.n_out; ++i) {
      const float step = scale * delta[i];
      for (const float *a = input, *end = input + layer.n_in; a != end; ++a, ++weight) {
        *weight = stepped<kDecays>(*weight, step, *a);
      }
      if (layer.bias != nullptr) layer.bias[i] -= step;
    }
  }
};

}  // namespace

void linear_forward(const LinearLayer& layer, const float* input, float* output) {
  const float* row = layer.weights;
  for (uint16_t i = 0; i < layer.n_out; ++i, row += layer.n_in) {
    const float sum = dot_f32(row, input, layer.n_in);
    output[i] = layer.bias != nullptr ? sum + layer.bias[i] : sum;
  }
}

float learning_rate_at(const SgdRule& rule, uint32_t t) {
  const float slowed = 1.0f + static_cast<float>(t) / rule.schedule_steps;
  switch (rule.schedule) {
    case Schedule::kInverseTime:
      return rule.learning_rate / slowed;
    case Schedule::kInverseSquareRoot:
      return rule.learning_rate / sqrt_f32(slowed);
    case Schedule::kConstant:
      break;
  }
  return rule.learning_rate;
}

bool sgd_step(const LinearLayer& layer, const float* input, const float* delta, const SgdRule& rule,
              StepCounts* counts) {
  const float rate = learning_rate_at(rule, counts->applied);
  const float decay = rate * rule.l2;
  float scale = rate;
  if (rule.clip_norm > 0.0f) {
    // The gradient is an outer product, so its norm is the product of the two norms.
    const float inputs = dot_f32(input, input, layer.n_in) + (layer.bias != nullptr ? 1.0f : 0.0f);
    const float norm = sqrt_f32(dot_f32(delta, delta, layer.n_out)) * sqrt_f32(inputs);
    if (norm > rule.clip_norm) scale = rate * (rule.clip_norm / norm);
  }

  // First look, then touch: nothing is written before every new weight is known to be good.
  const Step step = {layer, input, delta, scale, decay};
  const bool decays = decay != 0.0f;
  const uint32_t largest = decays ? step.look<true>() : step.look<false>();
  // A NaN fails the comparison too; an infinity does, since the limit is finite.
  if (!(float_from_bits(largest) <= rule.weight_limit)) {
    count_up(largest < kInfinite ? &counts->over_limit : &counts->not_finite);
    return false;
  }
  decays ? step.take<true>() : step.take<false>();
  count_up(&counts->applied);
  return true;
}

}  // namespace tinyol
