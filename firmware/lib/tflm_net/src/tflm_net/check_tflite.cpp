#include "tflm_net/check_tflite.h"

#include <string.h>

#include "tensorflow/lite/schema/schema_generated.h"
#include "tflm_net/flat_reader.h"
#include "tflm_net/refused_place.h"
#include "tflm_net/tflite_tensor.h"
#include "tinyol/frozen_net.h"

namespace tinyol {
namespace {

// Slots of the schema's tables (tensorflow/lite/schema/schema.fbs).
enum ModelSlot { kVersion = 0, kOperatorCodes = 1, kSubgraphs = 2, kBuffers = 4, kMetadata = 6 };
enum MetadataSlot { kMetadataName = 0, kMetadataBuffer = 1 };
enum SubgraphSlot { kTensors = 0, kInputs = 1, kOutputs = 2, kOperators = 3 };
enum CodeSlot { kDeprecatedCode = 0, kBuiltinCode = 3 };
enum OperatorSlot {
  kOpcodeIndex = 0,
  kOperatorInputs = 1,
  kOperatorOutputs = 2,
  kOptionsType = 3,
  kOptions = 4,
  kCustomOptions = 5,
  kIntermediates = 8,
};
enum OptionsSlot { kFusedActivation = 0, kWeightsFormat = 1, kNewShape = 0 };
enum FusedActivation { kNoActivation = 0, kFusedRelu = 1, kFusedRelu6 = 3 };

constexpr char kIdentifier[] = "TFL3";
constexpr char kOfflinePlan[] = "OfflineMemoryAllocation";  // tells TFLM where tensors go
constexpr uint32_t kMaxReads = 16;                          // tensors that an operator reads
constexpr uint32_t kMaxTapLength = 65535;                   // TensorView's

class Check {
 public:
  Check(const uint8_t* bytes, uint32_t length, const tflite::MicroOpResolver& resolver,
        TfliteCounts* counts, Refusal* refusal)
      : bytes_(bytes),
        reader_(bytes, length),
        resolver_(resolver),
        counts_(counts),
        refusal_(refusal) {}

  Status run();

 private:
  Status open();
  Status check_metadata(uint32_t model);
  Status check_ends();
  Status check_end(const FlatVector& ends, uint32_t number, bool is_output);
  Status check_operator(uint32_t index);
  Status check_code(uint32_t op, int32_t* code);
  Status check_reads(uint32_t index, const FlatVector& reads);
  Status check_fully_connected(uint32_t index, uint32_t op, const FlatVector& reads);
  Status check_values(uint32_t index, int32_t code, uint32_t op, const FlatVector& reads);

  Status read(int32_t tensor, TfliteTensor* found);
  bool is_written_before(int32_t tensor, uint32_t operator_index);
  Status refused(Status status, const char* where, uint32_t need = 0, uint32_t have = 0) {
    return refuse(refusal_, status, where, need, have);
  }
  Status refused_operator(uint32_t index) {
    if (!reader_.ok()) return refused(Status::kMalformed, "tflite");
    const RefusedPlace place = RefusedPlace().text("tflite operator ").number(index);
    return place.refuse(refusal_, Status::kMalformed);
  }

