#include "tinyol/fp_contract.h"

#include "tinyol/softmax_head.h"

#include <string.h>

#include "tinyol/count_up.h"
#include "tinyol/float_math.h"
#include "tinyol/layer_section.h"

namespace tinyol {
namespace {

constexpr float kLeastBalance = 0.1f;
constexpr float kMostBalance = 10.0f;

// N / (K n), cut.
float balance(const uint32_t* lessons, uint16_t n_classes, uint16_t truth) {
  uint64_t all = 0;
  for (uint16_t k = 0; k < n_classes; ++k) all += lessons[k];
  const float mean = static_cast<float>(all) / static_cast<float>(n_classes);
  const float weight = mean / static_cast<float>(lessons[truth]);
  if (weight < kLeastBalance) return kLeastBalance;
  return weight < kMostBalance ? weight : kMostBalance;
}

}  // namespace

void SoftmaxHead::reset(uint16_t features) {
  n_features = features;
  n_classes = 0;
  steps = StepCounts();
  memset(lessons, 0, sizeof(lessons));
  memset(bias, 0, sizeof(bias));
  memset(weights, 0, sizeof(weights));
  weight_bound = kUnknownBound;
}

void SoftmaxHead::restart_class(uint16_t index) {
  lessons[index] = 0;
  bias[index] = 0.0f;
  memset(weights + index * n_features, 0, n_features * sizeof(float));
}

void SoftmaxHead::add_class() {
  restart_class(n_classes++);
}

void SoftmaxHead::remove_class(uint16_t index) {
  const uint16_t behind = static_cast<uint16_t>(n_classes - index - 1);
  memmove(lessons + index, lessons + index + 1, behind * sizeof(uint32_t));
  memmove(bias + index, bias + index + 1, behind * sizeof(float));
  float* row = weights + index * n_features;
  memmove(row, row + n_features, static_cast<size_t>(behind) * n_features * sizeof(float));
  restart_class(--n_classes);
}

int SoftmaxHead::predict(const float* scaled, float* probabilities) const {
  if (n_classes == 0) return -1;
  const float* row = weights;
  for (uint32_t k = 0; k < n_classes; ++k, row += n_features) {
    probabilities[k] = dot_f32(row, scaled, n_features) + bias[k];
  }
  return softmax_f32(probabilities, n_classes);
}

bool SoftmaxHead::learn(const float* scaled, const float* probabilities, uint16_t truth,
                        const SoftmaxRule& rule, bool new_lesson) {
  if (new_lesson) count_up(&lessons[truth]);
  float delta[kMaxClasses];
  for (uint32_t k = 0; k < n_classes; ++k) {
    delta[k] = probabilities[k] - (k == truth ? 1.0f : 0.0f);
  }
  if (rule.balanced && new_lesson) {
    const float weight = balance(lessons, n_classes, truth);
    for (uint16_t k = 0; k < n_classes; ++k) delta[k] *= weight;
  }
  if (rule.bias != bound_has_bias) weight_bound = kUnknownBound;
  bound_has_bias = rule.bias;
  const LinearLayer layer = {weights, rule.bias ? bias : nullptr, n_features, n_classes,
                             &weight_bound};
  return sgd_step(layer, scaled, delta, rule.sgd, &steps);
}

void SoftmaxHead::write(ByteWriter* out) const {
  write_layer(out, n_features, n_classes, steps, 0, weights, bias);
  for (uint16_t k = 0; k < n_classes; ++k) out->u32(lessons[k]);
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
    target = {&into->steps, nullptr, into->weights, into->bias};
  }
  const Status status = read_layer(in, "SOFT", n_features, n_classes, true, target, refusal);
  if (status != Status::kOk) return status;
  for (uint16_t k = 0; k < n_classes; ++k) {
    const uint32_t count = in->u32();
    if (into != nullptr) into->lessons[k] = count;
  }
  return in->ok() ? Status::kOk : refuse(refusal, Status::kTruncated, "SOFT lessons");
}

float cross_entropy(const float* probabilities, uint16_t truth) {
  const float p = probabilities[truth];
  return -log_f32(p > 1e-7f ? p : 1e-7f);
}

}  // namespace tinyol
