#include "tflm_net/tflm_net.h"

#include <new>

#include "tensorflow/lite/schema/schema_generated.h"
#include "tflm_net/arena_need.h"
#include "tflm_net/check_tflite.h"

namespace tinyol {
namespace {

constexpr uint32_t kAlignment = 16;  // TFLM's own of tensors, and the schema's of constants

static_assert(sizeof(void*) > 4 || sizeof(TfLiteTensor) <= 64,
              "another TFLM than arena_need.cpp was measured with");

bool is_aligned(const void* pointer) {
  return (reinterpret_cast<uintptr_t>(pointer) & (kAlignment - 1)) == 0;
}

bool lies_in(const uint8_t* arena, uint32_t arena_bytes, const TfLiteTensor* tensor) {
  if (tensor == nullptr || tensor->bytes > arena_bytes) return false;
  const uintptr_t first = reinterpret_cast<uintptr_t>(arena);
  const uintptr_t place = reinterpret_cast<uintptr_t>(tensor->data.raw);
  return place >= first && place - first <= arena_bytes - tensor->bytes;
}

// check_tflite() has seen to type, length and scale; an int8 value takes one byte.
TensorView view_of(const TfLiteTensor* tensor) {
  TensorView view;
  if (tensor == nullptr) return view;
  const bool is_float = tensor->type == kTfLiteFloat32;
  view.data = tensor->data.raw;
  view.length = static_cast<uint16_t>(is_float ? tensor->bytes / 4 : tensor->bytes);
  view.type = is_float ? TensorType::kFloat32 : TensorType::kInt8;
  view.scale = is_float ? 1.0f : tensor->params.scale;
  view.zero_point = is_float ? 0 : tensor->params.zero_point;
  return view;
}

}  // namespace

Status TflmNet::load(const uint8_t* model, uint32_t length, tflite::MicroOpResolver* resolver,
                     uint8_t* arena, uint32_t arena_bytes, Refusal* refusal) {
  interpreter_ = nullptr;
  if (!is_aligned(model)) return refuse(refusal, Status::kBadValue, "tflite alignment", 16);
  if (!is_aligned(arena)) return refuse(refusal, Status::kBadValue, "tflm arena alignment", 16);
  TfliteCounts counts;
  const Status status = check_tflite(model, length, *resolver, &counts, refusal);
  if (status != Status::kOk) return status;
  // Before the interpreter is made: without room for its own objects TFLM writes to address 0.
  const uint32_t need = tflm_arena_need(counts);
  if (arena == nullptr) arena_bytes = 0;
  if (arena_bytes < need) {
    return refuse(refusal, Status::kTooSmall, "tflm arena", need, arena_bytes);
  }
  tflite::MicroInterpreter* made = new (storage_)
      tflite::MicroInterpreter(tflite::GetModel(model), *resolver, arena, arena_bytes);
  if (made->AllocateTensors() != kTfLiteOk) return refuse(refusal, Status::kUnsupported, "tflm");
  // TFLM gives no memory to a tensor that its plan does not need, as an input that nothing reads.
  bool are_placed = lies_in(arena, arena_bytes, made->input(0));
  for (int tap = 0; tap < kTapCount; ++tap) {
    are_placed = are_placed && lies_in(arena, arena_bytes, made->output(tap));
  }
  if (!are_placed) return refuse(refusal, Status::kUnsupported, "tflm");
  interpreter_ = made;
  return Status::kOk;
}

uint32_t TflmNet::arena_used() const {
  return interpreter_ != nullptr ? static_cast<uint32_t>(interpreter_->arena_used_bytes()) : 0;
}

TensorView TflmNet::input() {
  return view_of(interpreter_ != nullptr ? interpreter_->input(0) : nullptr);
}

TensorView TflmNet::output(Tap tap) {
  return view_of(interpreter_ != nullptr ? interpreter_->output(static_cast<uint8_t>(tap))
                                         : nullptr);
}

bool TflmNet::invoke() {
  return interpreter_ != nullptr && interpreter_->Invoke() == kTfLiteOk;
}

}  // namespace tinyol
