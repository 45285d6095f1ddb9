#include "tinyol/fp_contract.h"

#include "tinyol/windower.h"

#include "tinyol/float_math.h"

namespace tinyol {
namespace {

constexpr float kMinWindowVariance = 1e-12f;  // (1 ug)^2: below the noise of any such sensor

}  // namespace

void Windower::begin(const Pipeline& pipeline) {
  pipeline_ = &pipeline;
  restart();
}

void Windower::restart() {
  next_ = 0;
  filled_ = 0;
  until_ready_ = pipeline_->window_len;
}

bool Windower::push(const float sample[3]) {
  const Pipeline& p = *pipeline_;
  if (p.axes == Axes::kProjection) {
    ring_[next_] =
        (p.projection[0] * sample[0] + p.projection[1] * sample[1]) + p.projection[2] * sample[2];
  } else {
    for (int c = 0; c < 3; ++c) ring_[next_ * 3 + c] = sample[c];
  }
  next_ = next_ + 1 == p.window_len ? 0 : next_ + 1;
  if (filled_ < p.window_len) ++filled_;
  if (--until_ready_ != 0) return false;
  until_ready_ = p.hop;
  return true;
}

void Windower::take(Window* window) const {
  const Pipeline& p = *pipeline_;
  const uint16_t channels = p.channels();
  // Oldest sample first: the ring's tail, then its head.
  const uint32_t tail = static_cast<uint32_t>(p.window_len - next_) * channels;
  const uint32_t inputs = p.inputs();
  for (uint32_t i = 0; i < inputs; ++i) {
    const uint32_t from = i < tail ? inputs - tail + i : i - tail;
    window->input[i] = ring_[from];
  }

  float variance = 0.0f;
  const float n = static_cast<float>(p.window_len);
  for (uint16_t c = 0; c < channels; ++c) {
    float* channel = window->input + c;
    const float mean = sum_f32(channel, p.window_len, channels) / n;
    float squares[4] = {0.0f, 0.0f, 0.0f, 0.0f};
    const float centre = p.centring == Centring::kWindow ? mean : p.centre[c];
    for (uint16_t t = 0; t < p.window_len; ++t) {
      float* value = channel + t * channels;
      const float deviation = *value - mean;
      squares[t & 3u] += deviation * deviation;
      *value = (*value - centre) * p.scale[c] + p.offset;
    }
    variance += ((squares[0] + squares[1]) + (squares[2] + squares[3])) / n;
  }
  window->log_variance = log_f32(variance > kMinWindowVariance ? variance : kMinWindowVariance);
}

}  // namespace tinyol
