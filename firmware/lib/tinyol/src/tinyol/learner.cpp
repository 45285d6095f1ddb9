#include "tinyol/fp_contract.h"

#include "tinyol/learner.h"

#include "tinyol/count_up.h"
#include "tinyol/float_math.h"
#include "tinyol/quantize.h"

namespace tinyol {
namespace {

// Below the error of any int8 net; keeps the logarithm's input away from zero.
constexpr float kMinError = 1e-12f;

uint32_t horizon(const Settings& s) {
  return s.whole(Setting::kStatisticsHorizon);
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
  if (pipeline.features & kFeatureAxisLogVariance) n += 3;
  return n;
}

}  // namespace

float log_of_error(float error) {
  return log_f32(error > kMinError ? error : kMinError);
}

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
      {"TINYOL_MAX_WINDOW", model.pipeline.window_len, kMaxWindow, false},
      {"TINYOL_MAX_RING", model.ring_len, kMaxRing, false},
      {"TINYOL_MAX_REHEARSAL", model.rehearsal_rows, kMaxRehearsal, false},
      {"TINYOL_MAX_REHEARSAL_WINDOWS", model.rehearsal_windows, kMaxRehearsalWindows, false},
      {"TINYOL_FULL_COVARIANCE", model.full_covariance ? 1u : 0u, kFullCovariance ? 1u : 0u, false},
      {"NORM priors", model.n_priors == 0 ? 0u : features, model.n_priors, true},
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
  calibration_ = Calibration();
  ring_.reset(n_features(), model_->ring_len);
}

bool Learner::read_embedding() {
  if (!(model_->pipeline.features & kFeatureEmbedding)) return true;
  const TensorView embedding = net_->output(Tap::kEmbedding);
  read_tensor(embedding, features_, embedding.length);
  for (uint16_t j = 0; j < embedding.length; ++j) {
    if (!(features_[j] <= kLargestFeature && features_[j] >= -kLargestFeature)) return false;
  }
  return true;
}

void Learner::assemble(float error, const Window& window) {
  const uint8_t wanted = model_->pipeline.features;
  uint16_t n = wanted & kFeatureEmbedding ? net_->output(Tap::kEmbedding).length : 0;
  if (wanted & kFeatureError) features_[n++] = error;
  if (wanted & kFeatureLogError) features_[n++] = log_of_error(error);
  if (wanted & kFeatureLogVariance) features_[n++] = window.log_variance;
  if (wanted & kFeatureAxisLogVariance) {
    for (float axis : window.axis_log_variance) features_[n++] = axis;
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
  state.metrics.add_error(result->tuned_error, horizon(state.settings));

  const bool tuned = model_->pipeline.error_source == ErrorSource::kTuned;
  assemble(tuned ? result->tuned_error : result->error, window);
  if (state.settings[Setting::kStatisticsLearn] != 0.0f) {
    state.statistics.update(features_, horizon(state.settings));
  }
  const int predicted = predict(features_, &result->novelty);
  result->predicted = static_cast<int16_t>(predicted);
  if (predicted >= 0) result->confidence = probabilities_[predicted];
  const bool labelled = truth >= 0 && truth < state.classes.size;
  if (labelled) teach(features_, static_cast<uint16_t>(truth), predicted, result);
  result->unknown = !labelled && result->novelty > 1.0f;
  ring_.push(features_, labelled);
  watch(window, result);
  return true;
}

int Learner::predict(const float* features, float* novelty) {
  return state.classifier.predict(features, state.statistics, state.settings, probabilities_,
                                  novelty, scaled_);
}

// predict() was called for the same features.
void Learner::teach(const float* features, uint16_t truth, int predicted, WindowResult* result) {
  result->label = static_cast<int16_t>(truth);
  if (predicted >= 0) {  // before anything was learned there is nothing to score
    result->loss = cross_entropy(probabilities_, truth);
    state.metrics.add_prediction(truth, static_cast<uint16_t>(predicted), result->loss,
                                 horizon(state.settings));
  }
  if (state.settings[Setting::kClassifierLearn] != 0.0f) {
    result->learned = state.classifier.learn(features, state.statistics, truth, state.settings,
                                             scaled_, probabilities_);
  }
}

uint16_t Learner::teach_back(uint16_t truth, uint16_t windows, bool labelled_too) {
  uint16_t lessons = 0;
  for (uint16_t age = windows < ring_.size ? windows : ring_.size; age > 0; --age) {
    const uint16_t slot = ring_.slot(static_cast<uint16_t>(age - 1));
    if (ring_.labelled[slot] && !labelled_too) continue;
    ring_.labelled[slot] = true;
    teach_once(ring_.at(slot), truth);
    ++lessons;
  }
  return lessons;
}

void Learner::teach_once(const float* features, uint16_t truth) {
  WindowResult unused;
  const int predicted = predict(features, &unused.novelty);
  teach(features, truth, predicted, &unused);
}

uint16_t Learner::learn_back(uint16_t truth, uint16_t windows) {
  return truth < state.classes.size ? teach_back(truth, windows, false) : uint16_t{0};
}

Contradiction Learner::contradiction(uint16_t truth) const {
  ContradictionCount count(state, truth);
  count.add(features_);
  return count.result();
}

Contradiction Learner::contradiction_back(uint16_t truth, uint16_t windows) const {
  ContradictionCount count(state, truth);
  for (uint16_t age = windows < ring_.size ? windows : ring_.size; age > 0; --age) {
    const uint16_t slot = ring_.slot(static_cast<uint16_t>(age - 1));
    if (!ring_.labelled[slot]) count.add(ring_.at(slot));
  }
  return count.result();
}

uint16_t Learner::relearn(uint16_t index, uint16_t windows) {
  if (index >= state.classes.size || ring_.size == 0 || windows == 0) return 0;
  state.classifier.restart_class(index);
  return teach_back(index, windows, true);
}

uint16_t Learner::learn_unknown(uint32_t number, uint16_t truth) {
  const UnknownEvent* event = state.unknown.find(number);
  if (event == nullptr || event->named || truth >= state.classes.size) return 0;
  const uint16_t lessons = event->kept;
  for (uint16_t i = 0; i < lessons; ++i) teach_once(event->vectors + i * n_features(), truth);
  state.unknown.mark_named(number);
  return lessons;
}

Status Learner::set(int index, float value, Refusal* refusal) {
  if (index < 0) return refuse(refusal, Status::kNotFound, "setting");
  const float before = state.settings.value[index];
  const Status status = state.settings.set(index, value, refusal);
  if (status != Status::kOk || value == before) return status;
  // A running quantile follows one probability.
  const Setting which = static_cast<Setting>(index);
  if (which == Setting::kUnknownFalseRate) state.classifier.gaussian.restart_limits();
  if (which == Setting::kAnomalyFalseRate) state.detector.restart_quantile();
  return status;
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
