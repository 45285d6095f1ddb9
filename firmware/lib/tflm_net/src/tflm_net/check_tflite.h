// The door for .tflite models: what it lets in, TFLM runs without harm, whoever wrote it. TFLM
// itself follows every offset and index in the file unchecked.
#pragma once

#include <stdint.h>

#include "tensorflow/lite/micro/micro_op_resolver.h"
#include "tinyol/status.h"

namespace tinyol {

// What the arena's size depends on.
struct TfliteCounts {
  uint32_t n_tensors = 0;  // constants too
  uint32_t n_operators = 0;
  uint32_t n_computed = 0;      // tensors that are no constants
  uint32_t computed_bytes = 0;  // of those, each rounded up to 16
  uint32_t kernel_bytes = 0;    // what kernels ask for themselves
};

constexpr uint32_t kTfliteSchemaVersion = 3;
constexpr uint32_t kMaxTfliteTensors = 1024;
constexpr uint32_t kMaxTfliteOperators = 255;

// Checks all that TFLM reads of a model of FULLY_CONNECTED, RELU, RELU6, LOGISTIC, TANH, QUANTIZE,
// DEQUANTIZE and RESHAPE: every offset, index, length and type, that the shapes fit each other,
// and that nothing is read before something has written it. (Of another operator that `resolver`
// knows, its options' own vectors are not looked into.) Refuses with
//   kMalformed    "tflite": no .tflite file, truncated, or an offset leads out of it;
//                 "tflite tensor 5", "tflite operator 3": fields that contradict each other
//   kBadVersion   "tflite schema": need and have
//   kUnsupported  "operator CONV_2D", "operator 999": the resolver does not know it
//                 "per-channel weights": TFLM of 2023 takes the first scale for all of them and
//                 returns garbage without an error
//                 "tflite inputs", "tflite outputs": need 1 and 3 (the taps, in Tap's order)
//                 "tensor 5 of type 7": other than int8, float32, or int32 for constants
//                 "offline memory plan", "tflite subgraphs", "variable tensor", "sparse tensor",
//                 "fused activation", "shuffled weights", "batch of rows"
//   kTooSmall     "tflite tensors", "tflite operators", "tflite values": more than the limits
//                 above, or a tap of more than 65535 values
Status check_tflite(const uint8_t* bytes, uint32_t length, const tflite::MicroOpResolver& resolver,
                    TfliteCounts* counts, Refusal* refusal);

}  // namespace tinyol
