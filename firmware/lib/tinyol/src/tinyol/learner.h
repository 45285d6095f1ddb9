// Algorithm 1 of the paper, a window at a time and for both its uses: the reconstruction layer
// that is fine-tuned with the window itself as truth, and the classifier that learns when a
// label is there.
//
//   features = frozen(x);  fine-tune the last layer if asked to
//   update running mean and variance;  standardise
//   predict;  if labelled: update the metrics, then one gradient step
#pragma once

#include <stdint.h>

#include "tinyol/feature_ring.h"
#include "tinyol/frozen_net.h"
#include "tinyol/learned_state.h"
#include "tinyol/model.h"
#include "tinyol/status.h"
#include "tinyol/windower.h"

namespace tinyol {

constexpr int kNoClass = -1;
constexpr uint32_t kUntilStopped = UINT32_MAX;

// What became of one window.
struct WindowResult {
  uint64_t sample_index = 0;  // of its last sample, from 0
  uint64_t window_index = 0;  // from 0
  float error = 0.0f;         // frozen net's mean squared reconstruction error
  float tuned_error = 0.0f;   // the fine-tuned layer's, before this window's step; equal to
                              // `error` where nothing was fine-tuned or it is out of range
  float log_variance = 0.0f;  // of the window, ln g^2
  float confidence = 0.0f;    // probability of `predicted`; 0 without classes
  float loss = 0.0f;          // cross-entropy before the step; 0 without a label
  int16_t predicted = kNoClass;
  int16_t label = kNoClass;
  bool anomaly = false;     // the error in force is above anomaly.threshold
  bool learned = false;     // the classifier took a step
  bool fine_tuned = false;  // the reconstruction layer took a step
};

class Learner {
 public:
  // Checks that model and net fit each other and this build's capacities, then resets.
  Status begin(const Model& model, FrozenNet* net, Refusal* refusal);
  void reset();

  // One window, with the label `truth` or kNoClass. False if the net gave nothing usable: the
  // window is counted as refused and teaches nothing.
  bool process(const Window& window, int truth, WindowResult* result);

  // Learns class `truth` from the last `windows` feature vectors that were not labelled yet,
  // oldest first. Returns how many lessons that were.
  uint16_t learn_back(uint16_t truth, uint16_t windows);

  Status add_class(const char* name, uint32_t length, uint16_t* index, Refusal* refusal);
  Status remove_class(uint16_t index);

  // The next `steps` windows each take one fine-tuning step; kUntilStopped, or 0 to stop.
  void fine_tune(uint32_t steps) { fine_tune_left_ = steps; }
  uint32_t fine_tune_left() const { return fine_tune_left_; }
  // Forgets what is under way: fine-tuning, and the vectors kept for late labels.
  void forget_transient();

  uint16_t n_features() const { return state.statistics.n_features; }
  const float* features() const { return features_; }            // of the last window, unscaled
  const float* probabilities() const { return probabilities_; }  // of the last window

  FrozenNet* net() const { return net_; }

  LearnedState state;

 private:
  bool read_embedding();                           // the first features; false if out of range
  void assemble(float error, float log_variance);  // the features behind them
  void teach(uint16_t truth, int predicted, WindowResult* result);
  bool reconstruct(const Window& window, WindowResult* result);

  const Model* model_ = nullptr;
  FrozenNet* net_ = nullptr;
  uint32_t fine_tune_left_ = 0;
  FeatureRing ring_;
  float features_[kMaxFeatures] = {};
  float scaled_[kMaxFeatures] = {};
  float probabilities_[kMaxClasses] = {};
  float hidden_[kMaxHidden] = {};
  float output_[kMaxInputs] = {};
};

}  // namespace tinyol
