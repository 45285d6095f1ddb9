// Behind the stubs: the flash. Its bytes are the test's, so that they outlive a board.
#include <FlashIAP.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "Arduino.h"
#include "stub_board.h"

StubFlashController stub_flash_controller;

namespace {

constexpr uint32_t kBegin = 0xF0000;
constexpr uint32_t kEnd = 0x100000;
constexpr uint32_t kPageBytes = 4096;
constexpr uint32_t kEraseMs = 85;
constexpr uint32_t kWordUs = 41;
constexpr uint32_t kNever = 0xFFFFFFFF;

uint8_t own_bytes[kEnd - kBegin];
uint8_t* bytes = nullptr;
bool works = true;
uint32_t operations_left = kNever;

void misused_if(bool misused, const char* how) {
  if (!misused) return;
  fprintf(stderr, "flash misused: %s\n", how);
  abort();
}

uint8_t* at(uint32_t address, uint32_t size) {
  misused_if(address < kBegin || address > kEnd || size > kEnd - address, "outside of the region");
  if (bytes == nullptr) {
    memset(own_bytes, 0xFF, sizeof(own_bytes));
    bytes = own_bytes;
  }
  return bytes + (address - kBegin);
}

// True if the power ends in the middle of this erase, or of this word's write.
bool power_ends() {
  return operations_left != kNever && operations_left-- == 0;
}

}  // namespace

namespace mbed {

int FlashIAP::init() {
  started_ = works;
  return works ? 0 : -1;
}

int FlashIAP::read(void* buffer, uint32_t addr, uint32_t size) {
  misused_if(!started_, "read before init");
  memcpy(buffer, at(addr, size), size);
  return 0;
}

int FlashIAP::program(const void* buffer, uint32_t addr, uint32_t size) {
  misused_if(!started_, "written before init");
  misused_if(addr % 4 != 0 || size % 4 != 0, "half a word written");
  uint8_t* to = at(addr, size);
  const uint8_t* from = static_cast<const uint8_t*>(buffer);
  for (uint32_t i = 0; i < size; i += 4) {
    uint32_t was = 0;
    uint32_t word = 0;
    memcpy(&was, to + i, 4);
    memcpy(&word, from + i, 4);
    misused_if(was != 0xFFFFFFFF, "a word written twice");
    const bool torn = power_ends();
    if (torn) word |= 0x5A5A5A5A;  // some of its bits are not cleared
    memcpy(to + i, &word, 4);
    delayMicroseconds(kWordUs);
    if (torn) NVIC_SystemReset();
  }
  return 0;
}

int FlashIAP::erase(uint32_t addr, uint32_t size) {
  misused_if(!started_, "erased before init");
  misused_if(addr % kPageBytes != 0 || size % kPageBytes != 0, "part of a page erased");
  uint8_t* to = at(addr, size);
  for (uint32_t i = 0; i < size; i += kPageBytes) {
    const bool torn = power_ends();
    for (uint32_t j = 0; j < kPageBytes; ++j) {
      to[i + j] = torn ? static_cast<uint8_t>(to[i + j] | (j * 37)) : 0xFF;
    }
    delay(kEraseMs);
    if (torn) NVIC_SystemReset();
  }
  return 0;
}

uint32_t FlashIAP::get_sector_size(uint32_t) const {
  return kPageBytes;
}
uint32_t FlashIAP::get_flash_start() const {
  return 0;
}
uint32_t FlashIAP::get_flash_size() const {
  return kEnd;
}
uint32_t FlashIAP::get_page_size() const {
  return 4;
}

}  // namespace mbed

int stub_instructions_cached(void) {
  return stub_flash_controller.ICACHECNF == NVMC_ICACHECNF_CACHEEN_Msk;
}

void stub_flash(uint8_t* kept) {
  bytes = kept;
}
void stub_flash_cut(uint32_t operations) {
  operations_left = operations;
}
void stub_flash_fails(int fails) {
  works = fails == 0;
}
