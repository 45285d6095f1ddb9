#include "tinyol/fp_contract.h"

#include "tinyol/sgd.h"

#include "tinyol/count_up.h"
#include "tinyol/float_math.h"

namespace tinyol {
namespace {

constexpr float kLargestFinite = 3.40282347e38f;

inline float stepped(float weight, float step, float input, float decay) {
  return weight - (step * input + decay * weight);
}

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
  // A NaN and an infinity fail the comparison too, since the limit is finite.
  bool good = true;
  bool finite = true;
  const float* row = layer.weights;
  for (uint16_t i = 0; i < layer.n_out; ++i, row += layer.n_in) {
    const float step = scale * delta[i];
    for (uint16_t j = 0; j < layer.n_in; ++j) {
      const float size = __builtin_fabsf(stepped(row[j], step, input[j], decay));
      good &= size <= rule.weight_limit;
      finite &= size <= kLargestFinite;
    }
    if (layer.bias != nullptr) {
      const float size = __builtin_fabsf(layer.bias[i] - step);
      good &= size <= rule.weight_limit;
      finite &= size <= kLargestFinite;
    }
  }
  if (!good) {
    count_up(finite ? &counts->over_limit : &counts->not_finite);
    return false;
  }

  float* weights = layer.weights;
  for (uint16_t i = 0; i < layer.n_out; ++i, weights += layer.n_in) {
    const float step = scale * delta[i];
    for (uint16_t j = 0; j < layer.n_in; ++j) {
      weights[j] = stepped(weights[j], step, input[j], decay);
    }
    if (layer.bias != nullptr) layer.bias[i] -= step;
  }
  count_up(&counts->applied);
  return true;
}

}  // namespace tinyol
