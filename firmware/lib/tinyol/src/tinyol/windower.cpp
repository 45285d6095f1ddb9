#include "tinyol/fp_contract.h"

#include "tinyol/windower.h"

#include "tinyol/float_math.h"

namespace tinyol {
namespace {

constexpr float kMinWindowVariance = 1e-12f;  // (1 ug)^2: below the noise of any such sensor

float variance_about(const float* values, uint16_t stride, uint16_t n, float mean) {
  float squares[4] = {0.0f, 0.0f, 0.0f, 0.0f};
  for (uint16_t t = 0; t < n; ++t) {
    const float deviation = values[t * stride] - mean;
    squares[t & 3u] += deviation * deviation;
  }
  return ((squares[0] + squares[1]) + (squares[2] + squares[3])) / static_cast<float>(n);
}

float log_of_variance(float variance) {
  return log_f32(variance > kMinWindowVariance ? variance : kMinWindowVariance);
}

}  // namespace

void Windower::begin(const Pipeline& pipeline) {
  pipeline_ = &pipeline;
  restart();
}

void Windower::restart() {
  next_ = 0;
  until_ready_ = pipeline_->window_len;
}

bool Windower::push(const float sample[3]) {
  const Pipeline& p = *pipeline_;
  for (int c = 0; c < 3; ++c) ring_[next_ * 3 + c] = sample[c];
  next_ = next_ + 1 == p.window_len ? 0 : next_ + 1;
  if (--until_ready_ != 0) return false;
  until_ready_ = p.hop;
  return true;
}

void Windower::unroll(uint16_t axis, float* values, uint16_t stride) const {
  // Oldest sample first: the ring's tail, then its head.
  const uint16_t length = pipeline_->window_len;
  for (uint16_t t = 0, at = next_; t < length; ++t) {
    values[t * stride] = ring_[3 * at + axis];
    at = at + 1 == length ? 0 : at + 1;
  }
}

void Windower::take(Window* window) const {
  const Pipeline& p = *pipeline_;
  const uint16_t channels = p.channels();
  const float n = static_cast<float>(p.window_len);
  for (uint16_t axis = 0; axis < 3; ++axis) {
    float* values = window->input;  // not needed yet
    unroll(axis, values, 1);
    window->mean[axis] = sum_f32(values, p.window_len) / n;
    if ((p.features & kFeatureAxisLogVariance) == 0) continue;
    window->axis_log_variance[axis] =
        log_of_variance(variance_about(values, 1, p.window_len, window->mean[axis]));
  }
  if (p.axes == Axes::kProjection) {
    for (uint16_t t = 0, at = next_; t < p.window_len; ++t) {
      const float* sample = ring_ + 3 * at;
      window->input[t] =
          (p.projection[0] * sample[0] + p.projection[1] * sample[1]) + p.projection[2] * sample[2];
      at = at + 1 == p.window_len ? 0 : at + 1;
    }
  } else {
    for (uint16_t axis = 0; axis < 3; ++axis) unroll(axis, window->input + axis, 3);
  }

  float variance = 0.0f;
  for (uint16_t c = 0; c < channels; ++c) {
    float* channel = window->input + c;
    const float mean = sum_f32(channel, p.window_len, channels) / n;
    variance += variance_about(channel, channels, p.window_len, mean);
    const float centre = p.centring == Centring::kWindow ? mean : p.centre[c];
    for (uint16_t t = 0; t < p.window_len; ++t) {
      float* value = channel + t * channels;
      *value = (*value - centre) * p.scale[c] + p.offset;
    }
  }
  window->log_variance = log_of_variance(variance);
}

}  // namespace tinyol
