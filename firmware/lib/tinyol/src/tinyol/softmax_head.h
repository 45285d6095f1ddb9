// The paper's multi-class head: one weight vector a class, softmax, cross-entropy, SGD.
//   eq. (6)  z_k = sum_j w_kj a_j;  p = softmax(z)
//   eq. (7)  L = -log p_truth
//   eq. (8)  w_kj -= rate (p_k - [k = truth]) a_j
// (Ren, Anicic, Runkler 2021.) No bias, as in the paper: the features are standardised.
// A new class starts at zero: it is no likelier than the features' mean makes it.
#pragma once

#include <stdint.h>

#include "tinyol/bytes.h"
#include "tinyol/capacity.h"
#include "tinyol/sgd.h"
#include "tinyol/status.h"

namespace tinyol {

struct SoftmaxHead {
  uint16_t n_features = 0;
  uint16_t n_classes = 0;
  StepCounts steps;
  float weights[kMaxClasses * kMaxFeatures] = {};  // row-major (n_classes, n_features)

  void reset(uint16_t features);
  void add_class();
  void remove_class(uint16_t index);  // rows behind it move up

  // probabilities: (n_classes), sum 1. Returns the likeliest class, the first of equals; -1
  // without classes.
  int predict(const float* scaled, float* probabilities) const;

  // One step towards class `truth`, given predict()'s probabilities for the same features.
  // Returns whether it was applied.
  bool learn(const float* scaled, const float* probabilities, uint16_t truth, const SgdRule& rule);

  void write(ByteWriter* out) const;
  static Status read(ByteReader* in, uint16_t n_features, uint16_t n_classes, SoftmaxHead* into,
                     Refusal* refusal);
};

// -log p_truth, with p_truth held above 1e-7 so that one surprise cannot drown a running mean.
float cross_entropy(const float* probabilities, uint16_t truth);

}  // namespace tinyol
