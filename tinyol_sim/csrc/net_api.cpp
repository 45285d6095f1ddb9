#include "net_api.h"

#include <string.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "float_mode.h"
#include "frozen/blob_net.h"
#include "frozen/simd_x86.h"
#include "refusal.h"

using tinyol::Status;
using tinyol::Tap;
using tinyol::TensorView;

struct tinyol_net {
  std::vector<uint32_t> blob;  // words, since the net reads them as such
  std::vector<uint32_t> arena;
  tinyol::frozen::BlobNet net;

  TensorView tensor(int which) {
    return which == 0 ? net.input() : net.output(static_cast<Tap>(which - 1));
  }
};

namespace {

size_t row_bytes(const TensorView& view) {
  return view.length * (view.type == tinyol::TensorType::kFloat32 ? sizeof(float) : 1);
}

Status load(tinyol_net* net, uint32_t length, uint32_t arena_bytes, tinyol::Refusal* refusal) {
  const uint8_t* blob = reinterpret_cast<const uint8_t*>(net->blob.data());
  tinyol::frozen::NetHeader header;
  const Status status = tinyol::frozen::read_net_header(blob, length, &header, refusal);
  if (status != Status::kOk) return status;
  const uint32_t n_words = std::min(arena_bytes, header.arena_bytes) / 4;
  net->arena.assign(n_words, 0);
  return net->net.load(blob, length, reinterpret_cast<uint8_t*>(net->arena.data()), 4 * n_words,
                       refusal);
}

}  // namespace

extern "C" {

tinyol_net* tinyol_net_new(const uint8_t* blob, uint32_t length, uint32_t arena_bytes,
                           tinyol_refusal* refusal) {
  const tinyol::FloatMode mode;
  auto net = std::make_unique<tinyol_net>();
  net->blob.resize((length + 3) / 4);
  if (length > 0) memcpy(net->blob.data(), blob, length);
  tinyol::Refusal why;
  const Status status = load(net.get(), length, arena_bytes, &why);
  return tinyol::report(status, why, refusal) == 0 ? net.release() : nullptr;
}

void tinyol_net_free(tinyol_net* net) {
  delete net;
}

uint32_t tinyol_net_arena_bytes(const tinyol_net* net) {
  return static_cast<uint32_t>(4 * net->arena.size());
}

tinyol_net_tensor tinyol_net_describe(tinyol_net* net, int which) {
  const TensorView view = net->tensor(which);
  return {view.length, static_cast<int32_t>(view.type), view.scale, view.zero_point};
}

int tinyol_net_run_batch(tinyol_net* net, const void* inputs, uint32_t n, void* embedding,
                         void* hidden, void* reconstruction) {
  const tinyol::FloatMode mode;
  void* const taps[tinyol::kTapCount] = {embedding, hidden, reconstruction};
  const TensorView input = net->tensor(0);
  for (uint32_t row = 0; row < n; ++row) {
    memcpy(input.data, static_cast<const uint8_t*>(inputs) + row * row_bytes(input),
           row_bytes(input));
    if (!net->net.invoke()) return static_cast<int>(Status::kNoModel);
    for (int tap = 0; tap < tinyol::kTapCount; ++tap) {
      if (taps[tap] == nullptr) continue;
      const TensorView view = net->tensor(tap + 1);
      memcpy(static_cast<uint8_t*>(taps[tap]) + row * row_bytes(view), view.data, row_bytes(view));
    }
  }
  return 0;
}

int tinyol_simd_path(void) {
  return static_cast<int>(tinyol::frozen::simd_path());
}

int tinyol_set_simd_path(int path) {
  return tinyol::frozen::set_simd_path(static_cast<tinyol::frozen::SimdPath>(path)) ? 1 : 0;
}

}  // extern "C"
