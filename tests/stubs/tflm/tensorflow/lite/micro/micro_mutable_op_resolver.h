// Stub of TFLM's list of operators that a program fills.
#pragma once

#include "tensorflow/lite/micro/micro_op_resolver.h"

namespace tflite {

template <unsigned int kMaxOperators>
class MicroMutableOpResolver final : public MicroOpResolver {
 public:
  const TfLiteRegistration* FindOp(BuiltinOperator kind) const override {
    for (unsigned int i = 0; i < count_; ++i) {
      if (registrations_[i].builtin_code == kind) return &registrations_[i];
    }
    return nullptr;
  }

  TfLiteStatus AddDequantize() { return add(BuiltinOperator_DEQUANTIZE); }
  TfLiteStatus AddFullyConnected() { return add(BuiltinOperator_FULLY_CONNECTED); }
  TfLiteStatus AddLogistic() { return add(BuiltinOperator_LOGISTIC); }
  TfLiteStatus AddQuantize() { return add(BuiltinOperator_QUANTIZE); }
  TfLiteStatus AddRelu() { return add(BuiltinOperator_RELU); }
  TfLiteStatus AddRelu6() { return add(BuiltinOperator_RELU6); }
  TfLiteStatus AddReshape() { return add(BuiltinOperator_RESHAPE); }
  TfLiteStatus AddTanh() { return add(BuiltinOperator_TANH); }

 private:
  TfLiteStatus add(BuiltinOperator kind) {
    if (count_ == kMaxOperators || FindOp(kind) != nullptr) return kTfLiteError;
    registrations_[count_++].builtin_code = kind;
    return kTfLiteOk;
  }

  TfLiteRegistration registrations_[kMaxOperators] = {};
  unsigned int count_ = 0;
};

}  // namespace tflite
