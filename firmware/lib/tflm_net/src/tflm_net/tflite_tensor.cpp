#include "tflm_net/tflite_tensor.h"

#include "tflm_net/refused_place.h"

namespace tinyol {
namespace {

constexpr uint32_t kMaxRank = 8;
constexpr float kMaxScale = 1e30f;  // frozen/net_blob.h: every real value is finite
// Slots of the schema's tables.
enum TensorSlot {
  kShape = 0,
  kType = 1,
  kBuffer = 2,
  kQuantization = 4,
  kIsVariable = 5,
  kSparsity = 6
};
enum QuantizationSlot { kScale = 2, kZeroPoint = 3 };
constexpr int kBufferData = 0;

Status refuse_tensor(uint32_t index, Refusal* refusal) {
  return RefusedPlace().text("tflite tensor ").number(index).refuse(refusal, Status::kMalformed);
}

// The shape: dimensions of 1 and more.
bool read_shape(FlatReader* reader, uint32_t table, TfliteTensor* tensor) {
  const FlatVector shape = reader->vector(table, kShape, 4);
  if (shape.count > kMaxRank) return false;
  tensor->rank = shape.count;
  for (uint32_t i = 0; i < shape.count; ++i) {
    const int32_t dim = reader->i32_at(shape, i);
    if (dim < 1 || static_cast<uint32_t>(dim) > kMaxTfliteValues / tensor->length) return false;
    if (i == 0) tensor->first_dim = static_cast<uint32_t>(dim);
    tensor->last_dim = static_cast<uint32_t>(dim);
    tensor->length *= static_cast<uint32_t>(dim);
  }
  return true;
}

// The values of a constant: as many as the shape says, aligned for their type.
bool read_buffer(FlatReader* reader, uint32_t table, const FlatVector& buffers,
                 TfliteTensor* tensor) {
  const uint32_t buffer = reader->u32(table, kBuffer);
  if (buffer >= buffers.count) return false;
  const FlatVector data = reader->vector(reader->table_at(buffers, buffer), kBufferData, 1);
  tensor->is_constant = data.count > 0;
  if (!tensor->is_constant) return true;
  const uint32_t alignment = tensor->type == TfliteType::kInt8 ? 1 : 4;
  return data.count == tensor->n_bytes() && data.first % alignment == 0;
}

// Scales that are positive and finite; as many zero points, or one for all. What is computed at
// run time has exactly one, and an int8's zero point is an int8.
bool read_quantization(FlatReader* reader, uint32_t table, TfliteTensor* tensor) {
  const uint32_t quantization = reader->table(table, kQuantization);
  const FlatVector scales = reader->vector(quantization, kScale, 4);
  const FlatVector zero_points = reader->vector(quantization, kZeroPoint, 8);
  tensor->n_scales = scales.count;
  if (tensor->type != TfliteType::kInt8) return true;
  if (scales.count == 0 || (zero_points.count != scales.count && zero_points.count != 1)) {
    return false;
  }
  for (uint32_t i = 0; i < scales.count; ++i) {
    const float scale = reader->f32_at(scales, i);
    if (!(scale > 0.0f && scale <= kMaxScale)) return false;
  }
  tensor->zero_point = reader->i64_at(zero_points, 0);
  if (tensor->zero_point < -128 || tensor->zero_point > 127) return false;
  return tensor->is_constant || scales.count == 1;
}

}  // namespace

Status read_tflite_tensor(FlatReader* reader, const FlatVector& tensors, const FlatVector& buffers,
                          uint32_t index, TfliteTensor* tensor, Refusal* refusal) {
  *tensor = TfliteTensor();
  const uint32_t table = reader->table_at(tensors, index);
  const uint8_t type = reader->u8(table, kType);
  if (type != static_cast<uint8_t>(TfliteType::kFloat32) &&
      type != static_cast<uint8_t>(TfliteType::kInt32) &&
      type != static_cast<uint8_t>(TfliteType::kInt8)) {
    return RefusedPlace()
        .text("tensor ")
        .number(index)
        .text(" of type ")
        .number(type)
        .refuse(refusal, Status::kUnsupported);
  }
  tensor->type = static_cast<TfliteType>(type);
  if (reader->u8(table, kIsVariable) != 0) {
    return refuse(refusal, Status::kUnsupported, "variable tensor");
  }
  if (reader->has(table, kSparsity)) return refuse(refusal, Status::kUnsupported, "sparse tensor");
  if (!read_shape(reader, table, tensor) || !read_buffer(reader, table, buffers, tensor) ||
      !read_quantization(reader, table, tensor)) {
    if (!reader->ok()) return refuse(refusal, Status::kMalformed, "tflite");
    return refuse_tensor(index, refusal);
  }
  if (!reader->ok()) return refuse(refusal, Status::kMalformed, "tflite");
  if (tensor->type == TfliteType::kInt32 && !tensor->is_constant) {
    return refuse_tensor(index, refusal);
  }
  return Status::kOk;
}

}  // namespace tinyol
