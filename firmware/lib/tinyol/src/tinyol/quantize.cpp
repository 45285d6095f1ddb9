#include "tinyol/fp_contract.h"

#include "tinyol/quantize.h"

#include <string.h>

namespace tinyol {

void quantize_int8(const float* x, uint32_t n, float scale, int32_t zero_point, int8_t* q) {
  for (uint32_t i = 0; i < n; ++i) {
    float r = x[i] / scale;
    // Far outside int8 already; keeps the conversion below defined on every CPU. Written so
    // that a NaN becomes the lower bound.
    r = r > -1024.0f ? r : -1024.0f;
    r = r < 1024.0f ? r : 1024.0f;
    int32_t whole = static_cast<int32_t>(r);
    const float rest = r - static_cast<float>(whole);  // exact
    if (rest >= 0.5f) ++whole;
    if (rest <= -0.5f) --whole;
    whole += zero_point;
    q[i] = static_cast<int8_t>(whole < -128 ? -128 : whole > 127 ? 127 : whole);
  }
}

void dequantize_int8(const int8_t* q, uint32_t n, float scale, int32_t zero_point, float* x) {
  for (uint32_t i = 0; i < n; ++i) x[i] = static_cast<float>(q[i] - zero_point) * scale;
}

void write_tensor(const TensorView& tensor, const float* x, uint32_t n) {
  if (tensor.type == TensorType::kInt8) {
    quantize_int8(x, n, tensor.scale, tensor.zero_point, static_cast<int8_t*>(tensor.data));
  } else {
    memcpy(tensor.data, x, n * sizeof(float));
  }
}

void read_tensor(const TensorView& tensor, float* x, uint32_t n) {
  if (tensor.type == TensorType::kInt8) {
    dequantize_int8(static_cast<const int8_t*>(tensor.data), n, tensor.scale, tensor.zero_point, x);
  } else {
    memcpy(x, tensor.data, n * sizeof(float));
  }
}

}  // namespace tinyol
