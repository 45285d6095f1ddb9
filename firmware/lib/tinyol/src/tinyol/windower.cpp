#include "tinyol/fp_contract.h"

#include "tinyol/windower.h"

#include "tinyol/float_math.h"

namespace tinyol {
namespace {

constexpr float kMinWindowVariance = 1e-12f;  // (1 ug)^2: below the noise of any such sensor

// A window is read four samples at a time, x y z of each in turn: of every axis one sample for each
// of the four sums that a float sum is made of (float_math.h).
constexpr uint16_t kFour = 4;

// The four sums of each axis. Not an array: they stay in registers.
struct AxisSums {
  float x0 = 0.0f, y0 = 0.0f, z0 = 0.0f;
  float x1 = 0.0f, y1 = 0.0f, z1 = 0.0f;
  float x2 = 0.0f, y2 = 0.0f, z2 = 0.0f;
  float x3 = 0.0f, y3 = 0.0f, z3 = 0.0f;

  void add(const float* four) {
    x0 += four[0], y0 += four[1], z0 += four[2];
    x1 += four[3], y1 += four[4], z1 += four[5];
    x2 += four[6], y2 += four[7], z2 += four[8];
    x3 += four[9], y3 += four[10], z3 += four[11];
  }
  void add_squares(const float* four, const float mean[3]) {
    const float mean_x = mean[0], mean_y = mean[1], mean_z = mean[2];
    x0 += square(four[0] - mean_x), y0 += square(four[1] - mean_y), z0 += square(four[2] - mean_z);
    x1 += square(four[3] - mean_x), y1 += square(four[4] - mean_y), z1 += square(four[5] - mean_z);
    x2 += square(four[6] - mean_x), y2 += square(four[7] - mean_y), z2 += square(four[8] - mean_z);
    x3 += square(four[9] - mean_x), y3 += square(four[10] - mean_y),
        z3 += square(four[11] - mean_z);
  }
  void divide(float n, float axes[3]) const {
    axes[0] = ((x0 + x1) + (x2 + x3)) / n;
    axes[1] = ((y0 + y1) + (y2 + y3)) / n;
    axes[2] = ((z0 + z1) + (z2 + z3)) / n;
  }

 private:
  static float square(float a) { return a * a; }
};

// Sum of (values[i] - mean)^2, in the same order.
float squares_about(const float* values, uint32_t n, float mean) {
  float s0 = 0.0f;
  float s1 = 0.0f;
  float s2 = 0.0f;
  float s3 = 0.0f;
  for (; n >= 4; n -= 4, values += 4) {
    const float d0 = values[0] - mean;
    const float d1 = values[1] - mean;
    const float d2 = values[2] - mean;
    const float d3 = values[3] - mean;
    s0 += d0 * d0;
    s1 += d1 * d1;
    s2 += d2 * d2;
    s3 += d3 * d3;
  }
  const float d0 = n > 0 ? values[0] - mean : 0.0f;
  const float d1 = n > 1 ? values[1] - mean : 0.0f;
  const float d2 = n > 2 ? values[2] - mean : 0.0f;
  return ((s0 + d0 * d0) + (s1 + d1 * d1)) + ((s2 + d2 * d2) + s3);
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

// each(four, t, n) for the window's samples t to t + n - 1, in order; n is 4 but at the end. Behind
// them `four` is filled up with `pad`.
template <typename Each>
void Windower::in_fours(const float pad[3], Each each) const {
  const uint16_t length = pipeline_->window_len;
  float joined[3 * kFour];
  uint16_t at = next_;
  for (uint16_t t = 0; t < length; t = static_cast<uint16_t>(t + kFour)) {
    const uint16_t left = static_cast<uint16_t>(length - t);
    const uint16_t n = left < kFour ? left : kFour;
    const float* four = ring_ + 3 * at;
    if (n < kFour || at + kFour > length) {  // the end, or across the ring's
      float* to = joined;
      for (uint16_t i = 0, from = at; i < kFour; ++i) {
        const float* sample = i < n ? ring_ + 3 * from : pad;
        for (int c = 0; c < 3; ++c) *to++ = sample[c];
        from = from + 1 == length ? 0 : from + 1;
      }
      four = joined;
    }
    each(four, t, n);
    at = static_cast<uint16_t>(at + kFour);
    if (at >= length) at = static_cast<uint16_t>(at - length);
  }
}

void Windower::take(Window* window) const {
  const Pipeline& p = *pipeline_;
  const float n = static_cast<float>(p.window_len);
  const bool projects = p.axes == Axes::kProjection;
  const float zero[3] = {};  // adds nothing, nor does a mean about itself

  AxisSums sums;
  in_fours(zero, [&](const float* four, uint16_t, uint16_t) { sums.add(four); });
  sums.divide(n, window->mean);

  float axis_variance[3] = {};
  if (!projects || (p.features & kFeatureAxisLogVariance) != 0) {
    AxisSums squares;
    in_fours(window->mean, [&](const float* four, uint16_t, uint16_t) {
      squares.add_squares(four, window->mean);
    });
    squares.divide(n, axis_variance);
  }
  if ((p.features & kFeatureAxisLogVariance) != 0) {
    for (int axis = 0; axis < 3; ++axis) {
      window->axis_log_variance[axis] = log_of_variance(axis_variance[axis]);
    }
  }
  const float variance = projects ? project(window) : normalise_axes(axis_variance, window);
  window->log_variance = log_of_variance(variance);
}

float Windower::project(Window* window) const {
  const Pipeline& p = *pipeline_;
  const float along[3] = {p.projection[0], p.projection[1], p.projection[2]};
  const uint16_t length = p.window_len;
  float* input = window->input;
  in_fours(along, [&](const float* four, uint16_t t, uint16_t count) {
    for (uint16_t i = 0; i < count; ++i, four += 3) {
      input[t + i] = (along[0] * four[0] + along[1] * four[1]) + along[2] * four[2];
    }
  });
  const float n = static_cast<float>(length);
  const float mean = sum_f32(input, length) / n;
  const float variance = squares_about(input, length, mean) / n;
  const float centre = p.centring == Centring::kWindow ? mean : p.centre[0];
  const float scale = p.scale[0];
  const float offset = p.offset;
  for (uint16_t t = 0; t < length; ++t) input[t] = (input[t] - centre) * scale + offset;
  return variance;
}

float Windower::normalise_axes(const float axis_variance[3], Window* window) const {
  const Pipeline& p = *pipeline_;
  const float* centre = p.centring == Centring::kWindow ? window->mean : p.centre;
  float* to = window->input;
  in_fours(centre, [&](const float* four, uint16_t, uint16_t count) {
    for (uint16_t i = 0; i < count; ++i) {
      for (int c = 0; c < 3; ++c) *to++ = (*four++ - centre[c]) * p.scale[c] + p.offset;
    }
  });
  return (axis_variance[0] + axis_variance[1]) + axis_variance[2];
}

}  // namespace tinyol
