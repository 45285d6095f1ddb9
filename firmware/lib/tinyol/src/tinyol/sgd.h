// One step of stochastic gradient descent on a linear layer y = W a + b, guarded: a step that
// would put anything but a finite, bounded number into a weight is skipped whole.
#pragma once

#include <stdint.h>

#include "tinyol/linear_layer.h"

namespace tinyol {

enum class Schedule : uint8_t {
  kConstant = 0,           // rate
  kInverseTime = 1,        // rate / (1 + t / schedule_steps): Robbins and Monro (1951)
  kInverseSquareRoot = 2,  // rate / sqrt(1 + t / schedule_steps)
};

struct SgdRule {
  float learning_rate;
  Schedule schedule;
  float schedule_steps;
  float l2;            // weight decay: adds l2 * w to the gradient of each weight, not of a bias
  float clip_norm;     // the gradient's Frobenius norm is cut to this; 0 = no limit
  float weight_limit;  // no |weight| may pass it
};

// The rate at step t (steps applied so far).
float learning_rate_at(const SgdRule& rule, uint32_t t);

// W -= rate (delta a^T + l2 W);  b -= rate delta. `delta` is dL/dy, (n_out); `input` is a,
// (n_in). Returns whether the step was applied, and counts it.
bool sgd_step(const LinearLayer& layer, const float* input, const float* delta, const SgdRule& rule,
              StepCounts* counts);

}  // namespace tinyol
