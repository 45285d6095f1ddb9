#include "instruction_cache.h"

#include <Arduino.h>

namespace tinyol {
namespace nano33ble {

void cache_instructions() {
  NRF_NVMC->ICACHECNF = NVMC_ICACHECNF_CACHEEN_Msk;
}

}  // namespace nano33ble
}  // namespace tinyol
