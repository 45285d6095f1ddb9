#include "twin_api.h"

#include <algorithm>
#include <memory>

#include "float_mode.h"
#include "refusal.h"
#include "tinyol/float_math.h"
#include "twin.h"

namespace {

using tinyol::FloatMode;
using tinyol::Refusal;
using tinyol::report;
using tinyol::Status;

template <typename Call>
int guarded(tinyol_refusal* out, Call call) {
  const FloatMode mode;
  Refusal refusal;
  const Status status = call(&refusal);
  return report(status, refusal, out);
}

void write_window(const tinyol::WindowResult& from, const tinyol_windows& to, uint64_t at) {
  to.sample_index[at] = static_cast<int64_t>(from.sample_index);
  to.window_index[at] = static_cast<int64_t>(from.window_index);
  to.error[at] = from.error;
  to.tuned_error[at] = from.tuned_error;
  to.log_variance[at] = from.log_variance;
  to.confidence[at] = from.confidence;
  to.loss[at] = from.loss;
  to.score[at] = from.score;
  to.novelty[at] = from.novelty;
  to.predicted[at] = from.predicted;
  to.label[at] = from.label;
  to.notices[at] = from.notices;
  to.anomaly[at] = from.anomaly;
  to.learned[at] = from.learned;
  to.fine_tuned[at] = from.fine_tuned;
  to.alarm[at] = from.alarm;
  to.unknown[at] = from.unknown;
}

}  // namespace

