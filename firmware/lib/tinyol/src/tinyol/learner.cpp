#include "tinyol/fp_contract.h"

#include "tinyol/learner.h"

#include "tinyol/count_up.h"
#include "tinyol/float_math.h"
#include "tinyol/quantize.h"

namespace tinyol {
namespace {

// A feature beyond this could overflow its running variance.
constexpr float kMaxFeature = 1e12f;
// Below the error of any int8 net; keeps the logarithm's input away from zero.
constexpr float kMinError = 1e-12f;

SgdRule classifier_rule(const Settings& s) {
  return {s[Setting::kClassifierRate],
          static_cast<Schedule>(static_cast<uint8_t>(s[Setting::kClassifierSchedule])),
          s[Setting::kClassifierScheduleSteps],
          s[Setting::kClassifierL2],
          s[Setting::kClassifierClipNorm],
          s[Setting::kClassifierWeightLimit]};
}

SgdRule reconstruction_rule(const Settings& s) {
  return {s[Setting::kReconstructionRate],
          static_cast<Schedule>(static_cast<uint8_t>(s[Setting::kReconstructionSchedule])),
          s[Setting::kReconstructionScheduleSteps],
          s[Setting::kReconstructionL2],
          s[Setting::kReconstructionClipNorm],
          s[Setting::kReconstructionWeightLimit]};
}

uint32_t horizon(const Settings& s) {
  return static_cast<uint32_t>(s[Setting::kStatisticsHorizon]);
}

// What the model needs against what the net or this build has.
struct Need {
  const char* what;
  uint32_t need;
  uint32_t have;
  bool exactly;

