#include "tinyol/fp_contract.h"

#include "machine.h"

#include "tinyol/xorshift.h"

namespace tinyol {
namespace endurance {
namespace {

struct Work {
  float size;      // of the vibration, g
  float noise;     // g
  uint32_t pitch;  // of a turn in a sample, times 2^32
};
constexpr Work kWork[] = {
    {0.05f, 0.010f, 0x0A000000u}, {0.12f, 0.015f, 0x1B000000u}, {0.25f, 0.020f, 0x33000000u},
    {0.45f, 0.030f, 0x59000000u}, {1.80f, 0.400f, 0x71000000u}, {0.003f, 0.001f, 0x05000000u},
};
constexpr float kGravity[3] = {0.1f, -0.2f, 0.97f};

// A triangle of height 1 over a turn: exact in float32 but for one rounding.
float triangle(uint32_t phase) {
  const uint32_t rise = phase < 0x80000000u ? phase : 0u - phase;
  return static_cast<float>(rise >> 8) * (1.0f / 4194304.0f) - 1.0f;
}

}  // namespace

float Machine::noise() {
  return static_cast<float>(xorshift32(&noise_) >> 8) * (1.0f / 8388608.0f) - 1.0f;
}

uint32_t Machine::draw(uint32_t n) {
  return draw_below(n, &plan_);
}

void Machine::sample(int state, float xyz[3]) {
  if (++age_ == kGainPeriod) age_ = 0;
  if (state == kDead) {
    for (int i = 0; i < 3; ++i) xyz[i] = kGravity[i];
    return;
  }
  const Work& work = kWork[state];
  const uint32_t half = kGainPeriod / 2;
  const uint32_t worn = age_ < half ? age_ : kGainPeriod - age_;
  const float gain = 0.9f + 0.2f * (static_cast<float>(worn) / static_cast<float>(half));
  phase_ += work.pitch + (xorshift32(&noise_) >> 6);
  const float wave = (gain * work.size) * triangle(phase_);
  xyz[0] = kGravity[0] + (0.3f * wave + work.noise * noise());
  xyz[1] = kGravity[1] + (0.5f * wave + work.noise * noise());
  xyz[2] = kGravity[2] + (wave + work.noise * noise());
}

}  // namespace endurance
}  // namespace tinyol
