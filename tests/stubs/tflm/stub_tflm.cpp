#include "stub_tflm.h"

#include "tensorflow/lite/micro/micro_interpreter.h"

namespace {

stub_tflm_describe describe_model = nullptr;
stub_tflm_invoke invoke_model = nullptr;

}  // namespace

extern "C" void stub_tflm_begin(stub_tflm_describe describe, stub_tflm_invoke invoke) {
  describe_model = describe;
  invoke_model = invoke;
}

namespace tflite {

TfLiteStatus MicroInterpreter::AllocateTensors() {
  StubTensor described[4] = {};
  const uint8_t* model = reinterpret_cast<const uint8_t*>(model_);
  if (describe_model == nullptr || describe_model(model, described) != 0) return kTfLiteError;
  used_ = 0;
  for (int i = 0; i < 4; ++i) {
    const StubTensor& from = described[i];
    TfLiteTensor& tensor = tensors_[i];
    tensor.type = from.is_float != 0 ? kTfLiteFloat32 : kTfLiteInt8;
    tensor.bytes = from.is_float != 0 ? size_t{4} * from.length : from.length;
    tensor.params = {from.scale, from.zero_point};
    tensor.data.raw = reinterpret_cast<char*>(arena_ + used_);
    used_ += (tensor.bytes + 15) & ~size_t{15};
  }
  return used_ <= arena_bytes_ ? kTfLiteOk : kTfLiteError;
}

TfLiteStatus MicroInterpreter::Invoke() {
  const uint8_t* model = reinterpret_cast<const uint8_t*>(model_);
  const int failed = invoke_model(model, tensors_[0].data.raw, tensors_[1].data.raw,
                                  tensors_[2].data.raw, tensors_[3].data.raw);
  return failed == 0 ? kTfLiteOk : kTfLiteError;
}

}  // namespace tflite
