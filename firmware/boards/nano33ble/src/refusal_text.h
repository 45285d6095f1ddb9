// A refusal in words that a person can read.
#pragma once

#include <stdint.h>

#include "tinyol/server.h"
#include "tinyol/status.h"

namespace tinyol {
namespace nano33ble {

constexpr uint32_t kRefusalTextBytes = kMaxTextBytes + 1;

// "model refused: tflite schema: of another version (needed 3, found 4)", cut off at the end.
void describe(const char* what, const Refusal& refusal, char text[kRefusalTextBytes]);

}  // namespace nano33ble
}  // namespace tinyol
