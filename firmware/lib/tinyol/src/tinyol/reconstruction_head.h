// The layer that replaces the frozen autoencoder's last one and goes on learning:
//   y = W h + b over the decoder's last hidden layer h, then an output and a loss to choose.
// The truth is the window x itself, so every window is a lesson (the paper's section on
// fine-tuning: eq. (2)-(5)). Starts from the layer that training left.
#pragma once

#include <stdint.h>

#include "tinyol/bytes.h"
#include "tinyol/capacity.h"
#include "tinyol/sgd.h"
#include "tinyol/status.h"

namespace tinyol {

// dL/dz for output y, with z = W h + b and s(z) = 1 / (1 + e^-z). A sigmoid cannot reach a
// target outside [0, 1]: such targets are clamped, and counted.
enum class ReconstructionLoss : uint8_t {
  kLinearSquared = 0,        // y = z,    L = 1/2 sum (y - x)^2:          dL/dz = y - x
  kSigmoidCrossEntropy = 1,  // y = s(z), L = the paper's eq. (4):        dL/dz = y - x
  kSigmoidSquared = 2,       // y = s(z), L = 1/2 sum (y - x)^2:          (y - x) y (1 - y)
  kPaperEquation5 = 3,  // y = s(z), the paper's eq. (5) to the letter: (y - x) s(y) (1 - s(y));
                        // it is the gradient of neither loss
};

struct ReconstructionHead {
  uint16_t n_hidden = 0;
  uint16_t n_outputs = 0;
  bool has_bias = false;
  StepCounts steps;
  uint32_t clamped_targets = 0;
  float weights[kMaxHidden * kMaxInputs] = {};  // row-major (n_outputs, n_hidden)
  float bias[kMaxInputs] = {};
  float weight_bound = kUnknownBound;  // LinearLayer's; not part of what was learned

  void reset(uint16_t hidden, uint16_t outputs, bool bias);

  // output: (n_outputs), in the units of the net's normalised input.
  void predict(const float* hidden, ReconstructionLoss loss, float* output) const;

  // One step towards `target` (the normalised window), given predict()'s output for the same
  // hidden activations. `output` is overwritten. Returns whether the step was applied.
  bool learn(const float* hidden, const float* target, ReconstructionLoss loss, const SgdRule& rule,
             float* output);

  void write(ByteWriter* out) const;
  static Status read(ByteReader* in, uint16_t n_hidden, uint16_t n_outputs, bool has_bias,
                     ReconstructionHead* into, Refusal* refusal);

  // The layer itself, for other rules than SGD.
  LinearLayer layer() {
    return {weights, has_bias ? bias : nullptr, n_hidden, n_outputs, &weight_bound};
  }
};

// Mean over the window of (a[i] - b[i])^2: the reconstruction error, in squared units of the
// normalised input.
float mean_squared_error(const float* a, const float* b, uint16_t n);

}  // namespace tinyol
