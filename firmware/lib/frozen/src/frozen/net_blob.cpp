#include "tinyol/fp_contract.h"

#include "frozen/net_blob.h"

#include <string.h>

#include "tinyol/bytes.h"

namespace tinyol {
namespace frozen {
namespace {

constexpr uint8_t kMagic[4] = {'T', 'O', 'L', 'N'};

}  // namespace

uint32_t padded_to_word(uint32_t n_bytes) {
  return (n_bytes + 3u) & ~3u;
}

uint32_t bytes_of_tensor(const TensorRecord& tensor) {
  return tensor.type == TensorType::kFloat32 ? 4u * tensor.length : tensor.length;
}

uint32_t net_records_end(const NetHeader& header) {
  return kNetHeaderBytes + header.n_tensors * kTensorRecordBytes +
         header.n_operators * kOperatorRecordBytes;
}

Status read_net_header(const uint8_t* blob, uint32_t length, NetHeader* header, Refusal* refusal) {
  if (blob == nullptr || length < kNetHeaderBytes) {
    return refuse(refusal, Status::kTruncated, "net header", kNetHeaderBytes, length);
  }
  ByteReader reader(blob, length);
  if (memcmp(reader.bytes(4), kMagic, 4) != 0) {
    return refuse(refusal, Status::kBadMagic, "net magic");
  }
  const uint16_t version = reader.u16();
  if (version != kNetBlobVersion) {
    return refuse(refusal, Status::kBadVersion, "net version", kNetBlobVersion, version);
  }
  header->n_tensors = reader.u16();
  header->n_operators = reader.u16();
  header->input = reader.u16();
  for (uint16_t& tap : header->taps) tap = reader.u16();
  const uint16_t reserved16 = reader.u16();
  header->arena_bytes = reader.u32();
  header->blob_bytes = reader.u32();
  const uint32_t reserved32 = reader.u32();
  if (reserved16 != 0 || reserved32 != 0) {
    return refuse(refusal, Status::kMalformed, "net header's zeros", 0, reserved16 | reserved32);
  }
  if (header->blob_bytes > length) {
    return refuse(refusal, Status::kTruncated, "net blob", header->blob_bytes, length);
  }
  if (header->blob_bytes != length || (length & 3u) != 0) {
    return refuse(refusal, Status::kMalformed, "net blob bytes", header->blob_bytes, length);
  }
  if (header->n_tensors == 0 || header->n_tensors > kMaxNetTensors) {
    return refuse(refusal, Status::kMalformed, "number of tensors", kMaxNetTensors,
                  header->n_tensors);
  }
  if (header->n_operators > kMaxNetOperators) {
    return refuse(refusal, Status::kMalformed, "number of operators", kMaxNetOperators,
                  header->n_operators);
  }
  if (header->input >= header->n_tensors) {
    return refuse(refusal, Status::kMalformed, "input tensor", header->n_tensors, header->input);
  }
  for (uint16_t tap : header->taps) {
    if (tap >= header->n_tensors) {
      return refuse(refusal, Status::kMalformed, "tap", header->n_tensors, tap);
    }
  }
  const uint32_t records_end = net_records_end(*header);
  if (records_end > length) {
    return refuse(refusal, Status::kTruncated, "net records", records_end, length);
  }
  uint32_t all_tensors = 0;  // below 2^27: 256 tensors of at most 2^18 bytes
  for (uint32_t i = 0; i < header->n_tensors; ++i) {
    all_tensors += padded_to_word(bytes_of_tensor(tensor_record(blob, i)));
  }
  if ((header->arena_bytes & 3u) != 0 || header->arena_bytes > all_tensors) {
    return refuse(refusal, Status::kMalformed, "arena bytes", all_tensors, header->arena_bytes);
  }
  return Status::kOk;
}

TensorRecord tensor_record(const uint8_t* blob, uint32_t index) {
  ByteReader reader(blob + kNetHeaderBytes + index * kTensorRecordBytes, kTensorRecordBytes);
  TensorRecord tensor;
  tensor.arena_offset = reader.u32();
  tensor.length = reader.u16();
  tensor.type = static_cast<TensorType>(reader.u8());
  tensor.zero_point = static_cast<int8_t>(reader.u8());
  tensor.scale = reader.f32();
  return tensor;
}

OperatorRecord operator_record(const uint8_t* blob, const NetHeader& header, uint32_t index) {
  ByteReader reader(
      blob + kNetHeaderBytes + header.n_tensors * kTensorRecordBytes + index * kOperatorRecordBytes,
      kOperatorRecordBytes);
  OperatorRecord op;
  op.kind = reader.u8();
  op.activation = reader.u8();
  op.input = reader.u16();
  op.output = reader.u16();
  op.output_min = static_cast<int8_t>(reader.u8());
  op.output_max = static_cast<int8_t>(reader.u8());
  op.weights_offset = reader.u32();
  op.bias_offset = reader.u32();
  op.multipliers_offset = reader.u32();
  op.n_multipliers = reader.u16();
  op.reserved = reader.u16();
  return op;
}

}  // namespace frozen
}  // namespace tinyol
