#include "board_identity.h"

#include <Arduino.h>

#include "text_line.h"

namespace tinyol {
namespace nano33ble {

uint32_t make_boot_id(RandomPool* random) {
  uint32_t id = 0;
  random->draw(reinterpret_cast<uint8_t*>(&id), sizeof(id));
  return id != 0 ? id : 1;
}

void make_default_name(char name[kDefaultNameBytes]) {
  constexpr char kDigits[] = "0123456789abcdef";
  const uint32_t number = NRF_FICR->DEVICEADDR[0];
  TextLine line(name, kDefaultNameBytes);
  line.text("TinyOL-");
  for (int i = 3; i >= 0; --i) {
    const char digit[] = {kDigits[(number >> (4 * i)) & 15], '\0'};
    line.text(digit);
  }
}

}  // namespace nano33ble
}  // namespace tinyol
