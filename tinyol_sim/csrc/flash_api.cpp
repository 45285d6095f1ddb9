#include "flash_api.h"

#include "nor_flash.h"

extern "C" {

tinyol_flash* tinyol_flash_new(uint32_t page_bytes, uint32_t n_pages) {
  return new tinyol_flash{{page_bytes, n_pages}};
}
void tinyol_flash_free(tinyol_flash* flash) {
  delete flash;
}
uint8_t* tinyol_flash_bytes(tinyol_flash* flash) {
  return flash->nor.content.data();
}
void tinyol_flash_cut_at(tinyol_flash* flash, uint32_t operation, uint32_t seed) {
  flash->nor.cut_at(operation, seed);
}
void tinyol_flash_power_on(tinyol_flash* flash) {
  flash->nor.power_on();
}
uint64_t tinyol_flash_operations(const tinyol_flash* flash) {
  return flash->nor.operations();
}
uint32_t tinyol_flash_erases(const tinyol_flash* flash, uint32_t page) {
  return flash->nor.erases[page];
}
void tinyol_flash_stick(tinyol_flash* flash, uint32_t offset, uint8_t bits) {
  flash->nor.stuck_low[offset] |= bits;
}

}  // extern "C"
