// Algorithm 1 of the paper, a window at a time and for both its uses: the reconstruction layer
// that is fine-tuned with the window itself as truth, and the classifier that learns when a
// label is there.
//
//   features = frozen(x);  fine-tune the last layer if asked to
//   update running mean and variance;  standardise
//   predict;  if labelled: update the metrics, then one gradient step
#pragma once

#include <stdint.h>

#include "tinyol/contradiction.h"
#include "tinyol/feature_ring.h"
#include "tinyol/frozen_net.h"
#include "tinyol/learned_state.h"
#include "tinyol/model.h"
#include "tinyol/status.h"
#include "tinyol/windower.h"

namespace tinyol {

constexpr int kNoClass = -1;
constexpr uint32_t kUntilStopped = UINT32_MAX;
constexpr float kLargestFeature = 1e12f;  // one beyond it could overflow its running variance

// ln of a reconstruction error, held above 1e-12: below the error of any int8 net.
float log_of_error(float error);

// What became of one window.
struct WindowResult {
  uint64_t sample_index = 0;  // of its last sample, from 0
  uint64_t window_index = 0;  // from 0
  float error = 0.0f;         // frozen net's mean squared reconstruction error
  float tuned_error = 0.0f;   // the fine-tuned layer's, before this window's step; equal to
                              // `error` where that layer is not in use, or out of range
  float log_variance = 0.0f;  // of the window, ln g^2
  float confidence = 0.0f;    // probability of `predicted`; 0 without classes
  float loss = 0.0f;          // cross-entropy before the step; 0 without a label
  float score = 0.0f;         // the anomaly detector's, as a share of its limit: above 1 an
                              // anomaly; 0 while it settles or a calibration is under way
  float novelty = 0.0f;       // distance from the nearest class as a share of that class's limit:
                              // above 1 no class explains the window; 0 where that is not known
  int16_t predicted = kNoClass;
  int16_t label = kNoClass;
  bool anomaly = false;     // score > 1
  bool learned = false;     // the classifier took a step
  bool fine_tuned = false;  // the reconstruction layer took a step
  bool alarm = false;       // an alarm stands: anomaly.raise_windows anomalies in a row raised it
  bool unknown = false;     // novelty > 1, and no label
  uint16_t notices = 0;     // bits: what began or ended with this window
};

// Bits of WindowResult::notices.
constexpr uint16_t kNoticeAlarmBegan = 1;
constexpr uint16_t kNoticeAlarmEnded = 2;
constexpr uint16_t kNoticeUnknownBegan = 4;
constexpr uint16_t kNoticeUnknownEnded = 8;
constexpr uint16_t kNoticeMovedBegan = 16;   // the sensor hangs otherwise than it did: calibrate
constexpr uint16_t kNoticeMovedEnded = 32;   // ... it hangs as before
constexpr uint16_t kNoticeChanged = 64;      // the machine's error has shifted: fine-tune?
constexpr uint16_t kNoticeCalibrated = 128;  // a calibration is complete

// A calibration under way: fine-tuning first, then windows that say anew what is normal.
struct Calibration {
  uint32_t windows_left = 0;  // 0: none is under way
  NormalStats fresh;
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

  // What speaks against calling the last window `truth`, or those that learn_back would learn. The
  // last window must have been usable.
  Contradiction contradiction(uint16_t truth) const;
  Contradiction contradiction_back(uint16_t truth, uint16_t windows) const;

  // Class `index` begins anew, from the last `windows` feature vectors, whatever they were used
  // for; the other classes stay as they are. Returns the lessons; 0 if there are no vectors, and
  // then nothing has changed.
  uint16_t relearn(uint16_t index, uint16_t windows);

  // Class `truth` learns the vectors kept of an unknown event, which then counts as named.
  // Returns the lessons; 0 if the event is not kept or was named before.
  uint16_t learn_unknown(uint32_t number, uint16_t truth);

  // Fine-tunes for `fine_tune_steps` windows, then takes what normal is, and gravity's direction,
  // anew from the next `windows` ones. No anomaly is told meanwhile. 0 windows: ends one under
  // way, with its fine-tuning; what normal was before stands. So does a window in which nothing
  // moves at all: that is a dead sensor, and no place or machine has a normal like it.
  void calibrate(uint32_t fine_tune_steps, uint32_t windows);
  const Calibration& calibration() const { return calibration_; }

  Status add_class(const char* name, uint32_t length, uint16_t* index, Refusal* refusal);
  Status remove_class(uint16_t index);
  // `index` in the settings' table, or negative. What hangs on the setting begins anew with it.
  Status set(int index, float value, Refusal* refusal);

  // The next `steps` windows each take one fine-tuning step; kUntilStopped, or 0 to stop.
  void fine_tune(uint32_t steps) { fine_tune_left_ = steps; }
  uint32_t fine_tune_left() const { return fine_tune_left_; }
  // Forgets what is under way: fine-tuning, calibrating, and the vectors kept for late labels.
  void forget_transient();

  uint16_t windows_kept() const { return ring_.size; }  // for late labels
  uint16_t n_features() const { return state.statistics.n_features; }
  const float* features() const { return features_; }            // of the last window, unscaled
  const float* probabilities() const { return probabilities_; }  // of the last window

  FrozenNet* net() const { return net_; }

  LearnedState state;

 private:
  bool read_embedding();                             // the first features; false if out of range
  void assemble(float error, const Window& window);  // the features behind them
  int predict(const float* features, float* novelty);
  void teach(const float* features, uint16_t truth, int predicted, WindowResult* result);
  uint16_t teach_back(uint16_t truth, uint16_t windows, bool labelled_too);
  bool reconstruct(const Window& window, WindowResult* result);
  void teach_once(const float* features, uint16_t truth);
  bool rehearses(const TensorView& input) const;
  // From hidden_ and output_, the layer's answer to it; output_ is overwritten.
  bool fine_tune_step(const float* target, ReconstructionLoss loss);
  void rehearse(ReconstructionLoss loss);
  void watch(const Window& window, WindowResult* result);
  void act_on_drift();
  void calibrate_on(float log_error, float log_variance, WindowResult* result);

  const Model* model_ = nullptr;
  FrozenNet* net_ = nullptr;
  uint32_t fine_tune_left_ = 0;
  Calibration calibration_;
  FeatureRing ring_;
  float features_[kMaxFeatures] = {};
  float scaled_[kMaxFeatures] = {};  // standardised: of the features predicted last
  float probabilities_[kMaxClasses] = {};
  float hidden_[kMaxHidden] = {};
  float output_[kMaxInputs] = {};
};

}  // namespace tinyol
