// Fuzz target: frozen nets whose bytes do not come from the project's own tools. A net blob that is
// accepted must run, inside its arena, to outputs that depend on nothing but its input; a .tflite
// that the door lets in must stay within the limits that it is promised to have.
//
//   u8 what: bit 0 a .tflite for TFLM, else a net blob; bit 1 the blob's magic, version and length
//   stay as they are; bits 2-7 what the input tensor holds
//   then the file
#include <string.h>

#include <string>

#include "check.h"
#include "frozen/blob_net.h"
#include "fuzz_input.h"
#include "kept_models.h"
#include "tensorflow/lite/micro/micro_mutable_op_resolver.h"
#include "tflm_net/arena_need.h"
#include "tflm_net/check_tflite.h"

namespace {

using tinyol::Refusal;
using tinyol::Status;
using tinyol::Tap;
using tinyol::TensorType;
using tinyol::TensorView;
using tinyol::frozen::BlobNet;
using tinyol::fuzz::AlignedBytes;

constexpr uint32_t kMostArenaBytes = 1 << 20;
constexpr uint32_t kMostSteps = 1 << 24;  // of all layers: more would only take time

uint32_t bytes_of(const TensorView& view) {
  return view.length * (view.type == TensorType::kInt8 ? 1u : 4u);
}

void check_inside(const TensorView& view, const AlignedBytes& arena, const uint8_t* from) {
  const uint8_t* at = static_cast<const uint8_t*>(view.data);
  FUZZ_CHECK(view.length > 0 && at >= from && at + bytes_of(view) <= from + arena.length());
  FUZZ_CHECK(view.scale > 0.0f && view.scale <= tinyol::frozen::kMaxTensorScale);
  FUZZ_CHECK(view.zero_point >= -128 && view.zero_point <= 127);
}

uint32_t steps_of(const uint8_t* blob, const tinyol::frozen::NetHeader& header) {
  using tinyol::frozen::tensor_record;
  uint32_t steps = 0;
  for (uint32_t i = 0; i < header.n_operators && steps < kMostSteps; ++i) {
    const tinyol::frozen::OperatorRecord op = operator_record(blob, header, i);
    steps += static_cast<uint32_t>(tensor_record(blob, op.input).length) / 4 *
             tensor_record(blob, op.output).length / 4;
  }
  return steps;
}

// Fills the input and runs the net; what it wrote to the tap.
std::string run(BlobNet* net, AlignedBytes* arena, uint8_t dirt, uint8_t fill) {
  memset(arena->data(), dirt, arena->length());
  const TensorView input = net->input();
  uint8_t* to = static_cast<uint8_t*>(input.data);
  for (uint32_t i = 0; i < input.length; ++i) {
    const float value = (static_cast<float>((fill + 37 * i) % 64) - 32.0f) * input.scale;
    if (input.type == TensorType::kInt8) {
      to[i] = static_cast<uint8_t>(4 * fill + 37 * i);
    } else {
      memcpy(to + 4 * i, &value, 4);
    }
  }
  const std::string given(reinterpret_cast<char*>(to), bytes_of(input));
  FUZZ_CHECK(net->invoke());
  FUZZ_CHECK(given == std::string(reinterpret_cast<char*>(to), bytes_of(input)));
  std::string written;
  for (int tap = 0; tap < tinyol::kTapCount; ++tap) {
    const TensorView view = net->output(static_cast<Tap>(tap));
    written.append(static_cast<const char*>(view.data), bytes_of(view));
  }
  return written;
}

void try_blob(AlignedBytes* blob, bool as_it_is, uint8_t fill) {
  const uint32_t n = blob->length();
  if (!as_it_is && n >= tinyol::frozen::kNetHeaderBytes) {
    memcpy(blob->data(), "TOLN\2\0", 6);
    memcpy(blob->data() + 24, &n, 4);
  }
  Refusal refusal;
  tinyol::frozen::NetHeader header;
  if (read_net_header(blob->data(), n, &header, &refusal) != Status::kOk) {
    FUZZ_CHECK(refusal.status != Status::kOk && refusal.where[0] != 0);
    return;
  }
  if (header.arena_bytes > kMostArenaBytes) return;
  AlignedBytes arena(header.arena_bytes);
  BlobNet net;
  const Status status = net.load(blob->data(), n, arena.data(), arena.length(), &refusal);
  if (status != Status::kOk) {
    FUZZ_CHECK(refusal.status == status && refusal.where[0] != 0);
    FUZZ_CHECK(net.input().data == nullptr && !net.invoke());
    return;
  }
  check_inside(net.input(), arena, arena.data());
  for (int tap = 0; tap < tinyol::kTapCount; ++tap) {
    check_inside(net.output(static_cast<Tap>(tap)), arena, arena.data());
  }
  if (steps_of(blob->data(), header) >= kMostSteps) return;
  // Whatever the arena held before.
  FUZZ_CHECK(run(&net, &arena, 0, fill) == run(&net, &arena, 0x40, fill));
}

void try_tflite(const AlignedBytes& model) {
  static const auto resolver = [] {
    tflite::MicroMutableOpResolver<8> all;
    all.AddFullyConnected();
    all.AddRelu();
    all.AddRelu6();
    all.AddLogistic();
    all.AddTanh();
    all.AddQuantize();
    all.AddDequantize();
    all.AddReshape();
    return all;
  }();
  tinyol::TfliteCounts counts;
  Refusal refusal;
  const AlignedBytes& m = model;
  const Status status = tinyol::check_tflite(const_cast<AlignedBytes&>(m).data(), m.length(),
                                             resolver, &counts, &refusal);
  if (status != Status::kOk) {
    FUZZ_CHECK(refusal.status == status && refusal.where[0] != 0);
    FUZZ_CHECK(memchr(refusal.where, 0, sizeof(refusal.where)) != nullptr);
    return;
  }
  FUZZ_CHECK(counts.n_tensors <= tinyol::kMaxTfliteTensors);
  FUZZ_CHECK(counts.n_operators <= tinyol::kMaxTfliteOperators);
  FUZZ_CHECK(counts.n_computed <= counts.n_tensors);
  FUZZ_CHECK(tinyol::tflm_arena_need(counts) > counts.computed_bytes);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t length) {
  tinyol::fuzz::FuzzInput input(data, length);
  const uint8_t header = input.u8();
  uint32_t n;
  const uint8_t* bytes = input.bytes(static_cast<uint32_t>(length), &n);
  AlignedBytes file(n);  // exactly as long, so that a byte too far is noticed
  if (n > 0) memcpy(file.data(), bytes, n);
  if ((header & 1) != 0) {
    try_tflite(file);
  } else {
    try_blob(&file, (header & 2) != 0, header >> 2);
  }
  return 0;
}
