// The model image: all that a device must know before it can run (docs/state-image.md).
//   PIPE window settings, LIMS limits that change behaviour, NETB the frozen net (or empty, where
//   the net comes from elsewhere), RECO the decoder's last layer as trained, SETT settings that
//   differ from the defaults, NORM what normal was in training, TEST golden vectors of the net.
#pragma once

#include <stdint.h>

#include "tinyol/anomaly_detector.h"
#include "tinyol/bytes.h"
#include "tinyol/image.h"
#include "tinyol/status.h"

namespace tinyol {

enum class Axes : uint8_t {
  kProjection = 0,  // one channel: the dot product with `projection`
  kAll = 1,         // three channels, interleaved x0 y0 z0 x1 y1 z1 ...
};

enum class Centring : uint8_t {
  kWindow = 0,    // each window's own mean is removed: blind to gravity, harmless when tilted
  kTraining = 1,  // the training data's mean is removed, as in the paper
};

enum class ErrorSource : uint8_t {
  kFrozen = 0,  // the classifier sees the frozen net's error
  kTuned = 1,   // ... that of the fine-tuned layer
};

// Bits of the feature set; features stand in this order.
constexpr uint8_t kFeatureEmbedding = 1;         // n values
constexpr uint8_t kFeatureError = 2;             // reconstruction error
constexpr uint8_t kFeatureLogError = 4;          // its natural logarithm
constexpr uint8_t kFeatureLogVariance = 8;       // natural logarithm of the window's variance, g^2
constexpr uint8_t kFeatureAxisLogVariance = 16;  // ... of x, y and z each: 3 values
constexpr uint8_t kFeatureAll = 31;

struct Pipeline {
  float rate_hz = 0.0f;
  uint16_t window_len = 0;  // samples
  uint16_t hop = 0;         // samples from one window to the next
  Axes axes = Axes::kProjection;
  Centring centring = Centring::kWindow;
  uint8_t features = 0;
  ErrorSource error_source = ErrorSource::kFrozen;
  float projection[3] = {};  // of x, y, z; for Axes::kProjection
  float centre[3] = {};      // g; per channel, for Centring::kTraining
  float scale[3] = {};       // 1/g; per channel: input = (channel - centre) * scale + offset
  float offset = 0.0f;

  uint16_t channels() const { return axes == Axes::kAll ? 3 : 1; }
  uint32_t inputs() const { return static_cast<uint32_t>(window_len) * channels(); }
};

// Inputs drawn from a seed, and what the net must make of them (net_self_test.h).
struct GoldenVectors {
  uint32_t seed = 0;
  uint16_t count = 0;  // at most kMaxGoldenVectors
  uint32_t crc = 0;
};
constexpr uint16_t kMaxGoldenVectors = 256;  // every boot runs them all

struct Model {
  uint8_t id[kModelIdBytes] = {};
  Pipeline pipeline;
  uint16_t max_classes = 0;
  uint16_t ring_len = 0;           // feature vectors kept for late labels
  bool full_covariance = false;    // of GaussianHead
  uint16_t rehearsal_rows = 0;     // feature vectors kept for rehearsal
  uint16_t rehearsal_windows = 0;  // windows kept for it
  uint16_t n_hidden = 0;           // inputs of the fine-tuned layer
  uint16_t n_outputs = 0;          // = pipeline.inputs()
  bool has_bias = false;
  const uint8_t* net = nullptr;  // inside the image, which must outlive the model
  uint32_t net_bytes = 0;
  ByteReader head;        // RECO's payload
  ByteReader settings;    // SETT's payload
  NormalStats normal;     // NORM: what was normal where the model was trained; count 0 = not known
  uint16_t n_priors = 0;  // = features; 0: none are known, as in a model filled in by hand
  ByteReader priors;  // f32[n_priors]: a feature's variance within one state (GaussianHead); else 1
  GoldenVectors golden;

  // Validates the whole image; `*this` is changed only on success.
  Status parse(const uint8_t* image, uint32_t length, Refusal* refusal);
};

}  // namespace tinyol
