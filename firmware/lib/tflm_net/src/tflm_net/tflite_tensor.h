// One tensor of a .tflite graph, as far as it decides whether TFLM can run it.
#pragma once

#include <stdint.h>

#include "tflm_net/flat_reader.h"
#include "tinyol/status.h"

namespace tinyol {

// The schema's TensorType (tensorflow/lite/schema/schema.fbs).
enum class TfliteType : uint8_t { kFloat32 = 0, kInt32 = 2, kInt8 = 9 };

struct TfliteTensor {
  TfliteType type = TfliteType::kInt8;
  uint32_t rank = 0;
  uint32_t first_dim = 1;
  uint32_t last_dim = 1;
  uint32_t length = 1;  // values, at most kMaxTfliteValues
  uint32_t n_scales = 0;
  int64_t zero_point = 0;    // the first
  bool is_constant = false;  // its values are in the file: as many as its shape says

  uint32_t n_bytes() const { return type == TfliteType::kInt8 ? length : 4 * length; }
};

constexpr uint32_t kMaxTfliteValues = 1u << 26;  // 256 MB of float32: no size overflows

// Reads and checks tensor `index` of `tensors`; `buffers` are the model's.
Status read_tflite_tensor(FlatReader* reader, const FlatVector& tensors, const FlatVector& buffers,
                          uint32_t index, TfliteTensor* tensor, Refusal* refusal);

}  // namespace tinyol
