#include "kernels_api.h"

#include "frozen/kernels.h"
#include "frozen/simd_x86.h"

using tinyol::frozen::FullyConnectedInt8;
using tinyol::frozen::Multiplier;
using tinyol::frozen::SimdPath;

extern "C" {

int tinyol_test_simd_path(void) {
  return static_cast<int>(tinyol::frozen::simd_path());
}

int tinyol_test_set_simd_path(int path) {
  return tinyol::frozen::set_simd_path(static_cast<SimdPath>(path)) ? 1 : 0;
}

void tinyol_test_fully_connected(const int8_t* weights, const int32_t* bias, const int32_t* factors,
                                 uint32_t n_factors, uint32_t n_in, uint32_t n_out,
                                 int32_t zero_point, int32_t least, int32_t greatest,
                                 const int8_t* input, int8_t* output) {
  FullyConnectedInt8 layer;
  layer.weights = weights;
  layer.bias = bias;
  layer.multipliers = reinterpret_cast<const Multiplier*>(factors);
  layer.per_channel = n_factors > 1;
  layer.n_in = n_in;
  layer.n_out = n_out;
  layer.output_zero_point = zero_point;
  layer.output_min = least;
  layer.output_max = greatest;
  tinyol::frozen::fully_connected_int8(layer, input, output);
}

}  // extern "C"
