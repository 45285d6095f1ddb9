// A net without training: three levels of Haar's wavelet over a window of 32 samples. It stands
// for whatever you have: a few layers of your own, a filter bank, a vendor's library.
#pragma once

#include <math.h>
#include <tinyol.h>

class HaarNet : public tinyol::FrozenNet {
 public:
  static const uint16_t kInputs = 32;
  static const uint16_t kLevels = 3;
  static const uint16_t kMeans = 4;

  tinyol::TensorView input() override { return view(input_, kInputs); }

  tinyol::TensorView output(tinyol::Tap tap) override {
    switch (tap) {
      case tinyol::Tap::kEmbedding:  // how much happens fast, less fast, slowly (log energy)
        return view(energy_, kLevels);
      case tinyol::Tap::kHidden:  // what the reconstruction is made from: means of 8 samples
        return view(means_, kMeans);
      default:  // the window as those means alone tell it
        return view(reconstruction_, kInputs);
    }
  }

  bool invoke() override {
    float coarse[kInputs];
    for (int i = 0; i < kInputs; ++i) coarse[i] = input_[i];
    int n = kInputs;
    for (int level = 0; level < kLevels; ++level) {
      n /= 2;
      float energy = 1e-9f;  // keeps the logarithm's argument away from zero
      for (int i = 0; i < n; ++i) {
        const float detail = 0.5f * (coarse[2 * i] - coarse[2 * i + 1]);
        energy += detail * detail;
        coarse[i] = 0.5f * (coarse[2 * i] + coarse[2 * i + 1]);
      }
      energy_[level] = logf(energy / n);
    }
    for (int i = 0; i < kMeans; ++i) means_[i] = coarse[i];
    for (int i = 0; i < kInputs; ++i) reconstruction_[i] = coarse[i / 8];
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
  float energy_[kLevels];
  float means_[kMeans];
  float reconstruction_[kInputs];
};
