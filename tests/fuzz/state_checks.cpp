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

void take_over(const Image& image, Device* device) {
  Refusal refusal;
  const Status status =
      device->import_state(image.data(), static_cast<uint32_t>(image.size()), &refusal);
  if (status != Status::kOk) fprintf(stderr, "own state image refused: %s\n", refusal.where);
  FUZZ_CHECK(status == Status::kOk);
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
  check_all_finite(state.classifier.weights, state.classifier.n_classes * n_features);
  const ReconstructionHead& head = state.reconstruction;
  check_all_finite(head.weights, head.n_outputs * head.n_hidden);
  check_all_finite(head.bias, head.n_outputs);
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
  for (Device* device : {one, other}) {
    take_over(image, device);
    FUZZ_CHECK(device->fine_tune(kUntilStopped, nullptr) == Status::kOk);
    const uint16_t n_classes = device->state().classes.size;
    if (n_classes > 0) {
      FUZZ_CHECK(device->label(n_classes - 1, kUntilStopped, nullptr) == Status::kOk);
    }
    uint32_t random = 1;
    WindowResult result;
    for (uint32_t i = 0; i < n_samples; ++i) {
      float sample[3];
      noise(&random, 0.5f, sample);
      device->push_sample(sample, &result);
    }
    check_sound(device->state());
  }
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