  const uint8_t* bytes_;
  FlatReader reader_;
  const tflite::MicroOpResolver& resolver_;
  TfliteCounts* counts_;
  Refusal* refusal_;
  FlatVector codes_, buffers_, tensors_, inputs_, outputs_, operators_;
  TfliteTensor output_;  // what the operator under check writes
};

Status Check::open() {
  const uint32_t model = reader_.root();
  if (!reader_.ok() || memcmp(bytes_ + 4, kIdentifier, 4) != 0) {
    return refused(Status::kMalformed, "tflite");
  }
  const uint32_t version = reader_.u32(model, kVersion);
  if (reader_.ok() && version != kTfliteSchemaVersion) {
    return refused(Status::kBadVersion, "tflite schema", kTfliteSchemaVersion, version);
  }
  codes_ = reader_.vector(model, kOperatorCodes, 4);
  buffers_ = reader_.vector(model, kBuffers, 4);
  const FlatVector graphs = reader_.vector(model, kSubgraphs, 4);
  if (!reader_.ok()) return refused(Status::kMalformed, "tflite");
  if (graphs.count != 1) {
    return refused(Status::kUnsupported, "tflite subgraphs", 1, graphs.count);
  }
  const uint32_t graph = reader_.table_at(graphs, 0);
  tensors_ = reader_.vector(graph, kTensors, 4);
  inputs_ = reader_.vector(graph, kInputs, 4);
  outputs_ = reader_.vector(graph, kOutputs, 4);
  operators_ = reader_.vector(graph, kOperators, 4);
  if (!reader_.ok()) return refused(Status::kMalformed, "tflite");
  if (tensors_.count > kMaxTfliteTensors) {
    return refused(Status::kTooSmall, "tflite tensors", tensors_.count, kMaxTfliteTensors);
  }
  if (operators_.count > kMaxTfliteOperators) {
    return refused(Status::kTooSmall, "tflite operators", operators_.count, kMaxTfliteOperators);
  }
  return check_metadata(model);
}

// A plan in the file would have TFLM put tensors wherever it says.
Status Check::check_metadata(uint32_t model) {
  const FlatVector entries = reader_.vector(model, kMetadata, 4);
  for (uint32_t i = 0; i < entries.count && reader_.ok(); ++i) {
    const uint32_t entry = reader_.table_at(entries, i);
    const FlatVector name = reader_.string(entry, kMetadataName);
    const uint32_t buffer = reader_.u32(entry, kMetadataBuffer);
    if (!reader_.ok() || name.first == 0 || buffer >= buffers_.count) {
      return refused(Status::kMalformed, "tflite");
    }
    const uint32_t n = sizeof(kOfflinePlan) - 1;
    if (name.count >= n && memcmp(bytes_ + name.first, kOfflinePlan, n) == 0) {
      return refused(Status::kUnsupported, "offline memory plan");
    }
  }
  return reader_.ok() ? Status::kOk : refused(Status::kMalformed, "tflite");
}

Status Check::read(int32_t tensor, TfliteTensor* found) {
  if (tensor < 0 || static_cast<uint32_t>(tensor) >= tensors_.count) {
    return refused(Status::kMalformed, "tflite");
  }
  return read_tflite_tensor(&reader_, tensors_, buffers_, static_cast<uint32_t>(tensor), found,
                            refusal_);
}

// Whether the graph's input or an operator before `operator_index` writes the tensor.
bool Check::is_written_before(int32_t tensor, uint32_t operator_index) {
  if (inputs_.count > 0 && reader_.i32_at(inputs_, 0) == tensor) return true;
  for (uint32_t i = 0; i < operator_index; ++i) {
    const uint32_t op = reader_.table_at(operators_, i);
    const FlatVector writes = reader_.vector(op, kOperatorOutputs, 4);
    if (writes.count > 0 && reader_.i32_at(writes, 0) == tensor) return true;
  }
  return false;
}

Status Check::check_end(const FlatVector& ends, uint32_t number, bool is_output) {
  const int32_t index = reader_.i32_at(ends, number);
  TfliteTensor tensor;
  const Status status = read(index, &tensor);
  if (status != Status::kOk) return status;
  const uint32_t n_operators = is_output ? operators_.count : 0;
  if (tensor.is_constant || !is_written_before(index, n_operators)) {
    return refused(Status::kMalformed, is_output ? "tflite outputs" : "tflite inputs");
  }
  if (tensor.length > kMaxTapLength) {
    return refused(Status::kTooSmall, "tflite values", tensor.length, kMaxTapLength);
  }
  return Status::kOk;
}

// One input, and the taps as outputs.
Status Check::check_ends() {
  if (inputs_.count != 1) {
    return refused(Status::kUnsupported, "tflite inputs", 1, inputs_.count);
  }
  if (outputs_.count != kTapCount) {
    return refused(Status::kUnsupported, "tflite outputs", kTapCount, outputs_.count);
  }
  Status status = check_end(inputs_, 0, false);
  for (uint32_t i = 0; i < outputs_.count && status == Status::kOk; ++i) {
    status = check_end(outputs_, i, true);
  }
  return status;
}

Status Check::check_code(uint32_t op, int32_t* code) {
  const uint32_t index = reader_.u32(op, kOpcodeIndex);
  if (!reader_.ok() || index >= codes_.count) return refused(Status::kMalformed, "tflite");
  const uint32_t entry = reader_.table_at(codes_, index);
  const int32_t deprecated = static_cast<int8_t>(reader_.u8(entry, kDeprecatedCode));
  const int32_t builtin = static_cast<int32_t>(reader_.u32(entry, kBuiltinCode));
  if (!reader_.ok()) return refused(Status::kMalformed, "tflite");
  *code = deprecated > builtin ? deprecated : builtin;
  const bool has_name = *code >= 0 && *code <= tflite::BuiltinOperator_MAX;
  const tflite::BuiltinOperator kind =
      static_cast<tflite::BuiltinOperator>(has_name ? *code : tflite::BuiltinOperator_CUSTOM);
  if (has_name && kind != tflite::BuiltinOperator_CUSTOM && resolver_.FindOp(kind) != nullptr) {
    return Status::kOk;
  }
  RefusedPlace place = RefusedPlace().text("operator ");
  const char* word = has_name ? tflite::EnumNameBuiltinOperator(kind) : "";
  if (*word != '\0') {
    place.text(word);
  } else {
    place.number(static_cast<uint32_t>(*code));
  }
  return place.refuse(refusal_, Status::kUnsupported);
}

// What an operator reads is a constant, or was written before it runs.
Status Check::check_reads(uint32_t index, const FlatVector& reads) {
  if (!reader_.ok() || reads.count == 0 || reads.count > kMaxReads) return refused_operator(index);
  for (uint32_t i = 0; i < reads.count; ++i) {
    const int32_t tensor = reader_.i32_at(reads, i);
    if (tensor == -1 && i > 0) continue;  // an optional one that is left out
    TfliteTensor found;
    const Status status = read(tensor, &found);
    if (status != Status::kOk) return status;
    if (!found.is_constant && !is_written_before(tensor, index)) return refused_operator(index);
  }
  return Status::kOk;
}

Status Check::check_fully_connected(uint32_t index, uint32_t op, const FlatVector& reads) {
  if (reads.count != 2 && reads.count != 3) return refused_operator(index);
  TfliteTensor input, weights, bias;
  Status status = read(reader_.i32_at(reads, 0), &input);
  if (status == Status::kOk) status = read(reader_.i32_at(reads, 1), &weights);
  const bool has_bias = reads.count == 3 && reader_.i32_at(reads, 2) != -1;
  if (status == Status::kOk && has_bias) status = read(reader_.i32_at(reads, 2), &bias);
  if (status != Status::kOk) return status;

  if (weights.n_scales > 1) return refused(Status::kUnsupported, "per-channel weights");
  const TfliteType bias_type =
      weights.type == TfliteType::kInt8 ? TfliteType::kInt32 : TfliteType::kFloat32;
  const uint32_t n_out = weights.first_dim, n_in = weights.last_dim;
  if (input.is_constant || !weights.is_constant || weights.rank != 2 ||
      weights.type == TfliteType::kInt32 || weights.zero_point != 0 || input.type != weights.type ||
      output_.type != weights.type ||
      (has_bias && (!bias.is_constant || bias.type != bias_type || bias.length != n_out))) {
    return refused_operator(index);
  }
  if (input.length != n_in || output_.length != n_out) {
    const bool is_batch = input.length % n_in == 0 && output_.length % n_out == 0;
    return is_batch ? refused(Status::kUnsupported, "batch of rows") : refused_operator(index);
  }
  // CMSIS-NN takes the number of outputs from there, and computes those of more dimensions as a
  // convolution, with two arrays of its own.
  if (output_.last_dim != n_out) return refused_operator(index);
  if (output_.rank > 2) counts_->kernel_bytes += 2 * ((4 * n_out + 15) & ~uint32_t{15});
  const uint32_t options =
      reader_.u8(op, kOptionsType) == tflite::BuiltinOptions_FullyConnectedOptions
          ? reader_.table(op, kOptions)
          : 0;
  const uint8_t activation = reader_.u8(options, kFusedActivation);
  if (activation != kNoActivation && activation != kFusedRelu && activation != kFusedRelu6) {
    return refused(Status::kUnsupported, "fused activation");
  }
  if (reader_.u8(options, kWeightsFormat) != 0) {
    return refused(Status::kUnsupported, "shuffled weights");
  }
  return Status::kOk;
}

// The operators that give one value for each that they read.
Status Check::check_values(uint32_t index, int32_t code, uint32_t op, const FlatVector& reads) {
  TfliteTensor input;
  const Status status = read(reader_.i32_at(reads, 0), &input);
  if (status != Status::kOk) return status;
  const bool to_int8 = output_.type == TfliteType::kInt8;
  bool types_fit = input.type == output_.type && input.type != TfliteType::kInt32;
  uint32_t most_reads = 1;
  switch (code) {
    case tflite::BuiltinOperator_QUANTIZE:
      types_fit = to_int8 && input.type != TfliteType::kInt32;
      break;
    case tflite::BuiltinOperator_DEQUANTIZE:
      types_fit = !to_int8 && input.type == TfliteType::kInt8;
      break;
    case tflite::BuiltinOperator_RESHAPE:
      most_reads = 2;
      if (reader_.u8(op, kOptionsType) == tflite::BuiltinOptions_ReshapeOptions) {
        reader_.vector(reader_.table(op, kOptions), kNewShape, 4);
      }
      break;
    case tflite::BuiltinOperator_RELU:
    case tflite::BuiltinOperator_RELU6:
    case tflite::BuiltinOperator_LOGISTIC:
    case tflite::BuiltinOperator_TANH:
      break;
    default:
      return Status::kOk;  // the resolver knows it, and TFLM's own check is all there is
  }
  if (!types_fit || reads.count > most_reads || input.is_constant ||
      input.length != output_.length || !reader_.ok()) {
    return refused_operator(index);
  }
  return Status::kOk;
}

Status Check::check_operator(uint32_t index) {
  const uint32_t op = reader_.table_at(operators_, index);
  int32_t code = 0;
  Status status = check_code(op, &code);
  if (status != Status::kOk) return status;
  const FlatVector reads = reader_.vector(op, kOperatorInputs, 4);
  const FlatVector writes = reader_.vector(op, kOperatorOutputs, 4);
  if (reader_.u8(op, kOptionsType) != 0) reader_.table(op, kOptions);
  if (!reader_.ok() || writes.count != 1 || reader_.has(op, kCustomOptions) ||
      reader_.has(op, kIntermediates)) {
    return refused_operator(index);
  }
  const int32_t written = reader_.i32_at(writes, 0);
  status = read(written, &output_);
  if (status != Status::kOk) return status;
  if (output_.is_constant || is_written_before(written, index)) return refused_operator(index);
  status = check_reads(index, reads);
  if (status != Status::kOk) return status;
  if (code == tflite::BuiltinOperator_FULLY_CONNECTED) {
    return check_fully_connected(index, op, reads);
  }
  return check_values(index, code, op, reads);
}

Status Check::run() {
  Status status = open();
  // First what a person can do something about: an operator that this firmware does not have.
  for (uint32_t i = 0; i < operators_.count && status == Status::kOk; ++i) {
    int32_t code;
    status = check_code(reader_.table_at(operators_, i), &code);
  }
  *counts_ = TfliteCounts();
  counts_->n_tensors = tensors_.count;
  counts_->n_operators = operators_.count;
  for (uint32_t i = 0; i < tensors_.count && status == Status::kOk; ++i) {
    TfliteTensor tensor;
    status = read(static_cast<int32_t>(i), &tensor);
    if (status != Status::kOk || tensor.is_constant) continue;
    if (tensor.length > kMaxTapLength) {
      return refused(Status::kTooSmall, "tflite values", tensor.length, kMaxTapLength);
    }
    ++counts_->n_computed;
    counts_->computed_bytes += (tensor.n_bytes() + 15) & ~uint32_t{15};
  }
  for (uint32_t i = 0; i < operators_.count && status == Status::kOk; ++i) {
    status = check_operator(i);
  }
  // TFLM copies the zero points of whatever it reads: an arena's need counts on one of each.
  for (uint32_t i = 0; i < tensors_.count && status == Status::kOk; ++i) {
    TfliteTensor tensor;
    status = read(static_cast<int32_t>(i), &tensor);
    if (status == Status::kOk && tensor.n_scales > 1) {
      const RefusedPlace place = RefusedPlace().text("tflite tensor ").number(i);
      return place.refuse(refusal_, Status::kMalformed);
    }
  }
  return status == Status::kOk ? check_ends() : status;
}

}  // namespace

Status check_tflite(const uint8_t* bytes, uint32_t length, const tflite::MicroOpResolver& resolver,
                    TfliteCounts* counts, Refusal* refusal) {
  if (bytes == nullptr || length < 8) return refuse(refusal, Status::kMalformed, "tflite");
  return Check(bytes, length, resolver, counts, refusal).run();
}

}  // namespace tinyol
