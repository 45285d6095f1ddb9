#include "tinyol/fp_contract.h"

#include "frozen/blob_net.h"

#include "frozen/kernels.h"
#include "frozen/net_blob_check.h"
#include "tinyol/quantize.h"

namespace tinyol {
namespace frozen {
namespace {

bool is_word_aligned(const void* pointer) {
  return (reinterpret_cast<uintptr_t>(pointer) & 3u) == 0;
}

// Bytes of the blob or the arena as what they hold; load() has checked place and alignment.
template <typename T>
const T* as(const uint8_t* bytes) {
  return reinterpret_cast<const T*>(bytes);
}
template <typename T>
T* as(uint8_t* bytes) {
  return reinterpret_cast<T*>(bytes);
}

FullyConnectedInt8 fully_connected_int8_layer(const uint8_t* blob, const OperatorRecord& op,
                                              const TensorRecord& input,
                                              const TensorRecord& output) {
  FullyConnectedInt8 layer;
  layer.weights = as<int8_t>(blob + op.weights_offset);
  layer.bias = as<int32_t>(blob + op.bias_offset);
  layer.multipliers = as<Multiplier>(blob + op.multipliers_offset);
  layer.per_channel = op.n_multipliers > 1;
  layer.n_in = input.length;
  layer.n_out = output.length;
  layer.output_zero_point = output.zero_point;
  layer.output_min = op.output_min;
  layer.output_max = op.output_max;
  return layer;
}

FullyConnectedFloat32 fully_connected_float32_layer(const uint8_t* blob, const OperatorRecord& op,
                                                    const TensorRecord& input,
                                                    const TensorRecord& output) {
  FullyConnectedFloat32 layer;
  layer.weights = as<float>(blob + op.weights_offset);
  layer.bias = as<float>(blob + op.bias_offset);
  layer.n_in = input.length;
  layer.n_out = output.length;
  layer.activation = static_cast<Activation>(op.activation);
  return layer;
}

}  // namespace

Status BlobNet::load(const uint8_t* blob, uint32_t length, uint8_t* arena, uint32_t arena_bytes,
                     Refusal* refusal) {
  blob_ = nullptr;
  if (!is_word_aligned(blob)) return refuse(refusal, Status::kBadValue, "net blob alignment", 4);
  if (!is_word_aligned(arena)) return refuse(refusal, Status::kBadValue, "arena alignment", 4);
  const Status status = check_net_blob(blob, length, refusal);
  if (status != Status::kOk) return status;
  read_net_header(blob, length, &header_, nullptr);
  if (arena == nullptr || arena_bytes < header_.arena_bytes) {
    return refuse(refusal, Status::kTooSmall, "arena", header_.arena_bytes,
                  arena == nullptr ? 0 : arena_bytes);
  }
  blob_ = blob;
  tensors_ = as<TensorRecord>(blob + kNetHeaderBytes);
  operators_ = as<OperatorRecord>(blob + kNetHeaderBytes + header_.n_tensors * kTensorRecordBytes);
  arena_ = arena;
  return Status::kOk;
}

TensorView BlobNet::input() {
  return blob_ != nullptr ? view(header_.input) : TensorView();
}

TensorView BlobNet::output(Tap tap) {
  return blob_ != nullptr ? view(header_.taps[static_cast<uint8_t>(tap)]) : TensorView();
}

bool BlobNet::invoke() {
  if (blob_ == nullptr) return false;
  const OperatorRecord* end = operators_ + header_.n_operators;
  for (const OperatorRecord* op = operators_; op != end; ++op) run(*op);
  return true;
}

TensorView BlobNet::view(uint32_t tensor) const {
  const TensorRecord& record = tensors_[tensor];
  TensorView view;
  view.data = arena_ + record.arena_offset;
  view.length = record.length;
  view.type = record.type;
  view.scale = record.scale;
  view.zero_point = record.zero_point;
  return view;
}

void BlobNet::run(const OperatorRecord& op) const {
  const TensorRecord& input = tensors_[op.input];
  const TensorRecord& output = tensors_[op.output];
  const uint8_t* in = arena_ + input.arena_offset;
  uint8_t* out = arena_ + output.arena_offset;
  switch (static_cast<OperatorKind>(op.kind)) {
    case OperatorKind::kFullyConnectedInt8:
      fully_connected_int8(fully_connected_int8_layer(blob_, op, input, output), as<int8_t>(in),
                           as<int8_t>(out));
      return;
    case OperatorKind::kLookupInt8:
      lookup_int8(as<int8_t>(blob_ + op.weights_offset), as<int8_t>(in), as<int8_t>(out),
                  input.length);
      return;
    case OperatorKind::kFullyConnectedFloat32:
      fully_connected_float32(fully_connected_float32_layer(blob_, op, input, output),
                              as<float>(in), as<float>(out));
      return;
    case OperatorKind::kUnaryFloat32:
      unary_float32(static_cast<Activation>(op.activation), as<float>(in), as<float>(out),
                    input.length);
      return;
    case OperatorKind::kQuantize:
      quantize_int8(as<float>(in), input.length, output.scale, output.zero_point, as<int8_t>(out));
      return;
    case OperatorKind::kDequantize:
      dequantize_int8(as<int8_t>(in), input.length, input.scale, input.zero_point, as<float>(out));
      return;
  }
}

}  // namespace frozen
}  // namespace tinyol
