#include "tinyol/secret_bytes.h"

namespace tinyol {

bool same_bytes(const uint8_t* a, const uint8_t* b, uint32_t length) {
  volatile uint8_t difference = 0;  // else a compiler may stop at the first one
  for (uint32_t i = 0; i < length; ++i) difference = difference | (a[i] ^ b[i]);
  return difference == 0;
}

void wipe(void* bytes, uint32_t length) {
  volatile uint8_t* at = static_cast<volatile uint8_t*>(bytes);
  for (uint32_t i = 0; i < length; ++i) at[i] = 0;
}

}  // namespace tinyol
