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

  uint32_t n_operators() const { return blob_ != nullptr ? header_.n_operators : 0; }
  void invoke_operator(uint32_t index) { run(operator_record(blob_, header_, index)); }

 private:
  TensorView view(uint32_t tensor) const;
  void run(const OperatorRecord& op) const;

  const uint8_t* blob_ = nullptr;
  const TensorRecord* tensors_ = nullptr;      // in the blob
  const OperatorRecord* operators_ = nullptr;  // in the blob
  uint8_t* arena_ = nullptr;
  NetHeader header_;
};

}  // namespace frozen
}  // namespace tinyol
