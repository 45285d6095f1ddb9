// The net blob: a frozen network as the host compiles it (tinyol_sim/frozen_net/net_compiler.py)
// and BlobNet runs it, in place, from flash. Version 2. Everything is little-endian, every part
// begins at a multiple of 4 bytes from the blob's first, and the blob itself at a multiple of 4.
//
//   header, 32 bytes
//      0  char[4]  magic "TOLN"
//      4  u16      version, 2
//      6  u16      number of tensors, 1 to kMaxNetTensors
//      8  u16      number of operators, 0 to kMaxNetOperators
//     10  u16      index of the input tensor
//     12  u16      index of the embedding      (a tensor may serve as several taps)
//     14  u16      index of the hidden layer
//     16  u16      index of the reconstruction
//     18  u16      0
//     20  u32      bytes of arena, a multiple of 4, at most all tensors side by side
//     24  u32      bytes of the whole blob, a multiple of 4
//     28  u32      0
//
//   tensor records, 12 bytes each
//      0  u32      place in the arena, a multiple of 4; it takes its bytes rounded up to 4
//      4  u16      length in values, 1 to 65535
//      6  u8       TensorType: 0 int8, 1 float32
//      7  i8       zero point; 0 for float32
//      8  f32      scale, positive and at most 1e30 (every real value is finite); 1 for float32
//
//   operator records, 24 bytes each, in the order in which they run
//      0  u8       OperatorKind
//      1  u8       Activation: of a fully connected float32 layer, or the unary function itself;
//                  else 0
//      2  u16      index of the tensor that it reads
//      4  u16      index of the tensor that it writes
//      6  i8, i8   least and greatest output of a fully connected int8 layer (its fused
//                  activation); else 0
//      8  u32      place in the blob of the weights or of the lookup table; else 0
//     12  u32      place of the bias; else 0
//     16  u32      place of the multipliers; else 0
//     20  u16      how many multipliers: 1 (per tensor) or one an output (per channel); else 0
//     22  u16      0
//
//   data, wherever the operator records point to
//      int8 weights     one row an output, both sides padded with zeros to multiples of 4, in
//                       blocks of four rows; of each, first its first four columns, then the next.
//                       Four rows r0 to r3 times four columns c0 to c3 are four words:
//                          r0c0 r1c0 r0c2 r1c2   r0c1 r1c1 r0c3 r1c3
//                          r2c0 r3c0 r2c2 r3c2   r2c1 r3c1 r2c3 r3c3
//                       Rows 0, 2, ... are stored as weight + 128, a byte without a sign. A
//                       halfword is so 256 odd + (even + 128), two weights that meet the same
//                       input: SIMD kernels multiply them at once (blocks_dsp.cpp)
//      int8 bias        i32 an output, the input's zero point folded in:
//                       bias - zero_point * sum(row), modulo 2^32
//      multipliers      i32 multiplier in [0, 2^31), i32 shift in [-31, 30]: the real factor
//                       scale_in * scale_weights / scale_out = multiplier * 2^(shift - 31)
//      lookup table     256 int8, entry i for the input whose byte is i (so -1 is entry 255)
//      float32 weights  one row an output, not padded;  bias: f32 an output
//
// Lengths are nowhere stored twice: a layer's are those of the tensors that it reads and writes.
// The host plans the arena. The input and the three taps keep their bytes for as long as the net
// is loaded; other tensors share memory once they have been read. A RESHAPE is no operator: both
// its tensors are one record.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "tinyol/frozen_net.h"
#include "tinyol/status.h"

