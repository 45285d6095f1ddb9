#include "board_memory.h"

#include "tinyol/restore.h"

namespace tinyol {
namespace nano33ble {

void BoardMemory::begin(const char* default_name) {
  flash_works_ = flash_.begin();
  if (!flash_works_) {
    Refusal refusal;
    refuse(&refusal, Status::kFlash, "flash");
    describe("nothing is saved", refusal, trouble_);
    key_.begin(nullptr);
    name_.begin(nullptr, default_name);
    return;
  }
  region_.begin(&flash_);
  key_.begin(&region_.key);
  name_.begin(&region_.name, default_name);
}

void BoardMemory::restore(Device* device, uint8_t* staging, uint32_t staging_bytes) {
  if (!flash_works_ || !device->loaded()) return;
  Refusal refusal;
  const Status opened =
      store_.begin(&region_.learned, device->model().id, device->max_image_bytes(), &refusal);
  store_works_ = opened == Status::kOk;
  if (!store_works_) {
    describe("nothing is saved", refusal, trouble_);
    return;
  }
  const Status restored = tinyol::restore(store_, device, staging, staging_bytes, &refusal);
  if (restored != Status::kOk && restored != Status::kNotFound) {
    describe("what was saved cannot be used", refusal, trouble_);
  }
}

}  // namespace nano33ble
}  // namespace tinyol
