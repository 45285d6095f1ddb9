// Stub of TFLM's interpreter: its tensors lie in the arena, and what an inference is a test says
// (stub_tflm.h).
#pragma once

#include "tensorflow/lite/c/common.h"
#include "tensorflow/lite/micro/micro_op_resolver.h"
#include "tensorflow/lite/schema/schema_generated.h"

#define TFLITE_SCHEMA_VERSION (3)

namespace tflite {

class MicroInterpreter {
 public:
  MicroInterpreter(const Model* model, const MicroOpResolver& op_resolver, uint8_t* tensor_arena,
                   size_t tensor_arena_size)
      : model_(model), arena_(tensor_arena), arena_bytes_(tensor_arena_size) {
    static_cast<void>(op_resolver);
  }

  TfLiteStatus AllocateTensors();
  TfLiteStatus Invoke();
  TfLiteTensor* input(size_t index) { return index == 0 ? &tensors_[0] : nullptr; }
  TfLiteTensor* output(size_t index) { return index < 3 ? &tensors_[1 + index] : nullptr; }
  size_t arena_used_bytes() const { return used_; }

 private:
  const Model* model_;
  uint8_t* arena_;
  size_t arena_bytes_;
  size_t used_ = 0;
  TfLiteTensor tensors_[4] = {};  // the input, then the outputs
};

}  // namespace tflite
