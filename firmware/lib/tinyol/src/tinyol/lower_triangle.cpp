#include "tinyol/fp_contract.h"

#include "tinyol/lower_triangle.h"

#include "tinyol/capacity.h"
#include "tinyol/float_math.h"

// The recursions below unroll at compile time, at -Os too: with eight features, the usual number,
// everything then stays in registers, at a third of the instructions. Both ways take every step
// in the same order and give the same bits.
#define TINYOL_UNROLLED static inline __attribute__((always_inline))

namespace tinyol {
namespace {

constexpr uint32_t kUsual = 8;  // features

// Of column j: how b is rotated into it.
struct Rotation {
  float cosine;
  float sine;
  float cosine_shrink;
  float sine_shrink;
};

inline __attribute__((always_inline)) Rotation rotate(float* diagonal, float b, float shrink,
                                                      float floor) {
  const float shrunk = shrink * *diagonal;
  const float length = sqrt_f32(shrunk * shrunk + b * b);
  const float inverse = 1.0f / length;
  const float cosine = shrunk * inverse;
  const float sine = b * inverse;
  *diagonal = length > floor ? length : floor;
  return {cosine, sine, cosine * shrink, sine * shrink};
}

inline __attribute__((always_inline)) void turn(float* entry, float* b, const Rotation& r) {
  const float before = *entry;
  *entry = r.cosine_shrink * before + r.sine * *b;
  *b = r.cosine * *b - r.sine_shrink * before;
}

// z_i = (b_i - L_i0 z_0 - L_i1 z_1 - ...) / L_ii, in this order.
template <uint32_t i, uint32_t j>
struct Row {
  TINYOL_UNROLLED float rest(float b, const float* row, const float* z) {
    return Row<i, j - 1>::rest(b, row, z) - row[j - 1] * z[j - 1];
  }
};
template <uint32_t i>
struct Row<i, 0> {
  TINYOL_UNROLLED float rest(float b, const float*, const float*) { return b; }
};

template <uint32_t d>
struct Rows {
  TINYOL_UNROLLED void solve(const float* lower, const float* x, const float* centre, float* z) {
    Rows<d - 1>::solve(lower, x, centre, z);
    const float* row = lower + (d - 1) * d / 2;
    z[d - 1] = Row<d - 1, d - 1>::rest(x[d - 1] - centre[d - 1], row, z) / row[d - 1];
  }
};
template <>
struct Rows<0> {
  TINYOL_UNROLLED void solve(const float*, const float*, const float*, float*) {}
};

// The entries of column j below the diagonal, from row i on.
template <uint32_t i, uint32_t d>
struct Column {
  TINYOL_UNROLLED void turn_down(float* lower, float* b, uint32_t j, const Rotation& r) {
    turn(lower + i * (i + 1) / 2 + j, b + i, r);
    Column<i + 1, d>::turn_down(lower, b, j, r);
  }
};
template <uint32_t d>
struct Column<d, d> {
  TINYOL_UNROLLED void turn_down(float*, float*, uint32_t, const Rotation&) {}
};

template <uint32_t j, uint32_t d>
struct Columns {
  TINYOL_UNROLLED void update(float* lower, float* b, float shrink, const float* floors) {
    const Rotation r = rotate(lower + j * (j + 3) / 2, b[j], shrink, floors[j]);
    Column<j + 1, d>::turn_down(lower, b, j, r);
    Columns<j + 1, d>::update(lower, b, shrink, floors);
  }
};
template <uint32_t d>
struct Columns<d, d> {
  TINYOL_UNROLLED void update(float*, float*, float, const float*) {}
};

// Apart from the usual way, which would save its registers.
__attribute__((noinline)) float any_distance(const float* lower, const float* x,
                                             const float* centre, uint32_t d) {
  float z[kMaxFeatures];
  for (uint32_t i = 0; i < d; ++i) {
    float rest = x[i] - centre[i];
    for (uint32_t j = 0; j < i; ++j) rest -= lower[j] * z[j];
    z[i] = rest / lower[i];
    lower += i + 1;
  }
  return dot_f32(z, z, d);
}

}  // namespace

float triangle_distance(const float* lower, const float* x, const float* centre, uint32_t d) {
  if (d != kUsual) return any_distance(lower, x, centre, d);
  float z[kUsual];
  Rows<kUsual>::solve(lower, x, centre, z);
  return (((z[0] * z[0] + z[4] * z[4]) + (z[1] * z[1] + z[5] * z[5])) +
          ((z[2] * z[2] + z[6] * z[6]) + (z[3] * z[3] + z[7] * z[7])));
}

void update_triangle(float* lower, float* b, uint16_t d, float keep, float take,
                     const float* floors) {
  const float shrink = sqrt_f32(keep);
  const float stretch = sqrt_f32(take);
  if (d == kUsual) {
    float turned[kUsual];
    for (uint32_t j = 0; j < kUsual; ++j) turned[j] = b[j] * stretch;
    Columns<0, kUsual>::update(lower, turned, shrink, floors);
    return;
  }
  for (uint32_t j = 0; j < d; ++j) b[j] *= stretch;
  for (uint32_t j = 0; j < d; ++j) {
    const Rotation r = rotate(lower + j * (j + 3) / 2, b[j], shrink, floors[j]);
    for (uint32_t i = j + 1; i < d; ++i) turn(lower + i * (i + 1) / 2 + j, b + i, r);
  }
}

}  // namespace tinyol
