// Builds the `where` of a Refusal of words and numbers: "tflite tensor 5". Cut off at its end.
#pragma once

#include <stdint.h>

#include "tinyol/status.h"

namespace tinyol {

class RefusedPlace {
 public:
  RefusedPlace& text(const char* text);
  RefusedPlace& number(uint32_t number);
  Status refuse(Refusal* refusal, Status status) const;

 private:
  void put(char character);

  char text_[sizeof(Refusal::where)] = {0};
  uint32_t length_ = 0;
};

}  // namespace tinyol
