#include "tinyol/fp_contract.h"

#include "tinyol/linear_layer.h"

#include <string.h>

#include "tinyol/capacity.h"
#include "tinyol/count_up.h"
#include "tinyol/float_math.h"
#include "tinyol/four_rows_vector.h"
#include "tinyol/four_rows_vfp.h"

namespace tinyol {
namespace {

// |x| as a number that grows with it: finite ones, then infinity, then NaN. Cheaper than two
// comparisons of floats, each of which waits for its flags.
inline __attribute__((always_inline)) uint32_t size_of(float x) {
  uint32_t bits;
  memcpy(&bits, &x, sizeof(bits));
  return bits & 0x7FFFFFFFu;
}
constexpr uint32_t kInfinite = 0x7F800000u;

// float_from_bits(), here inline.
inline __attribute__((always_inline)) float float_of(uint32_t bits) {
  float x;
  memcpy(&x, &bits, sizeof(x));
  return x;
}

// The largest |x|, `among` included; a NaN if there is one.
inline __attribute__((always_inline)) float largest_of(const float* x, uint32_t n,
                                                       float among = 0.0f) {
#if defined(TINYOL_VFP)
  return float_of(vfp_largest_bits(x, n, size_of(among)));
#else
  uint32_t largest = size_of(among);
  for (uint32_t i = 0; i < n; ++i) {
    const uint32_t size = size_of(x[i]);
    if (size > largest) largest = size;
  }
  return float_of(largest);
#endif
}

// Without decay its term is a zero, which changes no bit of what is left of a finite weight.
template <bool kDecays>
inline float stepped(float weight, float step, float a, float decay) {
  return kDecays ? weight - (step * a + decay * weight) : weight - step * a;
}

// The largest size_of() a weight that there would be. Apart, as what is rare: who calls it then
// saves fewer registers.
template <bool kDecays>
__attribute__((noinline)) uint32_t look(const LinearLayer& layer, const LayerUpdate& update) {
  uint32_t largest = 0;
  const float* weight = layer.weights;
  for (uint32_t i = 0; i < layer.n_out; ++i) {
    const float step = update.scale * update.delta[i];
    for (const float *a = update.input, *end = a + layer.n_in; a != end; ++a, ++weight) {
      const uint32_t size = size_of(stepped<kDecays>(*weight, step, *a, update.decay));
      if (size > largest) largest = size;
    }
    if (layer.bias == nullptr) continue;
    const uint32_t size = size_of(layer.bias[i] - step * update.bias_input);
    if (size > largest) largest = size;
  }
  return largest;
}

// An upper bound of what look() would find, without a look at the weights; not finite: not known.
// Rounding to the nearest is monotonic, so that what bounds the operands of a sum or a product
// bounds, rounded as they are, the result too.
float reach(const LinearLayer& layer, const LayerUpdate& update) {
  if (layer.bound == nullptr) return kUnknownBound;
  const float bias_input = layer.bias != nullptr ? update.bias_input : 0.0f;
  const float input = largest_of(update.input, layer.n_in, bias_input);
  const float step = __builtin_fabsf(update.scale) * largest_of(update.delta, layer.n_out);
  return *layer.bound + (step * input + update.decay * *layer.bound);
}

template <bool kDecays>
__attribute__((noinline)) void take(const LinearLayer& layer, const LayerUpdate& update) {
  float* row = layer.weights;
  for (uint32_t i = 0; i < layer.n_out; ++i, row += layer.n_in) {
    const float step = update.scale * update.delta[i];
    for (uint32_t j = 0; j < layer.n_in; ++j) {
      row[j] = stepped<kDecays>(row[j], step, update.input[j], update.decay);
    }
    if (layer.bias != nullptr) layer.bias[i] -= step * update.bias_input;
  }
}

#if defined(TINYOL_VFP)
// Rows at a time, whatever the build's capacities are: a layer may have any number of them. A
// multiple of four.
constexpr uint32_t kMostSteps = 64;

// Of so many rows as are a multiple of four. Apart from the rest, which then saves no registers.
__attribute__((noinline)) void take_blocks(float* row, uint32_t n_in, uint32_t n_rows,
                                           const float* input, const float* steps) {
  for (; n_rows >= 4; n_rows -= 4, row += 4 * n_in, steps += 4) {
    vfp_subtract_four_rows(row, input, n_in, steps);
  }
}

inline __attribute__((always_inline)) void take_undecayed(const LinearLayer& layer,
                                                          const LayerUpdate& update) {
  float steps[kMostSteps];
  const uint32_t n_in = layer.n_in;
  for (uint32_t first = 0; first < layer.n_out; first += kMostSteps) {
    const uint32_t left = layer.n_out - first;
    const uint32_t n = left < kMostSteps ? left : kMostSteps;
    const float* delta = update.delta + first;
    float* row = layer.weights + first * n_in;
    uint32_t i = 0;
    if (n >= 4 || layer.bias != nullptr) vfp_scale(delta, n, update.scale, steps);
    if (n >= 4) {
      take_blocks(row, n_in, n, update.input, steps);
      i = n & ~3u;
    }
    for (; i < n; ++i) {
      vfp_subtract_row(row + i * n_in, update.input, n_in, update.scale * delta[i]);
    }
    if (layer.bias != nullptr) {
      vfp_subtract_row(layer.bias + first, steps, n, update.bias_input);
    }
  }
}
#else
inline void take_undecayed(const LinearLayer& layer, const LayerUpdate& update) {
  take<false>(layer, update);
}
#endif

}  // namespace

#if defined(TINYOL_VFP) || defined(TINYOL_VECTORS)
void linear_forward(const LinearLayer& layer, const float* input, float* output) {
  // A sum is never -0: it starts at +0. So this bias changes none.
  static const float kNoBias[4] = {0.0f, 0.0f, 0.0f, 0.0f};
  const uint32_t n = layer.n_in;
  const float* row = layer.weights;
  uint32_t i = 0;
  for (; i + 4 <= layer.n_out; i += 4, row += 4 * n) {
    const float* bias = layer.bias != nullptr ? layer.bias + i : kNoBias;
#if defined(TINYOL_VFP)
    vfp_dot_four_rows(row, n, input, n, bias, output + i);
#else
    vector_dot_four_rows(row, n, input, bias, output + i);
#endif
  }
  for (; i < layer.n_out; ++i, row += n) {
    const float sum = dot_f32(row, input, n);
    output[i] = layer.bias != nullptr ? sum + layer.bias[i] : sum;
  }
}
#else
void linear_forward(const LinearLayer& layer, const float* input, float* output) {
  const float* row = layer.weights;
  for (uint32_t i = 0; i < layer.n_out; ++i, row += layer.n_in) {
    const float sum = dot_f32(row, input, layer.n_in);
    output[i] = layer.bias != nullptr ? sum + layer.bias[i] : sum;
  }
}
#endif

bool update_layer(const LinearLayer& layer, const LayerUpdate& update, float weight_limit,
                  StepCounts* counts) {
  // First look, then touch: nothing is written before every new weight is known to be good.
  const bool decays = update.decay != 0.0f;
  float largest = reach(layer, update);
  if (!(largest <= weight_limit)) {
    const uint32_t found = decays ? look<true>(layer, update) : look<false>(layer, update);
    largest = float_of(found);
    // A NaN fails the comparison too; an infinity does, since the limit is finite.
    if (!(largest <= weight_limit)) {
      count_up(found < kInfinite ? &counts->over_limit : &counts->not_finite);
      return false;
    }
  }
  decays ? take<true>(layer, update) : take_undecayed(layer, update);
  if (layer.bound != nullptr) *layer.bound = largest;
  count_up(&counts->applied);
  return true;
}

}  // namespace tinyol
