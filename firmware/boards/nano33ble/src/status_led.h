// What the board's RGB LED says, the most urgent first:
//   locate       white, six times a second    somebody asked which board this is
//   fault        red, four times a second     no sensor, no radio, or no model
//   alarm        red, steady                  the machine does not run as it does when all is well
//   unknown      magenta, twice a second      no class that it was taught explains what it does
//   learning     yellow, once a second        a label holds, fine-tuning or calibrating goes on
//   connected    blue, steady                 somebody is at the other end
//   advertising  blue, a flash every 2 s      alone, and well
#pragma once

#include <stdint.h>

namespace tinyol {
namespace nano33ble {

enum class LedState : uint8_t {
  kAdvertising,
  kConnected,
  kLearning,
  kUnknown,
  kAlarm,
  kFault,
  kLocate,
};

struct BoardStatus {
  bool locating = false;
  bool fault = false;
  bool alarm = false;
  bool unknown = false;
  bool learning = false;
  bool connected = false;
};

struct LedColour {
  bool red;
  bool green;
  bool blue;
};

LedState led_state(const BoardStatus& status);

// What is lit at a time; every pattern begins lit. Times may wrap.
LedColour led_colour(LedState state, uint32_t now_ms);

// The pins. The LEDs are lit by a low level.
void led_begin();
void led_show(LedColour colour);

}  // namespace nano33ble
}  // namespace tinyol
