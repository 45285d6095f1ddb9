#include "tinyol/restore.h"

namespace tinyol {

Status restore(const StateStore& store, Device* device, uint8_t* staging, uint32_t staging_bytes,
               Refusal* refusal) {
  uint32_t length = 0;
  const Status status = store.load(staging, staging_bytes, &length, refusal);
  return status == Status::kOk ? device->import_state(staging, length, refusal) : status;
}

}  // namespace tinyol
