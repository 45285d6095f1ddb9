// Stub of the header that is generated from TFLite's schema: the words that TinyOL uses.
#pragma once

#include <stdint.h>

namespace tflite {

enum BuiltinOperator : int32_t {
  BuiltinOperator_CONV_2D = 3,
  BuiltinOperator_DEQUANTIZE = 6,
  BuiltinOperator_FULLY_CONNECTED = 9,
  BuiltinOperator_LOGISTIC = 14,
  BuiltinOperator_RELU = 19,
  BuiltinOperator_RELU6 = 21,
  BuiltinOperator_RESHAPE = 22,
  BuiltinOperator_TANH = 28,
  BuiltinOperator_CUSTOM = 32,
  BuiltinOperator_QUANTIZE = 114,
  BuiltinOperator_MAX = 158,
};

enum BuiltinOptions : uint8_t {
  BuiltinOptions_FullyConnectedOptions = 8,
  BuiltinOptions_ReshapeOptions = 17,
};

inline const char* EnumNameBuiltinOperator(BuiltinOperator kind) {
  switch (kind) {
    case BuiltinOperator_CONV_2D:
      return "CONV_2D";
    case BuiltinOperator_DEQUANTIZE:
      return "DEQUANTIZE";
    case BuiltinOperator_FULLY_CONNECTED:
      return "FULLY_CONNECTED";
    case BuiltinOperator_LOGISTIC:
      return "LOGISTIC";
    case BuiltinOperator_RELU:
      return "RELU";
    case BuiltinOperator_RELU6:
      return "RELU6";
    case BuiltinOperator_RESHAPE:
      return "RESHAPE";
    case BuiltinOperator_TANH:
      return "TANH";
    case BuiltinOperator_CUSTOM:
      return "CUSTOM";
    case BuiltinOperator_QUANTIZE:
      return "QUANTIZE";
    default:
      return "";
  }
}

struct Model;  // a flatbuffer's bytes

inline const Model* GetModel(const void* bytes) {
  return static_cast<const Model*>(bytes);
}

}  // namespace tflite
