// The frozen net in TensorFlow Lite Micro's interpreter: a .tflite model, run in place. Needs
// TFLM's headers and library (tensorflow/lite/micro/...); built for its fork for Arduino of 2023.
#pragma once

#include <stdint.h>

#include "tensorflow/lite/micro/micro_interpreter.h"
#include "tensorflow/lite/micro/micro_op_resolver.h"
#include "tinyol/frozen_net.h"
#include "tinyol/status.h"

namespace tinyol {

class TflmNet final : public FrozenNet {
 public:
  // Checks the model (tflm_net/check_tflite.h), then has TFLM allocate its tensors. All pointers
  // are kept and must stay valid; `model` and `arena` begin at multiples of 16. Refused is,
  // besides what check_tflite() says, with
  //   kBadValue     "tflite alignment", "tflm arena alignment": need 16
  //   kTooSmall     "tflm arena": need and have in bytes (tflm_net/arena_need.h)
  //   kUnsupported  "tflm": it passed every check here, and TFLM itself refuses it
  // After a failure nothing is loaded. It may be called again, also with another model.
  Status load(const uint8_t* model, uint32_t length, tflite::MicroOpResolver* resolver,
              uint8_t* arena, uint32_t arena_bytes, Refusal* refusal);

  // Bytes of the arena in use; 0 while nothing is loaded.
  uint32_t arena_used() const;

  // Views with data = nullptr and invoke() = false until load() has succeeded. invoke() may
  // overwrite the input's bytes.
  TensorView input() override;
  TensorView output(Tap tap) override;
  bool invoke() override;

 private:
  // The interpreter, made in place by load(). Never destroyed: it owns nothing, and its destructor
  // would read whatever a failed allocation left in the arena.
  alignas(tflite::MicroInterpreter) uint8_t storage_[sizeof(tflite::MicroInterpreter)];
  tflite::MicroInterpreter* interpreter_ = nullptr;  // in storage_
};

}  // namespace tinyol
