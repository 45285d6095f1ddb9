// Behind the stubs: the chip's generator of noise. It belongs to the radio once that has started.
#include <stdio.h>
#include <stdlib.h>

#include "../../../firmware/boards/nano33ble/src/noise_test.h"
#include "Arduino.h"
#include "stub_board.h"

namespace {

constexpr int kPolls = 3;  // until a byte is there
enum Kind { kNoise, kSilent, kStuck, kBiased, kBreaksOff, kRepeatsOnce };

int kind = kNoise;
uint64_t state = 1;
bool running = false;
bool ready = false;
int polls = 0;
uint32_t given = 0;

void not_beside_the_radio() {
  if (!stub_radio_started()) return;
  fprintf(stderr, "noise misused: the generator is the radio's\n");
  abort();
}

// splitmix64
uint8_t noise() {
  uint64_t z = state += 0x9E3779B97F4A7C15u;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return static_cast<uint8_t>((z ^ (z >> 31)) >> 56);
}

uint8_t next_byte() {
  const uint32_t n = given++;
  const uint8_t byte = noise();
  if (kind == kStuck || (kind == kBiased && n % 8 == 0)) return 0x5A;
  if (kind == kRepeatsOnce && n >= 700 && n < 706) return 0x5A;
  return byte;
}

bool is_silent() {
  return !running || kind == kSilent || (kind == kBreaksOff && given >= 1000);
}

}  // namespace

StubRandom stub_random = {{true}, {false}, {}, 0, 0};

void StubNoiseTask::operator=(uint32_t) {
  not_beside_the_radio();
  running = starts;
}

void StubNoiseEvent::operator=(uint32_t) {
  not_beside_the_radio();
  ready = false;
  polls = 0;
}

StubNoiseEvent::operator uint32_t() {
  not_beside_the_radio();
  if (!ready && !is_silent() && ++polls >= kPolls) {
    stub_random.VALUE = next_byte();
    ready = true;
  }
  return ready ? 1 : 0;
}

void stub_noise(int new_kind, uint32_t seed) {
  kind = new_kind;
  state = seed;
}
uint32_t stub_noise_bytes() {
  return given;
}
uint32_t stub_noise_left_as() {
  return (running ? 1u : 0u) | (stub_random.CONFIG != 0 ? 2u : 0u);
}
int stub_noise_passes(const uint8_t* bytes, uint32_t length) {
  tinyol::nano33ble::NoiseTest test;
  for (uint32_t i = 0; i < length; ++i) test.push(bytes[i]);
  return test.passed() ? 1 : 0;
}
