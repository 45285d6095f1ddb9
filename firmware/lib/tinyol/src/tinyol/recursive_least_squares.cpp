#include "tinyol/fp_contract.h"

#include "tinyol/recursive_least_squares.h"

#include "tinyol/count_up.h"
#include "tinyol/float_math.h"

namespace tinyol {
namespace {

constexpr float kLargestFinite = 3.40282347e38f;
constexpr float kMostEnergy = 1e30f;  // of an input: P a and a' P a stay finite

uint32_t triangle(uint32_t n) {
  return n * (n + 1) / 2;
}

// `energy` is a'a of the input that it starts with.
void start(RecursiveLeastSquares* rls, uint16_t n, float energy) {
  rls->n = n;
  const float mean_square = energy / static_cast<float>(n);
  const float gain = RecursiveLeastSquares::kStartGain / (mean_square > 1.0f ? mean_square : 1.0f);
  for (uint32_t i = 0, at = 0; i < n; ++i) {
    for (uint32_t j = 0; j < i; ++j) rls->p[at++] = 0.0f;
    rls->p[at++] = gain;
  }
}

// P a into `pa`; returns a' P a.
float excitation(const RecursiveLeastSquares& rls, const float* a, float* pa) {
  float row[kMaxRlsInputs];
  for (uint32_t i = 0; i < rls.n; ++i) {
    for (uint32_t j = 0; j < rls.n; ++j) {
      row[j] = j <= i ? rls.p[triangle(i) + j] : rls.p[triangle(j) + i];
    }
    pa[i] = dot_f32(row, a, rls.n);
  }
  return dot_f32(a, pa, rls.n);
}

// P = (P - g a' P) / forgetting, and S P S with a diagonal S where an entry of P's diagonal has
// passed kMostGain. False if rounding has cost P its definiteness.
bool advance(RecursiveLeastSquares* rls, const float* g, const float* pa, float forgetting) {
  constexpr float kMost = RecursiveLeastSquares::kMostGain;
  const float growth = 1.0f / forgetting;
  float scale[kMaxRlsInputs];
  bool grown = false;
  bool definite = true;
  float* entry = rls->p;
  for (uint16_t i = 0; i < rls->n; ++i) {
    for (uint16_t j = 0; j <= i; ++j, ++entry) *entry = (*entry - g[i] * pa[j]) * growth;
    const float diagonal = entry[-1];
    definite &= diagonal > 0.0f && diagonal <= kLargestFinite;
    scale[i] = diagonal > kMost ? sqrt_f32(kMost / diagonal) : 1.0f;
    grown |= diagonal > kMost;
  }
  if (!definite || !grown) return definite;
  entry = rls->p;
  for (uint16_t i = 0; i < rls->n; ++i) {
    for (uint16_t j = 0; j <= i; ++j, ++entry) *entry *= scale[i] * scale[j];
    if (scale[i] < 1.0f) entry[-1] = kMost;
  }
  return true;
}

// Whether every entry lies in the range that read() accepts; of a definite P it does.
bool in_range(const RecursiveLeastSquares& rls) {
  bool good = true;
  for (uint32_t i = 0; i < triangle(rls.n); ++i) {
    good &= __builtin_fabsf(rls.p[i]) <= RecursiveLeastSquares::kMostGain;
  }
  return good;
}

}  // namespace

void RecursiveLeastSquares::reset() {
  n = 0;
  restarts = 0;
}

bool RecursiveLeastSquares::step(const LinearLayer& layer, const float* input,
                                 const float* residual, float forgetting, float weight_limit,
                                 StepCounts* counts) {
  const uint16_t wanted = static_cast<uint16_t>(layer.n_in + (layer.bias != nullptr ? 1 : 0));
  float a[kMaxRlsInputs];
  float pa[kMaxRlsInputs];
  for (uint16_t j = 0; j < layer.n_in; ++j) a[j] = input[j];
  if (layer.bias != nullptr) a[layer.n_in] = 1.0f;
  const float energy = dot_f32(a, a, wanted);
  if (!(energy <= kMostEnergy)) {
    count_up(&counts->not_finite);
    return false;
  }
  const bool unused = n != wanted;
  if (unused) start(this, wanted, energy);
  float excited = excitation(*this, a, pa);
  if (!(excited >= 0.0f)) {  // P is definite no more
    start(this, wanted, energy);
    count_up(&restarts);
    excited = excitation(*this, a, pa);
  }
  float g[kMaxRlsInputs];
  for (uint16_t j = 0; j < n; ++j) g[j] = pa[j] / (forgetting + excited);

  const float bias_gain = layer.bias != nullptr ? g[layer.n_in] : 0.0f;
  const LayerUpdate update = {g, bias_gain, residual, -1.0f, 0.0f};
  if (!update_layer(layer, update, weight_limit, counts)) {
    if (unused) n = 0;
    return false;
  }
  if (!advance(this, g, pa, forgetting) || !in_range(*this)) {
    start(this, wanted, energy);
    count_up(&restarts);
  }
  return true;
}

void RecursiveLeastSquares::write(ByteWriter* out) const {
  out->u16(n);
  out->u16(0);
  out->u32(restarts);
  out->f32s(p, triangle(n));
}

Status RecursiveLeastSquares::read(ByteReader* in, uint16_t n_inputs, RecursiveLeastSquares* into,
                                   Refusal* refusal) {
  const uint16_t found = in->u16();
  const uint16_t reserved = in->u16();
  const uint32_t restarts_found = in->u32();
  if (!in->ok()) return refuse(refusal, Status::kTruncated, "RLSP");
  if (found != 0 && found != n_inputs) {
    return refuse(refusal, Status::kMalformed, "RLSP", n_inputs, found);
  }
  if (reserved != 0 || (found == 0 && restarts_found != 0)) {
    return refuse(refusal, Status::kMalformed, "RLSP");
  }
  const uint32_t entries = triangle(found);
  if (in->remaining() / sizeof(float) < entries) {
    return refuse(refusal, Status::kTruncated, "RLSP", entries, in->remaining() / sizeof(float));
  }
  ByteReader ahead = *in;
  for (uint16_t i = 0; i < found; ++i) {
    for (uint16_t j = 0; j < i; ++j) ahead.bounded_f32(kMostGain);
    const float diagonal = ahead.bounded_f32(kMostGain);
    if (!ahead.ok()) return refuse(refusal, Status::kNotFinite, "RLSP");
    if (!(diagonal > 0.0f)) return refuse(refusal, Status::kMalformed, "RLSP diagonal");
  }
  if (into != nullptr) {
    into->n = found;
    into->restarts = restarts_found;
    for (uint32_t i = 0; i < entries; ++i) into->p[i] = in->f32();
  }
  *in = ahead;
  return Status::kOk;
}

float nlms_rate(float rate, const LinearLayer& layer, const float* input) {
  const float energy = dot_f32(input, input, layer.n_in) + (layer.bias != nullptr ? 1.0f : 0.0f);
  return rate / (kNlmsFloor + energy);
}

}  // namespace tinyol
