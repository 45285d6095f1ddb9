// Recursive least squares for the fine-tuned layer, all outputs at once since they share the
// input a = (hidden activations, 1 if there is a bias):
//   g = P a / (lambda + a' P a);  W += (x - W a) g';  P = (P - g a' P) / lambda
// (Haykin, Adaptive Filter Theory, 5th ed., table 10.1.) P is symmetric: its lower triangle is
// kept. It starts at kStartGain / max(1, a'a / n) times the identity: beyond that P a a' P and P
// cancel in float32. With lambda < 1 P grows where nothing excites it: an entry of the diagonal
// beyond kMostGain is scaled back to it with its row and column (S P S, which stays definite), so
// that an input that is always 0 costs the others nothing and does not dominate the step in which
// it wakes. A P that rounding has spoilt starts anew.
#pragma once

#include <stdint.h>

#include "tinyol/bytes.h"
#include "tinyol/capacity.h"
#include "tinyol/sgd.h"
#include "tinyol/status.h"

namespace tinyol {

constexpr uint16_t kMaxRlsInputs = kMaxHidden + 1;

struct RecursiveLeastSquares {
  static constexpr float kStartGain = 100.0f;
  static constexpr float kMostGain = 1000.0f;

  uint16_t n = 0;         // inputs, the bias's 1 included; 0: never used
  uint32_t restarts = 0;  // of P, for rounding; stops at 2^32 - 1
  float p[kMaxRlsInputs * (kMaxRlsInputs + 1) / 2] = {};  // row i from i (i + 1) / 2 on

  void reset();
  // One step: `layer` moves towards `residual` = target - output, (n_out). As sgd_step: skipped
  // whole, and counted, when a weight would pass weight_limit or not be finite. Returns whether
  // it was applied.
  bool step(const LinearLayer& layer, const float* input, const float* residual, float forgetting,
            float weight_limit, StepCounts* counts);

  // Section RLSP: u16 n, u16 0, u32 restarts, f32[n (n + 1) / 2].
  void write(ByteWriter* out) const;
  static Status read(ByteReader* in, uint16_t n_inputs, RecursiveLeastSquares* into,
                     Refusal* refusal);
};

// Normalised least mean squares: the SGD step whose rate is `rate` / (kNlmsFloor + |a|^2), so
// that a step takes away the share `rate` of the window's error (Haykin, eq. 7.12).
constexpr float kNlmsFloor = 1e-3f;
float nlms_rate(float rate, const LinearLayer& layer, const float* input);

}  // namespace tinyol
