#include "tinyol/fp_contract.h"

#include "tinyol/softmax_head.h"

#include <string.h>

#include "tinyol/float_math.h"
#include "tinyol/layer_section.h"

namespace tinyol {

void SoftmaxHead::reset(uint16_t features) {
  n_features = features;
  n_classes = 0;
  steps = StepCounts();
  memset(weights, 0, sizeof(weights));
}

void SoftmaxHead::add_class() {
  memset(weights + n_classes * n_features, 0, n_features * sizeof(float));
  ++n_classes;
}

void SoftmaxHead::remove_class(uint16_t index) {
  float* row = weights + index * n_features;
  memmove(row, row + n_features, (n_classes - index - 1u) * n_features * sizeof(float));
  --n_classes;
  memset(weights + n_classes * n_features, 0, n_features * sizeof(float));
}

int SoftmaxHead::predict(const float* scaled, float* probabilities) const {
  if (n_classes == 0) return -1;
  int best = 0;
  for (uint16_t k = 0; k < n_classes; ++k) {
    probabilities[k] = dot_f32(weights + k * n_features, scaled, n_features);
    if (probabilities[k] > probabilities[best]) best = k;
  }
  const float highest = probabilities[best];
  for (uint16_t k = 0; k < n_classes; ++k) probabilities[k] = exp_f32(probabilities[k] - highest);
  const float inverse = 1.0f / sum_f32(probabilities, n_classes);
  for (uint16_t k = 0; k < n_classes; ++k) probabilities[k] *= inverse;
  return best;
}

bool SoftmaxHead::learn(const float* scaled, const float* probabilities, uint16_t truth,
                        const SgdRule& rule) {
  float delta[kMaxClasses];
  memcpy(delta, probabilities, n_classes * sizeof(float));
  delta[truth] -= 1.0f;
  const LinearLayer layer = {weights, nullptr, n_features, n_classes};
  return sgd_step(layer, scaled, delta, rule, &steps);
}

void SoftmaxHead::write(ByteWriter* out) const {
  write_layer(out, n_features, n_classes, steps, 0, weights, nullptr);
}

Status SoftmaxHead::read(ByteReader* in, uint16_t n_features, uint16_t n_classes, SoftmaxHead* into,
                         Refusal* refusal) {
  constexpr uint32_t kClampedAt = 20;  // a classifier has no targets to clamp
  ByteReader ahead = *in;
  ahead.bytes(kClampedAt);
  if (ahead.u32() != 0) return refuse(refusal, Status::kMalformed, "SOFT clamped");
  LayerTarget target;
  if (into != nullptr) {
    into->reset(n_features);
    into->n_classes = n_classes;
    target = {&into->steps, nullptr, into->weights, nullptr};
  }
  return read_layer(in, "SOFT", n_features, n_classes, false, target, refusal);
}

float cross_entropy(const float* probabilities, uint16_t truth) {
  const float p = probabilities[truth];
  return -log_f32(p > 1e-7f ? p : 1e-7f);
}

}  // namespace tinyol
