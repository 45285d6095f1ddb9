// Samples in, windows out: axis projection, sliding window with hop, centring, normalisation.
#pragma once

#include <stdint.h>

#include "tinyol/capacity.h"
#include "tinyol/model.h"

namespace tinyol {

constexpr float kMaxSampleG = 1e4f;  // no accelerometer measures this: a larger value is refused

// A window ready for the frozen net.
struct Window {
  float input[kMaxInputs] = {};     // normalised, (window_len * channels), channels interleaved
  float log_variance = 0.0f;        // ln of the variance about the window's own mean, g^2, summed
                                    // over channels; at least ln(1e-12)
  float axis_log_variance[3] = {};  // ... of x, y and z each, where the model has that feature
  float mean[3] = {};               // of x, y and z, g: gravity, where the machine shakes evenly
};

class Windower {
 public:
  void begin(const Pipeline& pipeline);  // the caller keeps `pipeline` alive

  // Forgets the samples that a window has begun with: the next sample does not follow the last.
  void restart();

  // One sample, x y z in g. True when it completes a window: call take() then.
  // `sample` must be finite and within kMaxSampleG (Device sees to it).
  bool push(const float sample[3]);
  void take(Window* window) const;

 private:
  template <typename Each>
  void in_fours(const float pad[3], Each each) const;
  // Fill window->input; return the variance about the window's own mean, summed over channels.
  float project(Window* window) const;
  float normalise_axes(const float axis_variance[3], Window* window) const;

  const Pipeline* pipeline_ = nullptr;
  float ring_[3 * kMaxWindow] = {};  // the last window_len samples, x y z, oldest at next_
  uint16_t next_ = 0;                // in samples
  uint16_t until_ready_ = 0;         // samples still to come before the next window
};

}  // namespace tinyol
