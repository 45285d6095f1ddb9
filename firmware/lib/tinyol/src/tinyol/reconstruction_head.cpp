#include "tinyol/fp_contract.h"

#include "tinyol/reconstruction_head.h"

#include <string.h>

#include "tinyol/count_up.h"
#include "tinyol/float_math.h"
#include "tinyol/layer_section.h"

namespace tinyol {

void ReconstructionHead::reset(uint16_t hidden, uint16_t outputs, bool with_bias) {
  n_hidden = hidden;
  n_outputs = outputs;
  has_bias = with_bias;
  steps = StepCounts();
  clamped_targets = 0;
  memset(weights, 0, sizeof(weights));
  memset(bias, 0, sizeof(bias));
  weight_bound = kUnknownBound;
}

void ReconstructionHead::predict(const float* hidden, ReconstructionLoss loss,
                                 float* output) const {
  // Only read from here on.
  linear_forward(const_cast<ReconstructionHead*>(this)->layer(), hidden, output);
  if (loss == ReconstructionLoss::kLinearSquared) return;
  for (uint16_t i = 0; i < n_outputs; ++i) output[i] = sigmoid_f32(output[i]);
}

bool ReconstructionHead::learn(const float* hidden, const float* target, ReconstructionLoss loss,
                               const SgdRule& rule, float* output) {
  if (loss == ReconstructionLoss::kLinearSquared) {
    subtract_scaled_f32(output, target, n_outputs, 1.0f);
    return sgd_step(layer(), hidden, output, rule, &steps);
  }
  for (uint16_t i = 0; i < n_outputs; ++i) {
    const float y = output[i];
    float x = target[i];
    if (!(x >= 0.0f && x <= 1.0f)) {
      x = x > 1.0f ? 1.0f : 0.0f;
      count_up(&clamped_targets);
    }
    float delta = y - x;
    if (loss == ReconstructionLoss::kSigmoidSquared) {
      delta *= y * (1.0f - y);
    } else if (loss == ReconstructionLoss::kPaperEquation5) {
      const float twice = sigmoid_f32(y);
      delta *= twice * (1.0f - twice);
    }
    output[i] = delta;
  }
  return sgd_step(layer(), hidden, output, rule, &steps);
}

void ReconstructionHead::write(ByteWriter* out) const {
  write_layer(out, n_hidden, n_outputs, steps, clamped_targets, weights, has_bias ? bias : nullptr);
}

Status ReconstructionHead::read(ByteReader* in, uint16_t n_hidden, uint16_t n_outputs,
                                bool has_bias, ReconstructionHead* into, Refusal* refusal) {
  LayerTarget target;
  if (into != nullptr) {
    into->reset(n_hidden, n_outputs, has_bias);
    target = {&into->steps, &into->clamped_targets, into->weights, into->bias};
  }
  return read_layer(in, "RECO", n_hidden, n_outputs, has_bias, target, refusal);
}

float mean_squared_error(const float* a, const float* b, uint16_t n) {
  return squared_distance_f32(a, b, n) / static_cast<float>(n);
}

}  // namespace tinyol
