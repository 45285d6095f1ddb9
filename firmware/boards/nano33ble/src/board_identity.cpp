#include "board_identity.h"

#include <Arduino.h>

#include "text_line.h"

namespace tinyol {
namespace nano33ble {
namespace {

constexpr uint32_t kMostPolls = 100000;  // a byte takes about 120 us with bias correction

uint8_t random_byte() {
  NRF_RNG->EVENTS_VALRDY = 0;
  for (uint32_t i = 0; i < kMostPolls && NRF_RNG->EVENTS_VALRDY == 0; ++i) {
  }
  return static_cast<uint8_t>(NRF_RNG->VALUE);
}

}  // namespace

uint32_t make_boot_id() {
  NRF_RNG->CONFIG = RNG_CONFIG_DERCEN_Msk;
  NRF_RNG->TASKS_START = 1;
  uint32_t id = 0;
  for (int i = 0; i < 4; ++i) id = id << 8 | random_byte();
  NRF_RNG->TASKS_STOP = 1;
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
