#include "linked_model.h"

#include "model_data.h"

namespace tinyol {
namespace nano33ble {

Status LinkedModel::load(Refusal* refusal) {
  Status status = model.parse(kModelImage, kModelImageBytes, refusal);
  if (status != Status::kOk) return status;
  status = net.load(model.net, model.net_bytes, model_arena, kModelArenaBytes, refusal);
  if (status != Status::kOk) return status;
  return device.load(model, &net, refusal);
}

}  // namespace nano33ble
}  // namespace tinyol
