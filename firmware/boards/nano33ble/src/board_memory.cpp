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
    name_.begin(nullptr, default_name);
    return;
  }
  const uint32_t state_pages = flash_.n_pages() - kNamePages;
  state_part_.begin(&flash_, 0, state_pages);
  name_part_.begin(&flash_, state_pages, kNamePages);
  name_.begin(&name_part_, default_name);
}

void BoardMemory::restore(Device* device, uint8_t* staging, uint32_t staging_bytes) {
  if (!flash_works_ || !device->loaded()) return;
  Refusal refusal;
  const Status opened =
      store_.begin(&state_part_, device->model().id, device->max_image_bytes(), &refusal);
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
