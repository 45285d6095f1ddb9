// The heads behind one face. Every lesson teaches all of them, so that classifier.head can be
// turned at any time and forgets nothing; one of them predicts.
#pragma once

#include <stdint.h>

#include "tinyol/capacity.h"
#include "tinyol/gaussian_head.h"
#include "tinyol/rehearsal_buffer.h"
#include "tinyol/running_stats.h"
#include "tinyol/settings.h"
#include "tinyol/softmax_head.h"

namespace tinyol {

enum class Head : uint8_t { kSoftmax = 0, kGaussian = 1 };

// What the settings say of each head's lessons.
SoftmaxRule softmax_rule(const Settings& settings);
GaussianRule gaussian_rule(const Settings& settings);

struct Classifier {
  uint32_t lessons = 0;   // learned; stops at 2^32 - 1
  SoftmaxHead softmax;    // on standardised features
  GaussianHead gaussian;  // on unscaled ones
  RehearsalBuffer rehearsal;

  void add_class();
  void remove_class(uint16_t index);
  void restart_class(uint16_t index);

  // probabilities: (n_classes), of the head in use. Returns the likeliest class; -1 without one.
  // *novelty is the Gaussian head's, whichever predicts. scaled: (n_features) or null; gets the
  // standardised features where the softmax head predicts.
  int predict(const float* features, const RunningStats& statistics, const Settings& settings,
              float* probabilities, float* novelty, float* scaled = nullptr) const;

  // One lesson for all heads; then as many rehearsed ones for the softmax head as
  // classifier.rehearsal says, and the buffer is offered the lesson. Returns whether the head in
  // use took it. scaled, probabilities: what predict() has just made of the same features, so that
  // it is not worked out twice; null: it is worked out.
  bool learn(const float* features, const RunningStats& statistics, uint16_t truth,
             const Settings& settings, const float* scaled = nullptr,
             const float* probabilities = nullptr);
};

}  // namespace tinyol