namespace tinyol {
namespace frozen {

constexpr uint16_t kNetBlobVersion = 2;
constexpr uint32_t kNetHeaderBytes = 32;
constexpr uint32_t kTensorRecordBytes = 12;
constexpr uint32_t kOperatorRecordBytes = 24;
constexpr uint16_t kMaxNetTensors = 256;
constexpr uint16_t kMaxNetOperators = 255;
constexpr float kMaxTensorScale = 1e30f;

enum class OperatorKind : uint8_t {
  kFullyConnectedInt8 = 1,
  kLookupInt8 = 2,  // RELU, RELU6, LOGISTIC, TANH, QUANTIZE from int8 to int8
  kFullyConnectedFloat32 = 3,
  kUnaryFloat32 = 4,  // RELU, RELU6, LOGISTIC, TANH
  kQuantize = 5,      // float32 to int8
  kDequantize = 6,    // int8 to float32
};

enum class Activation : uint8_t {
  kNone = 0,
  kRelu = 1,
  kRelu6 = 2,
  kLogistic = 3,
  kTanh = 4,
};

struct NetHeader {
  uint16_t n_tensors = 0;
  uint16_t n_operators = 0;
  uint16_t input = 0;
  uint16_t taps[kTapCount] = {0, 0, 0};  // indexed by Tap
  uint32_t arena_bytes = 0;
  uint32_t blob_bytes = 0;
};

// The records are laid out as in the blob, so that a checked blob's are read where they lie.
struct TensorRecord {
  uint32_t arena_offset;
  uint16_t length;
  TensorType type;
  int8_t zero_point;
  float scale;
};

struct OperatorRecord {
  uint8_t kind;  // an OperatorKind once check_net_blob() has passed
  uint8_t activation;
  uint16_t input;
  uint16_t output;
  int8_t output_min;
  int8_t output_max;
  uint32_t weights_offset;
  uint32_t bias_offset;
  uint32_t multipliers_offset;
  uint16_t n_multipliers;
  uint16_t reserved;
};

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "A net blob is used in place: it is little-endian"
#endif
static_assert(sizeof(TensorRecord) == kTensorRecordBytes && offsetof(TensorRecord, length) == 4 &&
                  offsetof(TensorRecord, type) == 6 && offsetof(TensorRecord, zero_point) == 7 &&
                  offsetof(TensorRecord, scale) == 8,
              "a tensor record is the blob's 12 bytes");
static_assert(sizeof(OperatorRecord) == kOperatorRecordBytes &&
                  offsetof(OperatorRecord, input) == 2 && offsetof(OperatorRecord, output) == 4 &&
                  offsetof(OperatorRecord, output_min) == 6 &&
                  offsetof(OperatorRecord, output_max) == 7 &&
                  offsetof(OperatorRecord, weights_offset) == 8 &&
                  offsetof(OperatorRecord, bias_offset) == 12 &&
                  offsetof(OperatorRecord, multipliers_offset) == 16 &&
                  offsetof(OperatorRecord, n_multipliers) == 20 &&
                  offsetof(OperatorRecord, reserved) == 22,
              "an operator record is the blob's 24 bytes");

// The header alone, checked on its own, for a caller that must know how large an arena it takes:
// at most 64 MiB, whatever the bytes say.
Status read_net_header(const uint8_t* blob, uint32_t length, NetHeader* header, Refusal* refusal);

// Copies of records, wherever the blob begins.
TensorRecord tensor_record(const uint8_t* blob, uint32_t index);
OperatorRecord operator_record(const uint8_t* blob, const NetHeader& header, uint32_t index);

// Bytes of a tensor's values, and any number of bytes rounded up to a multiple of 4: what a tensor
// takes in the arena, and either side of a matrix of int8 weights in the blob.
uint32_t bytes_of_tensor(const TensorRecord& tensor);
inline uint32_t padded_to_word(uint32_t n_bytes) {
  return (n_bytes + 3u) & ~3u;
}

// Where the weight of a row and column lies, from the first byte of the matrix; n_in: its columns.
uint32_t place_of_weight(uint32_t row, uint32_t column, uint32_t n_in);

// That weight. weights: the matrix in the blob.
int8_t weight_at(const uint8_t* weights, uint32_t row, uint32_t column, uint32_t n_in);

// Where the records end and the data may begin.
uint32_t net_records_end(const NetHeader& header);

}  // namespace frozen
}  // namespace tinyol
