#include "tinyol/fp_contract.h"

#include "frozen/net_blob.h"

#include <string.h>

#include "tinyol/bytes.h"

namespace tinyol {
namespace frozen {
namespace {

constexpr uint8_t kMagic[4] = {'T', 'O', 'L', 'N'};

}  // namespace

uint32_t place_of_weight(uint32_t row, uint32_t column, uint32_t n_in) {
  const uint32_t block = (row & ~3u) * padded_to_word(n_in);
  const uint32_t word = (row & 2u) + (column & 1u);
  return block + 4u * ((column & ~3u) + word) + (column & 2u) + (row & 1u);
}

int8_t weight_at(const uint8_t* weights, uint32_t row, uint32_t column, uint32_t n_in) {
  const uint8_t stored = weights[place_of_weight(row, column, n_in)];
  return static_cast<int8_t>(stored ^ ((row & 1u) == 0 ? 0x80u : 0u));
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
  TensorRecord tensor;
  memcpy(&tensor, blob + kNetHeaderBytes + index * kTensorRecordBytes, sizeof(tensor));
  return tensor;
}

OperatorRecord operator_record(const uint8_t* blob, const NetHeader& header, uint32_t index) {
  OperatorRecord op;
  memcpy(
      &op,
      blob + kNetHeaderBytes + header.n_tensors * kTensorRecordBytes + index * kOperatorRecordBytes,
      sizeof(op));
  return op;
}

}  // namespace frozen
}  // namespace tinyol
