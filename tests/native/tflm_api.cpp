// A device whose frozen net is a TflmNet, on the stubs of TFLM (tests/stubs/tflm), for ctypes:
// tests/tflm_device.py.
#include <stdlib.h>
#include <string.h>

#include "frozen_choice.h"
#include "model_tflite.h"
#include "tflm_net/arena_need.h"
#include "tflm_net/check_tflite.h"
#include "tflm_net/tflm_net.h"
#include "tinyol/device.h"
#include "tinyol/net_self_test.h"

using tinyol::Refusal;
using tinyol::Status;

namespace {

tinyol::TflmNet net;
tinyol::Model model;
tinyol::Device device;
alignas(16) uint8_t tflite_bytes[1 << 20];
alignas(16) uint8_t image_bytes[1 << 20];
alignas(16) uint8_t arena[1 << 20];

int answer(Status status, const Refusal& from, Refusal* to) {
  *to = from;
  return static_cast<int>(status);
}

}  // namespace

extern "C" {

// `shift` moves the model or the arena from where it should begin.
int tflm_load(const uint8_t* tflite, uint32_t length, uint32_t arena_bytes, uint32_t shift,
              uint32_t arena_shift, Refusal* refusal) {
  memcpy(tflite_bytes + shift, tflite, length);
  Refusal found;
  const Status status = net.load(tflite_bytes + shift, length, tinyol::model_operators(),
                                 arena + arena_shift, arena_bytes, &found);
  return answer(status, found, refusal);
}

// The model that was compiled in, in its own arena.
int tflm_load_linked(Refusal* refusal) {
  Refusal found;
  const Status status =
      net.load(tinyol::kModelTflite, tinyol::kModelTfliteBytes, tinyol::model_operators(),
               tinyol::tflm_arena, tinyol::kTflmArenaBytes, &found);
  return answer(status, found, refusal);
}

uint32_t tflm_arena_used() {
  return net.arena_used();
}

// What the device says an arena needs; 0 where the model is refused.
uint32_t tflm_need(const uint8_t* tflite, uint32_t length) {
  memcpy(tflite_bytes, tflite, length);
  tinyol::TfliteCounts counts;
  const Status status =
      tinyol::check_tflite(tflite_bytes, length, *tinyol::model_operators(), &counts, nullptr);
  return status == Status::kOk ? tinyol::tflm_arena_need(counts) : 0;
}

int tflm_load_device(const uint8_t* image, uint32_t length, Refusal* refusal) {
  memcpy(image_bytes, image, length);
  Refusal found;
  Status status = model.parse(image_bytes, length, &found);
  if (status == Status::kOk) status = device.load(model, &net, &found);
  return answer(status, found, refusal);
}

// Expected and found.
void tflm_self_test(uint32_t crc[2]) {
  const tinyol::SelfTest test = tinyol::run_net_self_test(&net, model.golden);
  crc[0] = test.expected_crc;
  crc[1] = test.found_crc;
}

int tflm_add_class(const char* name) {
  uint16_t index;
  const uint32_t length = static_cast<uint32_t>(strlen(name));
  return static_cast<int>(device.add_class(name, length, &index, nullptr));
}

int tflm_label(int index) {
  return static_cast<int>(device.label(index, tinyol::kUntilStopped, nullptr));
}

int tflm_fine_tune() {
  return static_cast<int>(device.fine_tune(tinyol::kUntilStopped, nullptr));
}

// How many windows were completed.
uint32_t tflm_push(const float* samples, uint32_t n) {
  uint32_t windows = 0;
  tinyol::WindowResult result;
  for (uint32_t i = 0; i < n; ++i) windows += device.push_sample(samples + 3 * i, &result);
  return windows;
}

uint32_t tflm_state(uint8_t* out, uint32_t capacity) {
  return device.export_state(out, capacity);
}

}  // extern "C"
