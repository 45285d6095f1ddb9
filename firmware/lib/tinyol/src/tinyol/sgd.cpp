#include "tinyol/fp_contract.h"

#include "tinyol/sgd.h"

#include "tinyol/float_math.h"

namespace tinyol {

// Apart: a division that most steps do without.
__attribute__((noinline)) float learning_rate_at(const SgdRule& rule, uint32_t t) {
  if (rule.schedule == Schedule::kConstant) return rule.learning_rate;
  const float slowed = 1.0f + static_cast<float>(t) / rule.schedule_steps;
  return rule.learning_rate / (rule.schedule == Schedule::kInverseTime ? slowed : sqrt_f32(slowed));
}

bool sgd_step(const LinearLayer& layer, const float* input, const float* delta, const SgdRule& rule,
              StepCounts* counts) {
  const float rate = rule.schedule == Schedule::kConstant ? rule.learning_rate
                                                          : learning_rate_at(rule, counts->applied);
  const float decay = rate * rule.l2;
  float scale = rate;
  if (rule.clip_norm > 0.0f) {
    // The gradient is an outer product, so its norm is the product of the two norms.
    const float inputs = dot_f32(input, input, layer.n_in) + (layer.bias != nullptr ? 1.0f : 0.0f);
    const float norm = sqrt_f32(dot_f32(delta, delta, layer.n_out)) * sqrt_f32(inputs);
    if (norm > rule.clip_norm) scale = rate * (rule.clip_norm / norm);
  }

  const LayerUpdate update = {input, 1.0f, delta, scale, decay};
  return update_layer(layer, update, rule.weight_limit, counts);
}

}  // namespace tinyol
