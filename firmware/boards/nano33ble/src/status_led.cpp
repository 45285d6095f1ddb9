#include "status_led.h"

#include <Arduino.h>

#include <initializer_list>

namespace tinyol {
namespace nano33ble {
namespace {

struct Pattern {
  LedColour colour;
  uint16_t period_ms;
  uint16_t lit_ms;
};

// In the order of LedState.
constexpr Pattern kPatterns[] = {
    {{false, false, true}, 2000, 50},   {{false, false, true}, 1000, 1000},
    {{true, true, false}, 1000, 500},   {{true, false, true}, 500, 250},
    {{true, false, false}, 1000, 1000}, {{true, false, false}, 250, 125},
    {{true, true, true}, 160, 80},
};

}  // namespace

LedState led_state(const BoardStatus& status) {
  if (status.locating) return LedState::kLocate;
  if (status.fault) return LedState::kFault;
  if (status.alarm) return LedState::kAlarm;
  if (status.unknown) return LedState::kUnknown;
  if (status.learning) return LedState::kLearning;
  if (status.connected) return LedState::kConnected;
  return LedState::kAdvertising;
}

LedColour led_colour(LedState state, uint32_t now_ms) {
  const Pattern& pattern = kPatterns[static_cast<int>(state)];
  if (now_ms % pattern.period_ms < pattern.lit_ms) return pattern.colour;
  return {false, false, false};
}

void led_begin() {
  for (const uint8_t pin : {LEDR, LEDG, LEDB}) {
    digitalWrite(pin, HIGH);
    pinMode(pin, OUTPUT);
  }
}

void led_show(LedColour colour) {
  digitalWrite(LEDR, colour.red ? LOW : HIGH);
  digitalWrite(LEDG, colour.green ? LOW : HIGH);
  digitalWrite(LEDB, colour.blue ? LOW : HIGH);
}

}  // namespace nano33ble
}  // namespace tinyol
