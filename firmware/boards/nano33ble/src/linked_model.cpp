#include "linked_model.h"

#include "model_data.h"
#if TINYOL_FROZEN_TFLM
#include "model_tflite.h"
#endif

namespace tinyol {
namespace nano33ble {
namespace {

#if TINYOL_FROZEN_TFLM

constexpr uint32_t kArenaBytes = kTflmArenaBytes;

Status load_net(const Model& /*model*/, LinkedNet* net, Refusal* refusal) {
  return net->load(kModelTflite, kModelTfliteBytes, model_operators(), tflm_arena, kTflmArenaBytes,
                   refusal);
}

uint32_t used(const LinkedNet& net) {
  return net.arena_used();
}

#else

constexpr uint32_t kArenaBytes = kModelArenaBytes;

Status load_net(const Model& model, LinkedNet* net, Refusal* refusal) {
  return net->load(model.net, model.net_bytes, model_arena, kModelArenaBytes, refusal);
}

// The arena is cut to the net's measure.
uint32_t used(const LinkedNet& /*net*/) {
  return kModelArenaBytes;
}

#endif

}  // namespace

Status LinkedModel::load(Refusal* refusal) {
  Status status = model.parse(kModelImage, kModelImageBytes, refusal);
  if (status != Status::kOk) return status;
  status = load_net(model, &net, refusal);
  if (status != Status::kOk) return status;
  return device.load(model, &net, refusal);
}

uint32_t LinkedModel::arena_bytes() const {
  return kArenaBytes;
}

uint32_t LinkedModel::arena_used() const {
  return device.loaded() ? used(net) : 0;
}

}  // namespace nano33ble
}  // namespace tinyol
