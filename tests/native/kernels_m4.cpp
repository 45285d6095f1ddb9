// The frozen net's kernels as an emulated CPU calls them: tests/cortex_m4.py finds each function
// by its place in this table, which the linker puts at address 0.
#include "frozen/kernels.h"
#include "tinyol/quantize.h"

using tinyol::frozen::FullyConnectedInt8;
using tinyol::frozen::Multiplier;

namespace {

// As the test lays it out in memory.
struct Layer {
  const int8_t* weights;
  const int32_t* bias;
  const Multiplier* multipliers;
  uint32_t n_multipliers;
  uint32_t n_in;
  uint32_t n_out;
  int32_t zero_point;
  int32_t least;
  int32_t greatest;
};

FullyConnectedInt8 of(const Layer& layer) {
  FullyConnectedInt8 made;
  made.weights = layer.weights;
  made.bias = layer.bias;
  made.multipliers = layer.multipliers;
  made.per_channel = layer.n_multipliers > 1;
  made.n_in = layer.n_in;
  made.n_out = layer.n_out;
  made.output_zero_point = layer.zero_point;
  made.output_min = layer.least;
  made.output_max = layer.greatest;
  return made;
}

void run(const Layer* layer, const int8_t* input, int8_t* output) {
  tinyol::frozen::fully_connected_int8(of(*layer), input, output);
}

void run_plain(const Layer* layer, const int8_t* input, int8_t* output) {
  tinyol::frozen::fully_connected_int8_plain(of(*layer), input, output);
}

struct Numbers {
  float* real;
  int8_t* quantised;
  uint32_t n;
  float scale;
  int32_t zero_point;
};

void quantize(const Numbers* x) {
  tinyol::quantize_int8(x->real, x->n, x->scale, x->zero_point, x->quantised);
}

void dequantize(const Numbers* x) {
  tinyol::dequantize_int8(x->quantised, x->n, x->scale, x->zero_point, x->real);
}

}  // namespace

extern "C" {

struct Table {
  void (*run)(const Layer*, const int8_t*, int8_t*);
  void (*run_plain)(const Layer*, const int8_t*, int8_t*);
  void (*quantize)(const Numbers*);
  void (*dequantize)(const Numbers*);
};

__attribute__((section(".vectors"), used)) extern const Table kTable;
const Table kTable = {run, run_plain, quantize, dequantize};
}
