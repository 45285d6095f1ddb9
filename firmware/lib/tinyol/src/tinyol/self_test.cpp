#include "tinyol/fp_contract.h"

#include "tinyol/self_test.h"

#include <string.h>

#include "tinyol/crc32.h"
#include "tinyol/float_math.h"
#include "tinyol/image.h"
#include "tinyol/sgd.h"
#include "tinyol/xorshift.h"

namespace tinyol {
namespace {

constexpr uint16_t kFeatures = 5;
constexpr uint16_t kClasses = 3;
constexpr uint16_t kHidden = 7;  // odd on purpose: the dot product's tail is tested too
constexpr uint16_t kOutputs = 10;
constexpr uint32_t kSteps = 1000;

// The CRC that gcc and clang, x86-64 and Cortex-M4F agree on for arithmetic version 1.
constexpr uint32_t kExpectedCrc = 0x4881DAD4u;

struct Scratch {
  float mean[kFeatures];
  float variance[kFeatures];
  float softmax[kClasses * kFeatures];
  float layer[kOutputs * kHidden];
  float bias[kOutputs];
  uint32_t random;
};

// A float in [-1, 1) with 24 bits: exact everywhere.
float next(uint32_t* state) {
  return static_cast<float>(static_cast<int32_t>(xorshift32(state)) >> 8) * (1.0f / 8388608.0f);
}

void classify(Scratch* s, uint32_t step, StepCounts* counts) {
  float scaled[kFeatures];
  const float weight = 1.0f / static_cast<float>(step + 1 < 256 ? step + 1 : 256);
  for (uint16_t j = 0; j < kFeatures; ++j) {
    const float x = log_f32(1.5f + next(&s->random)) * static_cast<float>(j + 1);
    const float before = x - s->mean[j];
    s->mean[j] += before * weight;
    s->variance[j] += (before * (x - s->mean[j]) - s->variance[j]) * weight;
    const float deviation = sqrt_f32(s->variance[j]);
    scaled[j] = deviation > 0.0f ? (x - s->mean[j]) / deviation : 0.0f;
  }
  const LinearLayer layer = {s->softmax, nullptr, kFeatures, kClasses};
  float p[kClasses];
  linear_forward(layer, scaled, p);
  for (float& value : p) value = exp_f32(value);
  const float inverse = 1.0f / sum_f32(p, kClasses);
  for (float& value : p) value *= inverse;
  p[step % kClasses] -= 1.0f;
  const SgdRule rule = {0.05f, Schedule::kInverseTime, 500.0f, 1e-3f, 2.0f, 1000.0f};
  sgd_step(layer, scaled, p, rule, counts);
}

void reconstruct(Scratch* s, StepCounts* counts) {
  float hidden[kHidden];
  float output[kOutputs];
  for (float& h : hidden) h = 0.5f * (1.0f + next(&s->random));
  const LinearLayer layer = {s->layer, s->bias, kHidden, kOutputs};
  linear_forward(layer, hidden, output);
  for (float& y : output) y = sigmoid_f32(y) - 0.5f * (1.0f + next(&s->random));
  const SgdRule rule = {0.02f, Schedule::kInverseSquareRoot, 500.0f, 0.0f, 0.0f, 1000.0f};
  sgd_step(layer, hidden, output, rule, counts);
}

}  // namespace

SelfTest run_self_test() {
  Scratch s;
  memset(&s, 0, sizeof(s));
  s.random = kXorshiftSeed;
  StepCounts classifier_counts;
  StepCounts layer_counts;
  for (uint32_t step = 0; step < kSteps; ++step) {
    classify(&s, step, &classifier_counts);
    reconstruct(&s, &layer_counts);
  }
  return {kExpectedCrc, crc32(&s, sizeof(s))};
}

}  // namespace tinyol
