// What a test sees of the stubs of TFLM: it says what a model's tensors are, and runs it.
#pragma once

#include <stdint.h>

extern "C" {

struct StubTensor {
  uint32_t length;    // values
  uint32_t is_float;  // else int8
  float scale;
  int32_t zero_point;
};

// Describes the model's input and three outputs; not 0: TFLM refuses the model.
typedef int (*stub_tflm_describe)(const uint8_t* model, StubTensor tensors[4]);
// One inference; not 0: it failed.
typedef int (*stub_tflm_invoke)(const uint8_t* model, const void* input, void* embedding,
                                void* hidden, void* reconstruction);

// To be called before a model is loaded. Without them every model is refused.
void stub_tflm_begin(stub_tflm_describe describe, stub_tflm_invoke invoke);

}  // extern "C"
