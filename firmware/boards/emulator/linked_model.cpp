#include "linked_model.h"

#include "notice.h"

extern "C" {
// model.S
extern const uint8_t tinyol_model_begin[];
extern const uint8_t tinyol_model_end[];
extern uint8_t tinyol_arena_begin[];
extern uint8_t tinyol_arena_end[];
}

namespace tinyol {
namespace emulator {

namespace {

Status load(LinkedModel* linked, Refusal* refusal) {
  const uint32_t length = static_cast<uint32_t>(tinyol_model_end - tinyol_model_begin);
  Status status = linked->model.parse(tinyol_model_begin, length, refusal);
  if (status != Status::kOk) return status;
  linked->arena_bytes = static_cast<uint32_t>(tinyol_arena_end - tinyol_arena_begin);
  status = linked->net.load(linked->model.net, linked->model.net_bytes, tinyol_arena_begin,
                            linked->arena_bytes, refusal);
  if (status != Status::kOk) return status;
  return linked->device.load(linked->model, &linked->net, refusal);
}

}  // namespace

LinkedModel* load_linked_model() {
  static LinkedModel linked;
  Refusal refusal;
  if (load(&linked, &refusal) != Status::kOk) stop_refused(refusal);
  return &linked;
}

void stop_refused(const Refusal& refusal) {
  {
    Notice("REFUSED")
        .decimal(static_cast<int32_t>(refusal.status))
        .text(" ")
        .decimal(static_cast<int32_t>(refusal.need))
        .text(" ")
        .decimal(static_cast<int32_t>(refusal.have))
        .text(" ")
        .text(refusal.where);
  }
  for (;;) __asm volatile("wfi");
}

}  // namespace emulator
}  // namespace tinyol
