#include "tinyol/fp_contract.h"

#include "frozen/net_blob_check.h"

#include "frozen/net_blob.h"
#include "tinyol/bytes.h"
#include "tinyol/float_math.h"

namespace tinyol {
namespace frozen {
namespace {

bool is_word_multiple(uint32_t offset) {
  return (offset & 3u) == 0;
}

bool overlap(const TensorRecord& a, const TensorRecord& b) {
  return a.arena_offset < b.arena_offset + padded_to_word(bytes_of_tensor(b)) &&
         b.arena_offset < a.arena_offset + padded_to_word(bytes_of_tensor(a));
}

// What the checks read, and where their verdict goes.
struct Check {
  const uint8_t* blob;
  NetHeader header;
  Refusal* refusal;

  Status malformed(const char* where, uint32_t need, uint32_t have) const {
    return refuse(refusal, Status::kMalformed, where, need, have);
  }
};

Status check_tensor(const Check& check, uint32_t index) {
  const TensorRecord tensor = tensor_record(check.blob, index);
  if (tensor.type != TensorType::kInt8 && tensor.type != TensorType::kFloat32) {
    return refuse(check.refusal, Status::kUnsupported, "tensor type", index,
                  static_cast<uint32_t>(tensor.type));
  }
  if (tensor.length == 0) return check.malformed("tensor length", 1, 0);
  if (!is_word_multiple(tensor.arena_offset)) {
    return check.malformed("tensor alignment", 4, tensor.arena_offset);
  }
  const uint32_t size = padded_to_word(bytes_of_tensor(tensor));
  const uint32_t arena_bytes = check.header.arena_bytes;
  if (size > arena_bytes || tensor.arena_offset > arena_bytes - size) {
    return check.malformed("tensor in arena", arena_bytes, tensor.arena_offset);
  }
  if (!(tensor.scale > 0.0f && tensor.scale <= kMaxTensorScale)) {
    return check.malformed("tensor scale", 0, bits_from_float(tensor.scale));
  }
  if (tensor.type == TensorType::kFloat32 && (tensor.zero_point != 0 || tensor.scale != 1.0f)) {
    return check.malformed("float32 quantisation", 0, index);
  }
  return Status::kOk;
}

// `n_bytes` of data at `offset` lie behind the records and inside the blob.
Status check_data(const Check& check, const char* where, uint32_t offset, uint32_t n_bytes) {
  const uint32_t blob_bytes = check.header.blob_bytes;
  if (!is_word_multiple(offset)) return check.malformed(where, 4, offset);
  if (offset < net_records_end(check.header))
    return check.malformed(where, net_records_end(check.header), offset);
  if (n_bytes > blob_bytes || offset > blob_bytes - n_bytes) {
    return check.malformed(where, n_bytes,
                           blob_bytes - (offset < blob_bytes ? offset : blob_bytes));
  }
  return Status::kOk;
}

Status check_finite(const Check& check, const char* where, uint32_t offset, uint32_t n_values) {
  const Status placed = check_data(check, where, offset, 4u * n_values);
  if (placed != Status::kOk) return placed;
  ByteReader values(check.blob + offset, 4u * n_values);
  for (uint32_t i = 0; i < n_values; ++i) {
    if (!is_finite_f32(values.f32())) return refuse(check.refusal, Status::kNotFinite, where, 0, i);
  }
  return Status::kOk;
}

// The types that an operator reads and writes, and whether its lengths must be equal.
struct Duty {
  TensorType reads;
  TensorType writes;
  bool keeps_length;
};

bool duty_of(uint8_t kind, Duty* duty) {
  constexpr TensorType kInt8 = TensorType::kInt8;
  constexpr TensorType kFloat32 = TensorType::kFloat32;
  switch (static_cast<OperatorKind>(kind)) {
    case OperatorKind::kFullyConnectedInt8:
      *duty = {kInt8, kInt8, false};
      return true;
    case OperatorKind::kLookupInt8:
      *duty = {kInt8, kInt8, true};
      return true;
    case OperatorKind::kFullyConnectedFloat32:
      *duty = {kFloat32, kFloat32, false};
      return true;
    case OperatorKind::kUnaryFloat32:
      *duty = {kFloat32, kFloat32, true};
      return true;
    case OperatorKind::kQuantize:
      *duty = {kFloat32, kInt8, true};
      return true;
    case OperatorKind::kDequantize:
      *duty = {kInt8, kFloat32, true};
      return true;
  }
  return false;
}

Status check_fully_connected_int8(const Check& check, const OperatorRecord& op, uint32_t n_in,
                                  uint32_t n_out) {
  const uint32_t columns = padded_to_word(n_in);
  const uint32_t rows = padded_to_word(n_out);
  if (columns > UINT32_MAX / rows) return check.malformed("weights", n_in, n_out);
  Status status = check_data(check, "weights", op.weights_offset, rows * columns);
  if (status != Status::kOk) return status;
  for (uint32_t row = 0; row < rows; ++row) {
    for (uint32_t column = row < n_out ? n_in : 0; column < columns; ++column) {
      const int8_t padding = weight_at(check.blob + op.weights_offset, row, column, n_in);
      if (padding != 0) return check.malformed("weights padding", 0, static_cast<uint8_t>(padding));
    }
  }
  status = check_data(check, "bias", op.bias_offset, 4u * n_out);
  if (status != Status::kOk) return status;
  if (op.n_multipliers != 1 && op.n_multipliers != n_out) {
    return check.malformed("number of multipliers", n_out, op.n_multipliers);
  }
  status = check_data(check, "multipliers", op.multipliers_offset, 8u * op.n_multipliers);
  if (status != Status::kOk) return status;
  ByteReader multipliers(check.blob + op.multipliers_offset, 8u * op.n_multipliers);
  for (uint32_t i = 0; i < op.n_multipliers; ++i) {
    const uint32_t multiplier = multipliers.u32();
    const uint32_t shift = multipliers.u32();
    if (multiplier > 0x7FFFFFFFu) return check.malformed("multiplier", 0x7FFFFFFFu, multiplier);
    if (shift + 31u > 61u) return check.malformed("shift", 30, shift);  // -31 to 30, modulo 2^32
  }
  if (op.output_min > op.output_max) return check.malformed("output range", 0, 0);
  return Status::kOk;
}

Status check_fully_connected_float32(const Check& check, const OperatorRecord& op, uint32_t n_in,
                                     uint32_t n_out) {
  if (op.activation > static_cast<uint8_t>(Activation::kTanh)) {
    return refuse(check.refusal, Status::kUnsupported, "activation", 0, op.activation);
  }
  if (n_in > 0x3FFFFFFFu / n_out) return check.malformed("weights", n_in, n_out);
  const Status status = check_finite(check, "weights", op.weights_offset, n_in * n_out);
  if (status != Status::kOk) return status;
  return check_finite(check, "bias", op.bias_offset, n_out);
}

// Fields that mean nothing for this kind are 0, so that a later version may give them a meaning.
bool unused_fields_are_zero(const OperatorRecord& op) {
  if (op.reserved != 0) return false;
  const OperatorKind kind = static_cast<OperatorKind>(op.kind);
  const bool fully_connected_int8 = kind == OperatorKind::kFullyConnectedInt8;
  const bool fully_connected_float32 = kind == OperatorKind::kFullyConnectedFloat32;
  if (!fully_connected_int8 && (op.output_min != 0 || op.output_max != 0 ||
                                op.multipliers_offset != 0 || op.n_multipliers != 0)) {
    return false;
  }
  if (!fully_connected_float32 && kind != OperatorKind::kUnaryFloat32 && op.activation != 0) {
    return false;
  }
  if (fully_connected_int8 || fully_connected_float32) return true;
  return op.bias_offset == 0 && (op.weights_offset == 0 || kind == OperatorKind::kLookupInt8);
}

Status check_operator(const Check& check, uint32_t index) {
  const OperatorRecord op = operator_record(check.blob, check.header, index);
  Duty duty;
  if (!duty_of(op.kind, &duty)) {
    return refuse(check.refusal, Status::kUnsupported, "operator kind", index, op.kind);
  }
  if (!unused_fields_are_zero(op)) return check.malformed("operator's zeros", index, op.kind);
  const uint32_t n_tensors = check.header.n_tensors;
  if (op.input >= n_tensors) return check.malformed("operator's input", n_tensors, op.input);
  if (op.output >= n_tensors) return check.malformed("operator's output", n_tensors, op.output);
  const TensorRecord input = tensor_record(check.blob, op.input);
  const TensorRecord output = tensor_record(check.blob, op.output);
  if (input.type != duty.reads || output.type != duty.writes) {
    return check.malformed("operator's types", index, op.kind);
  }
  if (duty.keeps_length && input.length != output.length) {
    return check.malformed("operator's lengths", input.length, output.length);
  }
  if (overlap(input, output)) return check.malformed("operator in place", index, op.kind);
  switch (static_cast<OperatorKind>(op.kind)) {
    case OperatorKind::kFullyConnectedInt8:
      return check_fully_connected_int8(check, op, input.length, output.length);
    case OperatorKind::kFullyConnectedFloat32:
      return check_fully_connected_float32(check, op, input.length, output.length);
    case OperatorKind::kLookupInt8:
      return check_data(check, "lookup table", op.weights_offset, 256);
    case OperatorKind::kUnaryFloat32:
      if (op.activation == 0 || op.activation > static_cast<uint8_t>(Activation::kTanh)) {
        return refuse(check.refusal, Status::kUnsupported, "activation", index, op.activation);
      }
      return Status::kOk;
    case OperatorKind::kQuantize:
    case OperatorKind::kDequantize:
      return Status::kOk;
  }
  return Status::kOk;
}

// Whoever wrote `tensor` last before operator `reader` (or before the end) wrote the whole of it:
// nothing else has touched its memory since.
Status check_written(const Check& check, uint32_t tensor, uint32_t reader) {
  const TensorRecord read = tensor_record(check.blob, tensor);
  for (uint32_t i = reader; i-- > 0;) {
    const uint16_t written = operator_record(check.blob, check.header, i).output;
    if (written == tensor) return Status::kOk;
    if (overlap(read, tensor_record(check.blob, written))) {
      return check.malformed("tensor overwritten", tensor, written);
    }
  }
  if (tensor == check.header.input) return Status::kOk;
  return check.malformed("tensor never written", tensor, reader);
}

// The input stays what the caller wrote: no operator writes to it or over it.
Status check_input_kept(const Check& check) {
  const TensorRecord input = tensor_record(check.blob, check.header.input);
  for (uint32_t i = 0; i < check.header.n_operators; ++i) {
    const uint16_t written = operator_record(check.blob, check.header, i).output;
    if (overlap(input, tensor_record(check.blob, written))) {
      return check.malformed("input overwritten", check.header.input, written);
    }
  }
  return Status::kOk;
}

}  // namespace

Status check_net_blob(const uint8_t* blob, uint32_t length, Refusal* refusal) {
  Check check = {blob, NetHeader(), refusal};
  Status status = read_net_header(blob, length, &check.header, refusal);
  for (uint32_t i = 0; status == Status::kOk && i < check.header.n_tensors; ++i) {
    status = check_tensor(check, i);
  }
  for (uint32_t i = 0; status == Status::kOk && i < check.header.n_operators; ++i) {
    status = check_operator(check, i);
    if (status == Status::kOk) {
      status = check_written(check, operator_record(blob, check.header, i).input, i);
    }
  }
  if (status == Status::kOk) status = check_input_kept(check);
  for (uint32_t i = 0; status == Status::kOk && i < kTapCount; ++i) {
    status = check_written(check, check.header.taps[i], check.header.n_operators);
  }
  return status;
}

}  // namespace frozen
}  // namespace tinyol
