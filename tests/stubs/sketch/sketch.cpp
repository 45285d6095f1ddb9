// Runs a sketch on lines of standard input, until they end:
//   > text    arrives on Serial, with a newline
//   . text    arrives on Serial as it is
//   numbers   the next sample of whichever sensor is read: x y z in g, or one analogue reading
#include <stdio.h>
#include <stdlib.h>

#include <deque>
#include <string>

#include "Arduino.h"
#include "Arduino_LSM9DS1.h"
#include "FlashIAP.h"

StubSerial Serial;
StubImu IMU;

namespace {

constexpr unsigned long kSampleUs = 8403;  // at 119 Hz
constexpr uint32_t kFlashStart = 0xF0000;
constexpr uint32_t kFlashBytes = 0x10000;
constexpr uint32_t kPageBytes = 4096;

unsigned long now_us = 0;
std::deque<char> received;
std::string sample;
uint8_t flash[kFlashBytes];

// Reads on until a sample is due; the program ends with its input.
void fill() {
  while (sample.empty()) {
    char line[256];
    if (fgets(line, sizeof(line), stdin) == nullptr) exit(0);
    if (line[0] == '>' || line[0] == '.') {
      std::string text(line + 2);
      if (line[0] == '.') text.pop_back();
      received.insert(received.end(), text.begin(), text.end());
      return;
    }
    sample = line;
  }
}

const char* flash_file() {
  const char* name = getenv("STUB_FLASH");
  if (name == nullptr) abort();
  return name;
}

bool outside(uint32_t address, uint32_t size) {
  return address < kFlashStart || size > kFlashBytes || address - kFlashStart > kFlashBytes - size;
}

void keep() {
  FILE* file = fopen(flash_file(), "wb");
  if (file == nullptr || fwrite(flash, 1, kFlashBytes, file) != kFlashBytes) abort();
  fclose(file);
}

}  // namespace

unsigned long millis() {
  return now_us / 1000;
}
unsigned long micros() {
  return now_us += 100;
}
void delay(unsigned long ms) {
  now_us += 1000 * ms;
}

int analogRead(uint8_t) {
  while (sample.empty()) fill();
  const int value = atoi(sample.c_str());
  sample.clear();
  return value;
}

void StubSerial::begin(unsigned long) {}
int StubSerial::available() {
  if (received.empty()) fill();
  return static_cast<int>(received.size());
}
int StubSerial::read() {
  if (available() == 0) return -1;
  const char c = received.front();
  received.pop_front();
  return static_cast<uint8_t>(c);
}
size_t StubSerial::print(const char* text) {
  return static_cast<size_t>(printf("%s", text));
}
size_t StubSerial::print(int value) {
  return static_cast<size_t>(printf("%d", value));
}
size_t StubSerial::print(unsigned int value) {
  return static_cast<size_t>(printf("%u", value));
}
size_t StubSerial::print(unsigned long value) {
  return static_cast<size_t>(printf("%lu", value));
}
size_t StubSerial::print(double value, int digits) {
  return static_cast<size_t>(printf("%.*f", digits, value));
}
size_t StubSerial::println() {
  return static_cast<size_t>(printf("\n"));
}

int StubImu::accelerationAvailable() {
  fill();
  return sample.empty() ? 0 : 1;
}
int StubImu::readAcceleration(float& x, float& y, float& z) {
  if (sscanf(sample.c_str(), "%f %f %f", &x, &y, &z) != 3) abort();
  sample.clear();
  now_us += kSampleUs;
  return 1;
}

int mbed::FlashIAP::init() {
  memset(flash, 0xFF, sizeof(flash));
  FILE* file = fopen(flash_file(), "rb");
  if (file == nullptr) return 0;
  const bool whole = fread(flash, 1, kFlashBytes, file) == kFlashBytes;
  fclose(file);
  return whole ? 0 : -1;
}
int mbed::FlashIAP::read(void* buffer, uint32_t address, uint32_t size) {
  if (outside(address, size)) return -1;
  memcpy(buffer, flash + (address - kFlashStart), size);
  return 0;
}
// A write only clears bits, in whole words.
int mbed::FlashIAP::program(const void* buffer, uint32_t address, uint32_t size) {
  if (outside(address, size) || address % 4 != 0 || size % 4 != 0) return -1;
  for (uint32_t i = 0; i < size; ++i) {
    flash[address - kFlashStart + i] &= static_cast<const uint8_t*>(buffer)[i];
  }
  keep();
  return 0;
}
int mbed::FlashIAP::erase(uint32_t address, uint32_t size) {
  if (outside(address, size) || address % kPageBytes != 0 || size % kPageBytes != 0) return -1;
  memset(flash + (address - kFlashStart), 0xFF, size);
  keep();
  return 0;
}

int main() {
  setup();
  for (;;) loop();
}
