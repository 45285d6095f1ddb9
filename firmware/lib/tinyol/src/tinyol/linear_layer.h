// A linear layer y = W a + b that goes on learning: its forward pass, and the guarded update that
// every rule here comes down to. An update that would put anything but a finite, bounded number
// into a weight is skipped whole.
#pragma once

#include <stdint.h>

namespace tinyol {

constexpr float kUnknownBound = __builtin_inff();

// A layer somebody else owns. weights: row-major (n_out, n_in); bias: (n_out), or null.
struct LinearLayer {
  float* weights;
  float* bias;
  uint16_t n_in;
  uint16_t n_out;
  // No |weight| and no |bias| is above *bound, with which update_layer() saves itself most looks
  // at them. Whoever writes a weight otherwise sets it to kUnknownBound. Null: it is not kept.
  float* bound;

  LinearLayer(float* w, float* b, uint16_t in, uint16_t out, float* kept_bound = nullptr)
      : weights(w), bias(b), n_in(in), n_out(out), bound(kept_bound) {}
};

// How often steps were taken and refused. Counters stop at 2^32 - 1.
struct StepCounts {
  uint32_t applied = 0;
  uint32_t not_finite = 0;  // skipped: the gradient or a weight would not be finite
  uint32_t over_limit = 0;  // skipped: a weight would pass weight_limit
};

// y = W a + b, each sum in the order of dot_f32. input: (n_in); output: (n_out).
void linear_forward(const LinearLayer& layer, const float* input, float* output);

// W -= (scale delta) input^T + decay W;  b -= (scale delta) bias_input. One of rank one.
struct LayerUpdate {
  const float* input;  // (n_in)
  float bias_input;
  const float* delta;  // (n_out)
  float scale;
  float decay;  // of the weights; not negative
};

// weight_limit: finite; no |weight| may pass it. Returns whether the update was applied, and
// counts it.
bool update_layer(const LinearLayer& layer, const LayerUpdate& update, float weight_limit,
                  StepCounts* counts);

}  // namespace tinyol