  Status check(Refusal* refusal) const {
    if (exactly ? need == have : need <= have) return Status::kOk;
    return refuse(refusal, exactly ? Status::kMalformed : Status::kTooSmall, what, need, have);
  }
};

uint32_t count_features(const Pipeline& pipeline, uint32_t embedding_len) {
  uint32_t n = 0;
  if (pipeline.features & kFeatureEmbedding) n += embedding_len;
  if (pipeline.features & kFeatureError) ++n;
  if (pipeline.features & kFeatureLogError) ++n;
  if (pipeline.features & kFeatureLogVariance) ++n;
  return n;
}

}  // namespace

Status Learner::begin(const Model& model, FrozenNet* net, Refusal* refusal) {
  const uint32_t inputs = model.pipeline.inputs();
  const uint32_t features = count_features(model.pipeline, net->output(Tap::kEmbedding).length);
  const Need needs[] = {
      {"net input", inputs, net->input().length, true},
      {"net reconstruction", inputs, net->output(Tap::kReconstruction).length, true},
      {"net hidden layer", model.n_hidden, net->output(Tap::kHidden).length, true},
      {"TINYOL_MAX_INPUTS", inputs, kMaxInputs, false},
      {"TINYOL_MAX_HIDDEN", model.n_hidden, kMaxHidden, false},
      {"TINYOL_MAX_FEATURES", features, kMaxFeatures, false},
      {"TINYOL_MAX_CLASSES", model.max_classes, kMaxClasses, false},
      {"TINYOL_MAX_RING", model.ring_len, kMaxRing, false},
  };
  for (const Need& need : needs) {
    const Status status = need.check(refusal);
    if (status != Status::kOk) return status;
  }
  model_ = &model;
  net_ = net;
  state.statistics.n_features = static_cast<uint16_t>(features);
  reset();
  return Status::kOk;
}

void Learner::reset() {
  state.reset(*model_, n_features());
  forget_transient();
}

void Learner::forget_transient() {
  fine_tune_left_ = 0;
  ring_.reset(n_features(), model_->ring_len);
}

bool Learner::reconstruct(const Window& window, WindowResult* result) {
  const uint16_t n = model_->n_outputs;
  write_tensor(net_->input(), window.input, n);
  if (!net_->invoke()) return false;
  read_tensor(net_->output(Tap::kReconstruction), output_, n);
  result->error = mean_squared_error(window.input, output_, n);
  result->tuned_error = result->error;
  if (!(result->error <= kMaxFeature) || !read_embedding()) return false;

  ReconstructionHead& head = state.reconstruction;
  const bool in_use = head.steps.applied > 0 || fine_tune_left_ > 0 ||
                      model_->pipeline.error_source == ErrorSource::kTuned;
  if (!in_use) return true;
  const ReconstructionLoss loss = static_cast<ReconstructionLoss>(
      static_cast<uint8_t>(state.settings[Setting::kReconstructionLoss]));
  read_tensor(net_->output(Tap::kHidden), hidden_, model_->n_hidden);
  head.predict(hidden_, loss, output_);
  // Weights near a very high limit can put the layer's error out of range: then the frozen
  // net's stands for it, and the step below is skipped or repairs the layer.
  const float tuned_error = mean_squared_error(window.input, output_, n);
  if (tuned_error <= kMaxFeature) result->tuned_error = tuned_error;
  if (fine_tune_left_ > 0) {
    if (fine_tune_left_ != kUntilStopped) --fine_tune_left_;
    result->fine_tuned =
        head.learn(hidden_, window.input, loss, reconstruction_rule(state.settings), output_);
  }
  return true;
}

bool Learner::read_embedding() {
  if (!(model_->pipeline.features & kFeatureEmbedding)) return true;
  const TensorView embedding = net_->output(Tap::kEmbedding);
  read_tensor(embedding, features_, embedding.length);
  for (uint16_t j = 0; j < embedding.length; ++j) {
    if (!(features_[j] <= kMaxFeature && features_[j] >= -kMaxFeature)) return false;
  }
  return true;
}

void Learner::assemble(float error, float log_variance) {
  const uint8_t wanted = model_->pipeline.features;
  uint16_t n = wanted & kFeatureEmbedding ? net_->output(Tap::kEmbedding).length : 0;
  if (wanted & kFeatureError) features_[n++] = error;
  if (wanted & kFeatureLogError) features_[n++] = log_f32(error > kMinError ? error : kMinError);
  if (wanted & kFeatureLogVariance) features_[n++] = log_variance;
}

void Learner::teach(uint16_t truth, int predicted, WindowResult* result) {
  result->label = static_cast<int16_t>(truth);
  result->loss = cross_entropy(probabilities_, truth);
  state.metrics.add_prediction(truth, static_cast<uint16_t>(predicted), result->loss,
                               horizon(state.settings));
  if (state.settings[Setting::kClassifierLearn] != 0.0f) {
    result->learned =
        state.classifier.learn(scaled_, probabilities_, truth, classifier_rule(state.settings));
  }
}

bool Learner::process(const Window& window, int truth, WindowResult* result) {
  *result = WindowResult();
  result->window_index = state.counters.windows;
  if (state.counters.windows < kMostSamples) ++state.counters.windows;
  result->log_variance = window.log_variance;
  if (!reconstruct(window, result)) {
    count_up(&state.counters.refused_windows);
    return false;
  }
  result->anomaly = result->tuned_error > state.settings[Setting::kAnomalyThreshold];
  state.metrics.add_error(result->tuned_error, horizon(state.settings));

  const bool tuned = model_->pipeline.error_source == ErrorSource::kTuned;
  assemble(tuned ? result->tuned_error : result->error, window.log_variance);
  if (state.settings[Setting::kStatisticsLearn] != 0.0f) {
    state.statistics.update(features_, horizon(state.settings));
  }
  standardise(state.statistics, features_, scaled_);

  const int predicted = state.classifier.predict(scaled_, probabilities_);
  result->predicted = static_cast<int16_t>(predicted);
  if (predicted >= 0) result->confidence = probabilities_[predicted];
  const bool labelled = predicted >= 0 && truth >= 0 && truth < state.classes.size;
  if (labelled) teach(static_cast<uint16_t>(truth), predicted, result);
  ring_.push(features_, labelled);
  return true;
}

uint16_t Learner::learn_back(uint16_t truth, uint16_t windows) {
  if (truth >= state.classes.size) return 0;
  uint16_t lessons = 0;
  for (uint16_t age = windows < ring_.size ? windows : ring_.size; age > 0; --age) {
    const uint16_t slot = ring_.slot(static_cast<uint16_t>(age - 1));
    if (ring_.labelled[slot]) continue;
    ring_.labelled[slot] = true;
    standardise(state.statistics, ring_.at(slot), scaled_);
    const int predicted = state.classifier.predict(scaled_, probabilities_);
    WindowResult unused;
    teach(truth, predicted, &unused);
    ++lessons;
  }
  return lessons;
}

Status Learner::add_class(const char* name, uint32_t length, uint16_t* index, Refusal* refusal) {
  const Status status = state.classes.add(name, length, index, refusal);
  if (status != Status::kOk) return status;
  state.classifier.add_class();
  state.metrics.add_class();
  return Status::kOk;
}

Status Learner::remove_class(uint16_t index) {
  const Status status = state.classes.remove(index);
  if (status != Status::kOk) return status;
  state.classifier.remove_class(index);
  state.metrics.remove_class(index);
  return Status::kOk;
}

}  // namespace tinyol
