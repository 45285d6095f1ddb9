// Gives check_tflite() a .tflite file cut off at every length, and then with random bytes changed:
// built with sanitizers, it must neither read outside the file nor compute what is undefined.
//
//   check_tflite MODEL.tflite CHANGED_COPIES
// prints what the device says of the model: "refused STATUS WHERE", or "needs BYTES accepted N":
// the arena, and how many of the changed copies it would run.
#include "tflm_net/check_tflite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <vector>

#include "tensorflow/lite/micro/micro_mutable_op_resolver.h"
#include "tflm_net/arena_need.h"
#include "tinyol/xorshift.h"

namespace {

using tinyol::Refusal;
using tinyol::Status;
using Resolver = tflite::MicroMutableOpResolver<8>;

Resolver all_operators() {
  Resolver resolver;
  resolver.AddFullyConnected();
  resolver.AddRelu();
  resolver.AddRelu6();
  resolver.AddLogistic();
  resolver.AddTanh();
  resolver.AddQuantize();
  resolver.AddDequantize();
  resolver.AddReshape();
  return resolver;
}

// In memory that ends where the model does.
Status check(const uint8_t* bytes, size_t length, tinyol::TfliteCounts* counts, Refusal* refusal) {
  static const Resolver resolver = all_operators();
  uint8_t* copy = static_cast<uint8_t*>(malloc(length));
  memcpy(copy, bytes, length);
  const Status status =
      tinyol::check_tflite(copy, static_cast<uint32_t>(length), resolver, counts, refusal);
  free(copy);
  return status;
}

bool is_accepted(const uint8_t* bytes, size_t length) {
  tinyol::TfliteCounts counts;
  return check(bytes, length, &counts, nullptr) == Status::kOk;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  FILE* file = fopen(argv[1], "rb");
  if (file == nullptr) return 2;
  std::vector<uint8_t> model(1 << 20);
  model.resize(fread(model.data(), 1, model.size(), file));
  fclose(file);
  tinyol::TfliteCounts counts;
  Refusal refusal;
  const Status status = check(model.data(), model.size(), &counts, &refusal);
  if (status != Status::kOk) {
    printf("refused %d %s\n", static_cast<int>(status), refusal.where);
    return 0;
  }
  // The list of outputs is the file's last: nothing may be missing.
  const size_t n_cuts = atoi(argv[2]) > 0 ? model.size() : 0;
  for (size_t length = 0; length < n_cuts; ++length) {
    if (is_accepted(model.data(), length)) return 1;
  }
  uint32_t random = tinyol::kXorshiftSeed, accepted = 0;
  for (int copies = atoi(argv[2]); copies > 0; --copies) {
    std::vector<uint8_t> changed = model;
    const uint32_t n_changes = 1 + tinyol::xorshift32(&random) % 3;
    for (uint32_t i = 0; i < n_changes; ++i) {
      const uint32_t place = tinyol::xorshift32(&random) % changed.size();
      // Small numbers and those near zero lead somewhere more often than any others.
      const uint32_t value = tinyol::xorshift32(&random);
      changed[place] = static_cast<uint8_t>(value & 256 ? value : changed[place] + value % 9 - 4);
    }
    accepted += is_accepted(changed.data(), changed.size());
  }
  printf("needs %u accepted %u\n", tinyol::tflm_arena_need(counts), accepted);
  return 0;
}
