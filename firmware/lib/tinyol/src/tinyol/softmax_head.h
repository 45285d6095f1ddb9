// The paper's multi-class head: one weight vector a class, softmax, cross-entropy, SGD.
//   eq. (6)  z_k = sum_j w_kj a_j;  p = softmax(z)
//   eq. (7)  L = -log p_truth
//   eq. (8)  w_kj -= rate (p_k - [k = truth]) a_j
// (Ren, Anicic, Runkler 2021.) The paper has no bias, the features being standardised; with one,
// a step moves it by -rate (p_k - [k = truth]). Class-balanced steps are weighted with
// N / (K n_truth) for n_truth of N lessons (King and Zeng, Political Analysis 9(2), 2001), cut to
// 0.1 .. 10, so that a class seen rarely is not outvoted; rehearsed ones are not, since the buffer
// they come from is balanced.
// A new class starts at zero: it is no likelier than the features' mean makes it.
#pragma once

#include <stdint.h>

#include "tinyol/bytes.h"
#include "tinyol/capacity.h"
#include "tinyol/sgd.h"
#include "tinyol/status.h"

namespace tinyol {

struct SoftmaxRule {
  SgdRule sgd;
  bool bias;      // learn the biases too; else they stay as they are
  bool balanced;  // class-balanced steps
};

struct SoftmaxHead {
  uint16_t n_features = 0;
  uint16_t n_classes = 0;
  StepCounts steps;
  uint32_t lessons[kMaxClasses] = {};  // of each class; stop at 2^32 - 1
  float bias[kMaxClasses] = {};
  float weights[kMaxClasses * kMaxFeatures] = {};  // row-major (n_classes, n_features)
  float weight_bound = kUnknownBound;  // LinearLayer's; this and the next are not learned
  bool bound_has_bias = false;         // it bounds the biases too

  void reset(uint16_t features);
  void add_class();
  void remove_class(uint16_t index);   // rows behind it move up
  void restart_class(uint16_t index);  // its weights, bias and lessons are zero again

  // probabilities: (n_classes), sum 1. Returns the likeliest class, the first of equals; -1
  // without classes.
  int predict(const float* scaled, float* probabilities) const;

  // One step towards class `truth`, given predict()'s probabilities for the same features.
  // Returns whether it was applied.
  // `new_lesson`: false when it is rehearsed, which counts no lesson.
  bool learn(const float* scaled, const float* probabilities, uint16_t truth,
             const SoftmaxRule& rule, bool new_lesson = true);

  // Section SOFT: a layer with bias (layer_section.h), then u32[k] lessons.
  void write(ByteWriter* out) const;
  static Status read(ByteReader* in, uint16_t n_features, uint16_t n_classes, SoftmaxHead* into,
                     Refusal* refusal);
};

// -log p_truth, with p_truth held above 1e-7 so that one surprise cannot drown a running mean.
float cross_entropy(const float* probabilities, uint16_t truth);

}  // namespace tinyol
