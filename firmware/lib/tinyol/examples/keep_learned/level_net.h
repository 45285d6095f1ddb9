// A net that only listens: of a window of 12 samples, how much each axis moves and how suddenly.
#pragma once

#include <math.h>
#include <tinyol.h>

class LevelNet : public tinyol::FrozenNet {
 public:
  static const uint16_t kSamples = 12;
  static const uint16_t kInputs = 3 * kSamples;  // x0 y0 z0 x1 y1 z1 ...
  static const uint16_t kFeatures = 6;

  tinyol::TensorView input() override { return view(input_, kInputs); }

  tinyol::TensorView output(tinyol::Tap tap) override {
    if (tap == tinyol::Tap::kReconstruction) return view(nothing_, kInputs);
    return view(features_, kFeatures);  // there is no decoder: its input is the embedding
  }

  bool invoke() override {
    for (int axis = 0; axis < 3; ++axis) {
      float level = 1e-6f;  // keeps the logarithm's argument away from zero
      float jumps = 1e-6f;
      for (int i = axis; i < kInputs; i += 3) {
        level += input_[i] * input_[i];
        if (i >= 3) jumps += (input_[i] - input_[i - 3]) * (input_[i] - input_[i - 3]);
      }
      features_[axis] = logf(level);
      features_[3 + axis] = logf(jumps);
    }
    return true;
  }

 private:
  static tinyol::TensorView view(float* data, uint16_t length) {
    tinyol::TensorView tensor;
    tensor.data = data;
    tensor.length = length;
    tensor.type = tinyol::TensorType::kFloat32;
    return tensor;
  }

  float input_[kInputs];
  float features_[kFeatures];
  float nothing_[kInputs] = {};  // the error is then the window's mean square
};