extern "C" {

tinyol_twin* tinyol_twin_new(const uint8_t* model_image, uint32_t length, tinyol_refusal* refusal) {
  auto twin = std::make_unique<tinyol_twin>();
  const int status =
      guarded(refusal, [&](Refusal* why) { return twin->load(model_image, length, why); });
  return status == 0 ? twin.release() : nullptr;
}

void tinyol_twin_free(tinyol_twin* twin) {
  delete twin;
}

uint32_t tinyol_twin_n_features(const tinyol_twin* twin) {
  return twin->device.learner().n_features();
}
uint32_t tinyol_twin_n_hidden(const tinyol_twin* twin) {
  return twin->model.n_hidden;
}
uint32_t tinyol_twin_n_outputs(const tinyol_twin* twin) {
  return twin->model.n_outputs;
}
int tinyol_twin_has_bias(const tinyol_twin* twin) {
  return twin->model.has_bias;
}

uint64_t tinyol_twin_feed(tinyol_twin* twin, const float* samples, uint64_t n,
                          const int16_t* labels, const int64_t* gaps, uint64_t n_gaps,
                          const tinyol_windows* windows, uint64_t capacity) {
  const FloatMode mode;
  tinyol::Device& device = twin->device;
  const uint32_t n_features = device.learner().n_features();
  const uint32_t n_classes = device.state().classes.size;
  uint64_t written = 0;
  uint64_t next_gap = 0;
  tinyol::WindowResult result;
  for (uint64_t i = 0; i < n; ++i) {
    if (next_gap < n_gaps && gaps[next_gap] == static_cast<int64_t>(i)) {
      device.gap();
      ++next_gap;
    }
    if (labels != nullptr && labels[i] != twin->column) {
      twin->column = labels[i];
      // A label that holds already goes on, for as many windows as it was given for.
      if (twin->column != device.current_label()) {
        device.label(twin->column, tinyol::kUntilStopped, nullptr);
      }
    }
    if (!device.push_sample(samples + 3 * i, &result)) continue;
    twin->last = result;
    if (written >= capacity) continue;
    write_window(result, *windows, written);
    const tinyol::Learner& learner = device.learner();
    std::copy_n(learner.features(), n_features, windows->features + written * n_features);
    std::copy_n(learner.probabilities(), n_classes, windows->probabilities + written * n_classes);
    ++written;
  }
  return written;
}

uint64_t tinyol_twin_max_windows(const tinyol_twin* twin, uint64_t n) {
  // Gaps can come as often as windows fill, however far apart those are without them.
  const tinyol::Pipeline& pipeline = twin->model.pipeline;
  return n / std::min(pipeline.hop, pipeline.window_len) + 2;
}

void tinyol_twin_gap(tinyol_twin* twin) {
  twin->device.gap();
}

int tinyol_twin_label(tinyol_twin* twin, int class_index, uint32_t windows,
                      tinyol_refusal* refusal) {
  return twin->relabelled(guarded(
      refusal, [&](Refusal* why) { return twin->device.label(class_index, windows, why); }));
}

int tinyol_twin_label_back(tinyol_twin* twin, int class_index, uint16_t windows, uint16_t* lessons,
                           tinyol_refusal* refusal) {
  return guarded(refusal, [&](Refusal* why) {
    return twin->device.label_back(class_index, windows, lessons, why);
  });
}

int tinyol_twin_add_class(tinyol_twin* twin, const char* name, uint32_t length, uint16_t* index,
                          tinyol_refusal* refusal) {
  return guarded(refusal,
                 [&](Refusal* why) { return twin->device.add_class(name, length, index, why); });
}

int tinyol_twin_rename_class(tinyol_twin* twin, uint16_t index, const char* name, uint32_t length,
                             tinyol_refusal* refusal) {
  return guarded(refusal,
                 [&](Refusal* why) { return twin->device.rename_class(index, name, length, why); });
}

int tinyol_twin_remove_class(tinyol_twin* twin, uint16_t index, tinyol_refusal* refusal) {
  return twin->relabelled(
      guarded(refusal, [&](Refusal* why) { return twin->device.remove_class(index, why); }));
}

uint16_t tinyol_twin_n_classes(const tinyol_twin* twin) {
  return twin->device.state().classes.size;
}

const char* tinyol_twin_class_name(const tinyol_twin* twin, uint16_t index) {
  return twin->device.state().classes.names[index];
}

int tinyol_twin_set_class_weight(tinyol_twin* twin, uint16_t index, float weight,
                                 tinyol_refusal* refusal) {
  return guarded(refusal,
                 [&](Refusal* why) { return twin->device.set_class_weight(index, weight, why); });
}

int tinyol_twin_relearn(tinyol_twin* twin, int class_index, uint16_t windows, uint16_t* lessons,
                        tinyol_refusal* refusal) {
  return guarded(refusal, [&](Refusal* why) {
    return twin->device.relearn(class_index, windows, lessons, why);
  });
}

int tinyol_twin_name_unknown(tinyol_twin* twin, uint32_t number, const char* name, uint32_t length,
                             uint16_t* index, uint16_t* lessons, tinyol_refusal* refusal) {
  return guarded(refusal, [&](Refusal* why) {
    return twin->device.name_unknown(number, name, length, index, lessons, why);
  });
}

int tinyol_twin_calibrate(tinyol_twin* twin, uint32_t fine_tune_steps, uint32_t windows,
                          tinyol_refusal* refusal) {
  return guarded(
      refusal, [&](Refusal* why) { return twin->device.calibrate(fine_tune_steps, windows, why); });
}

int tinyol_twin_fine_tune(tinyol_twin* twin, uint32_t steps, tinyol_refusal* refusal) {
  return guarded(refusal, [&](Refusal* why) { return twin->device.fine_tune(steps, why); });
}

int tinyol_twin_set(tinyol_twin* twin, uint16_t setting_id, float value, tinyol_refusal* refusal) {
  return guarded(refusal, [&](Refusal* why) { return twin->device.set(setting_id, value, why); });
}

float tinyol_twin_get(const tinyol_twin* twin, int setting_index) {
  return twin->device.state().settings.value[setting_index];
}

int tinyol_twin_reset(tinyol_twin* twin, tinyol_refusal* refusal) {
  return twin->began_anew(guarded(refusal, [&](Refusal* why) { return twin->device.reset(why); }));
}

void tinyol_twin_counters(const tinyol_twin* twin, tinyol_counters* counters) {
  const tinyol::LearnedState& state = twin->device.state();
  counters->samples = state.counters.samples;
  counters->windows = state.counters.windows;
  counters->gaps = state.counters.gaps;
  counters->refused_samples = state.counters.refused_samples;
  counters->refused_windows = state.counters.refused_windows;
  counters->classifier_steps = state.classifier.lessons;
  counters->classifier_not_finite = state.classifier.softmax.steps.not_finite;
  counters->classifier_over_limit = state.classifier.softmax.steps.over_limit;
  counters->reconstruction_steps = state.reconstruction.steps.applied;
  counters->reconstruction_not_finite = state.reconstruction.steps.not_finite;
  counters->reconstruction_over_limit = state.reconstruction.steps.over_limit;
  counters->clamped_targets = state.reconstruction.clamped_targets;
  counters->fine_tune_left = twin->device.learner().fine_tune_left();
}

void tinyol_twin_metrics(const tinyol_twin* twin, tinyol_metrics* metrics, uint32_t* confusion,
                         float* f1) {
  const FloatMode mode;
  const tinyol::Metrics& m = twin->device.state().metrics;
  metrics->accuracy = m.accuracy();
  metrics->macro_f1 = m.macro_f1();
  metrics->mean_loss = m.loss.mean;
  metrics->mean_error = m.error.mean;
  metrics->labelled = m.loss.count;
  for (int i = 0; i < tinyol::kErrorQuantiles; ++i) {
    metrics->error_quantile[i] = m.error_quantile[i].value(tinyol::kErrorProbability[i]);
  }
  for (uint16_t row = 0; row < m.n_classes; ++row) {
    f1[row] = m.f1(row);
    for (uint16_t column = 0; column < m.n_classes; ++column) {
      confusion[row * m.n_classes + column] = m.confusion[row * tinyol::kMaxClasses + column];
    }
  }
}

void tinyol_twin_weights(const tinyol_twin* twin, float* softmax, float* softmax_bias,
                         float* gaussian_mean, float* gaussian_spread, float* reconstruction,
                         float* bias) {
  const tinyol::LearnedState& state = twin->device.state();
  const tinyol::SoftmaxHead& s = state.classifier.softmax;
  memcpy(softmax, s.weights, sizeof(float) * s.n_classes * s.n_features);
  memcpy(softmax_bias, s.bias, sizeof(float) * s.n_classes);
  const tinyol::GaussianHead& g = state.classifier.gaussian;
  memcpy(gaussian_mean, g.mean, sizeof(float) * g.n_classes * g.n_features);
  memcpy(gaussian_spread, g.spread, sizeof(float) * g.n_classes * g.spread_length());
  const tinyol::ReconstructionHead& r = state.reconstruction;
  memcpy(reconstruction, r.weights, sizeof(float) * r.n_outputs * r.n_hidden);
  memcpy(bias, r.bias, sizeof(float) * r.n_outputs);
}

uint16_t tinyol_twin_spread_length(const tinyol_twin* twin) {
  return twin->device.state().classifier.gaussian.spread_length();
}

void tinyol_twin_statistics(const tinyol_twin* twin, uint32_t* count, float* mean,
                            float* variance) {
  const tinyol::RunningStats& s = twin->device.state().statistics;
  *count = s.count;
  memcpy(mean, s.mean, sizeof(float) * s.n_features);
  memcpy(variance, s.variance, sizeof(float) * s.n_features);
}

uint32_t tinyol_twin_max_image_bytes(const tinyol_twin* twin) {
  return twin->device.max_image_bytes();
}

uint32_t tinyol_twin_export(const tinyol_twin* twin, uint8_t* out, uint32_t capacity) {
  return twin->device.export_state(out, capacity);
}

int tinyol_twin_import(tinyol_twin* twin, const uint8_t* image, uint32_t length,
                       tinyol_refusal* refusal) {
  return twin->began_anew(guarded(
      refusal, [&](Refusal* why) { return twin->device.import_state(image, length, why); }));
}

int tinyol_setting_count(void) {
  return tinyol::kSettingCount;
}

tinyol_setting tinyol_setting_at(int index) {
  const tinyol::SettingInfo& info = tinyol::setting_info(index);
  return {info.id, info.name, info.initial, info.minimum, info.maximum, info.integral};
}

void tinyol_map(int function, const float* x, uint64_t n, float* y) {
  const FloatMode mode;
  float (*const functions[])(float) = {tinyol::exp_f32, tinyol::log_f32, tinyol::sqrt_f32,
                                       tinyol::sigmoid_f32};
  for (uint64_t i = 0; i < n; ++i) y[i] = functions[function](x[i]);
}

}  // extern "C"
