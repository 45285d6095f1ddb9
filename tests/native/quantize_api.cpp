// tinyol/quantize.h for test_quantize.py.
#include "tinyol/quantize.h"

extern "C" {

void tinyol_test_quantize(const float* x, uint32_t n, float scale, int32_t zero_point, int8_t* q) {
  tinyol::quantize_int8(x, n, scale, zero_point, q);
}

void tinyol_test_dequantize(const int8_t* q, uint32_t n, float scale, int32_t zero_point,
                            float* x) {
  tinyol::dequantize_int8(q, n, scale, zero_point, x);
}
}
