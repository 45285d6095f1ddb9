#include "tflm_net/refused_place.h"

namespace tinyol {

void RefusedPlace::put(char character) {
  if (length_ + 1 < sizeof(text_)) text_[length_++] = character;
}

RefusedPlace& RefusedPlace::text(const char* text) {
  while (*text != '\0') put(*text++);
  return *this;
}

RefusedPlace& RefusedPlace::number(uint32_t number) {
  uint32_t place = 1;
  while (number / place >= 10) place *= 10;
  for (; place > 0; place /= 10) put(static_cast<char>('0' + number / place % 10));
  return *this;
}

Status RefusedPlace::refuse(Refusal* refusal, Status status) const {
  return tinyol::refuse(refusal, status, text_);
}

}  // namespace tinyol
