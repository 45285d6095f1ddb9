#include "state_checks.h"

#include "check.h"
#include "tinyol/float_math.h"

// What is freed is soon used again: kept in a small quarantine, or page faults take a tenth of the
// time.
extern "C" const char* __asan_default_options() {
  return "quarantine_size_mb=4";
}

namespace tinyol {
namespace fuzz {
namespace {

void check_all_finite(const float* values, uint32_t n) {
  for (uint32_t i = 0; i < n; ++i) FUZZ_CHECK(is_finite_f32(values[i]));
}

void check_quantile(const P2Quantile& quantile) {
  FUZZ_CHECK(quantile.valid());
  check_all_finite(quantile.height, 5);
}

void check_gaussian(const GaussianHead& head) {
  const uint16_t d = head.n_features;
  const uint16_t length = head.spread_length();
  FUZZ_CHECK(length == (head.full ? d * (d + 1) / 2 : d) && length <= kMaxSpread);
  check_all_finite(head.mean, head.n_classes * d);
  check_all_finite(head.spread, head.n_classes * length);
  check_all_finite(head.log_det, head.n_classes);
  for (uint16_t k = 0; k < head.n_classes; ++k) {
    const float* spread = head.spread + k * length;
    for (uint16_t j = 0; j < d; ++j) {
      FUZZ_CHECK(spread[head.full ? j * (j + 3) / 2 : j] > 0.0f);
    }
    FUZZ_CHECK(head.weight[k] >= kLeastClassWeight && head.weight[k] <= kMostClassWeight);
    check_quantile(head.distance[k]);
    const float limit = head.limit(k);
    FUZZ_CHECK(is_finite_f32(limit) && limit >= 0.0f);
  }
}

void check_classifier(const Classifier& classifier, uint16_t n_classes) {
  const SoftmaxHead& softmax = classifier.softmax;
  FUZZ_CHECK(softmax.n_classes == n_classes && classifier.gaussian.n_classes == n_classes);
  check_all_finite(softmax.weights, n_classes * softmax.n_features);
  check_all_finite(softmax.bias, n_classes);
  check_gaussian(classifier.gaussian);
  const RehearsalBuffer& rehearsal = classifier.rehearsal;
  const BalancedReservoir& rows = rehearsal.rows;
  FUZZ_CHECK(rows.size <= rows.limit && rows.limit <= kMaxRehearsal && rows.random != 0);
  uint16_t kept[kMaxClasses] = {};
  for (uint16_t i = 0; i < rows.size; ++i) {
    FUZZ_CHECK(rows.group[i] < n_classes);
    ++kept[rows.group[i]];
  }
  for (uint16_t k = 0; k < kMaxClasses; ++k) FUZZ_CHECK(rows.kept[k] == kept[k]);
  check_all_finite(rehearsal.offset, rehearsal.n_features);
  for (uint16_t j = 0; j < rehearsal.n_features; ++j) {
    FUZZ_CHECK(rehearsal.exponent[j] >= RehearsalBuffer::kFinestStep &&
               rehearsal.exponent[j] <= RehearsalBuffer::kCoarsestStep);
  }
}

void check_least_squares(const RecursiveLeastSquares& rls) {
  FUZZ_CHECK(rls.n <= kMaxRlsInputs);
  check_all_finite(rls.p, rls.n * (rls.n + 1u) / 2);
  for (uint32_t i = 0; i < rls.n; ++i) {
    const float gain = rls.p[i * (i + 3) / 2];
    FUZZ_CHECK(gain > 0.0f && gain <= RecursiveLeastSquares::kMostGain);
  }
}

void check_watching(const LearnedState& state) {
  const AnomalyDetector& detector = state.detector;
  check_all_finite(detector.normal.mean, 2);
  check_all_finite(detector.normal.covariance, 3);
  FUZZ_CHECK(detector.normal.covariance[0] >= 0.0f && detector.normal.covariance[2] >= 0.0f);
  check_quantile(detector.distances);
  const float limit = detector.limit(state.settings[Setting::kAnomalyFalseRate]);
  FUZZ_CHECK(is_finite_f32(limit) && limit >= 0.0f);
  const DriftMonitor& drift = state.drift;
  check_all_finite(drift.reference, 3);
  check_all_finite(drift.recent, 3);
  const float tilt = drift.tilt_deg();
  FUZZ_CHECK(tilt >= 0.0f && tilt <= 181.0f);
  FUZZ_CHECK(is_finite_f32(drift.up) && drift.up >= 0.0f);
  FUZZ_CHECK(is_finite_f32(drift.down) && drift.down >= 0.0f);
  const UnknownEvents& unknown = state.unknown;
  FUZZ_CHECK(!unknown.open || unknown.count > 0);
  for (const UnknownEvent& event : unknown.events) {
    FUZZ_CHECK(event.kept <= kUnknownVectors && is_finite_f32(event.peak_novelty));
    FUZZ_CHECK(event.number <= unknown.count && event.first_sample <= event.last_sample);
    FUZZ_CHECK(event.stride >= 1);
    check_all_finite(event.vectors, event.kept * unknown.n_features);
  }
}

void take_over(const Image& image, Device* device) {
  Refusal refusal;
  const Status status =
      device->import_state(image.data(), static_cast<uint32_t>(image.size()), &refusal);
  if (status != Status::kOk) fprintf(stderr, "own state image refused: %s\n", refusal.where);
  FUZZ_CHECK(status == Status::kOk);
}

void go_through(Device* device, uint32_t* random, uint32_t n_samples) {
  WindowResult result;
  for (uint32_t i = 0; i < n_samples; ++i) {
    float sample[3];
    noise(random, 0.5f, sample);
    device->push_sample(sample, &result);
  }
}

}  // namespace

Image export_of(const Device& device) {
  Image image(device.max_image_bytes());
  const uint32_t length = device.export_state(image.data(), static_cast<uint32_t>(image.size()));
  FUZZ_CHECK(length > 0);
  image.resize(length);
  return image;
}

void check_sound(const LearnedState& state) {
  FUZZ_CHECK(state.counters.windows <= state.counters.samples);
  const uint16_t n_features = state.statistics.n_features;
  check_all_finite(state.settings.value, kSettingCount);
  check_all_finite(state.statistics.mean, n_features);
  check_all_finite(state.statistics.variance, n_features);
  for (uint16_t j = 0; j < n_features; ++j) FUZZ_CHECK(state.statistics.variance[j] >= 0.0f);
  FUZZ_CHECK(state.classes.size <= state.classes.limit && state.classes.limit <= kMaxClasses);
  check_classifier(state.classifier, state.classes.size);
  check_watching(state);
  const ReconstructionHead& head = state.reconstruction;
  check_all_finite(head.weights, head.n_outputs * head.n_hidden);
  check_all_finite(head.bias, head.n_outputs);
  check_least_squares(state.least_squares);
  const WindowRehearsal& windows = state.window_rehearsal;
  FUZZ_CHECK(windows.size <= windows.limit && windows.limit <= kMaxRehearsalWindows);
  FUZZ_CHECK(windows.random != 0);
  const Metrics& metrics = state.metrics;
  const float numbers[] = {metrics.loss.mean, metrics.error.mean, metrics.accuracy(),
                           metrics.macro_f1()};
  check_all_finite(numbers, 4);
  for (uint16_t k = 0; k < metrics.n_classes; ++k) FUZZ_CHECK(is_finite_f32(metrics.f1(k)));
  for (int i = 0; i < kErrorQuantiles; ++i) {
    FUZZ_CHECK(metrics.error_quantile[i].valid());
    FUZZ_CHECK(is_finite_f32(metrics.error_quantile[i].value(kErrorProbability[i])));
  }
}

Image check_round_trip(const Device& device, Device* other) {
  const Image image = export_of(device);
  take_over(image, other);
  FUZZ_CHECK(export_of(*other) == image);
  return image;
}

void check_same_future(const Image& image, Device* one, Device* other, uint32_t n_samples) {
  Status told[2][3];
  for (Device* device : {one, other}) {
    take_over(image, device);
    FUZZ_CHECK(device->fine_tune(kUntilStopped, nullptr) == Status::kOk);
    const uint16_t n_classes = device->state().classes.size;
    if (n_classes > 0) {
      FUZZ_CHECK(device->label(n_classes - 1, kUntilStopped, nullptr) == Status::kOk);
    }
    uint32_t random = 1;
    go_through(device, &random, n_samples / 2);
    told[device == other][0] = device->calibrate(1, AnomalyDetector::kSettling, nullptr);
    go_through(device, &random, n_samples - n_samples / 2);
    uint16_t index;
    uint16_t lessons;
    const uint32_t event = device->state().unknown.count;
    told[device == other][1] = device->relearn(0, 3, &lessons, nullptr);
    told[device == other][2] = device->name_unknown(event, "?", 1, &index, &lessons, nullptr);
    check_sound(device->state());
  }
  for (int i = 0; i < 3; ++i) FUZZ_CHECK(told[0][i] == told[1][i]);
  FUZZ_CHECK(told[0][0] == Status::kOk);
  FUZZ_CHECK(export_of(*one) == export_of(*other));
}

void noise(uint32_t* random, float size, float sample[3]) {
  for (int i = 0; i < 3; ++i) {
    *random = *random * 1664525u + 1013904223u;
    sample[i] = size * (static_cast<float>(*random >> 8) / 8388608.0f - 1.0f);
  }
}

}  // namespace fuzz
}  // namespace tinyol
