// Stub of TFLM's list of operators.
#pragma once

#include "tensorflow/lite/c/common.h"
#include "tensorflow/lite/schema/schema_generated.h"

namespace tflite {

class MicroOpResolver {
 public:
  virtual const TfLiteRegistration* FindOp(BuiltinOperator kind) const = 0;

 protected:
  ~MicroOpResolver() = default;
};

}  // namespace tflite
