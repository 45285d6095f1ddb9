// Runs a net blob (frozen/net_blob.h) in place: no copy of the weights, no heap, one arena for
// the tensors.
#pragma once

#include <stdint.h>

#include "frozen/net_blob.h"
#include "tinyol/frozen_net.h"
#include "tinyol/status.h"

namespace tinyol {
namespace frozen {

class BlobNet final : public FrozenNet {
 public:
  // Checks the whole blob and keeps both pointers, which must stay valid and begin at multiples
  // of 4. Fails with kTooSmall, where = "arena", need and have in bytes; with kBadValue for a
  // misaligned pointer; and with what check_net_blob() says. After a failure nothing is loaded.
  Status load(const uint8_t* blob, uint32_t length, uint8_t* arena, uint32_t arena_bytes,
              Refusal* refusal);

  // Views with data = nullptr and invoke() = false until load() has succeeded. invoke() keeps the
  // input's bytes; running it again gives the same outputs.
  TensorView input() override;
  TensorView output(Tap tap) override;
  bool invoke() override;

 private:
  TensorView view(uint32_t tensor) const;
  uint8_t* bytes_of(const TensorRecord& tensor) const { return arena_ + tensor.arena_offset; }
  void run(const OperatorRecord& op) const;

  const uint8_t* blob_ = nullptr;
  uint8_t* arena_ = nullptr;
  NetHeader header_;
};

}  // namespace frozen
}  // namespace tinyol
