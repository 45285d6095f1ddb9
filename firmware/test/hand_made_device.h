// A device without a model image: a net of four lines, and a Model filled in by hand.
#pragma once

#include <math.h>
#include <string.h>

#include "tinyol/device.h"

// Of a window of eight values: how large they are on average, how much they jump from one to the
// next, and a reconstruction by the means of its halves.
class HalvesNet : public tinyol::FrozenNet {
 public:
  static constexpr uint16_t kInputs = 8;

  tinyol::TensorView input() override { return view(input_, kInputs); }
  tinyol::TensorView output(tinyol::Tap tap) override {
    if (tap == tinyol::Tap::kEmbedding) return view(embedding_, 2);
    if (tap == tinyol::Tap::kHidden) return view(halves_, 2);
    return view(reconstruction_, kInputs);
  }
  bool invoke() override {
    embedding_[0] = embedding_[1] = halves_[0] = halves_[1] = 0.0f;
    for (int i = 0; i < kInputs; ++i) {
      embedding_[0] += fabsf(input_[i]) / 8.0f;
      if (i > 0) embedding_[1] += fabsf(input_[i] - input_[i - 1]) / 7.0f;
      halves_[i / 4] += input_[i] / 4.0f;
    }
    for (int i = 0; i < kInputs; ++i) reconstruction_[i] = halves_[i / 4];
    return runs;
  }

  bool runs = true;

 private:
  static tinyol::TensorView view(float* data, uint16_t length) {
    tinyol::TensorView tensor;
    tensor.data = data;
    tensor.length = length;
    tensor.type = tinyol::TensorType::kFloat32;
    return tensor;
  }

  float input_[kInputs] = {};
  float embedding_[2] = {};
  float halves_[2] = {};
  float reconstruction_[kInputs] = {};
};

// Windows of eight samples of z, one after the other; the features are the net's two and the
// logarithm of its error. No start values: the fine-tuned layer begins at zero.
inline tinyol::Model hand_made_model() {
  tinyol::Model model;
  memcpy(model.id, "by hand1", tinyol::kModelIdBytes);
  model.pipeline.rate_hz = 100.0f;
  model.pipeline.window_len = HalvesNet::kInputs;
  model.pipeline.hop = HalvesNet::kInputs;
  model.pipeline.features = tinyol::kFeatureEmbedding | tinyol::kFeatureLogError;
  model.pipeline.projection[2] = 1.0f;
  model.pipeline.scale[0] = 1.0f;
  model.max_classes = 4;
  model.ring_len = 8;
  model.n_hidden = 2;
  model.n_outputs = HalvesNet::kInputs;
  model.has_bias = true;
  return model;
}

// Eight samples, one window: a slow wave for kind 0, a fast one for kind 1; `step` shifts it.
inline void push_window(tinyol::Device* device, int kind, int step, tinyol::WindowResult* result) {
  for (int i = 0; i < HalvesNet::kInputs; ++i) {
    const float phase = static_cast<float>(i + 3 * step) * (kind == 0 ? 0.4f : 2.9f);
    const float sample[3] = {0.0f, 0.0f, 1.0f + 0.5f * sinf(phase)};
    device->push_sample(sample, result);
  }
}
