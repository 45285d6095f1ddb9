// Counts the rules of the fine-tuned layer, 32 inputs and a bias to 40 outputs as in the shipped
// models, and the memory that it rehearses from.
#pragma once

#include <stdint.h>

namespace tinyol {
namespace emulator {

enum class TuningRule : uint8_t { kSgd, kNlms, kRls };

void count_fine_tuning(const char* name, TuningRule with);
void count_window_rehearsal();

}  // namespace emulator
}  // namespace tinyol
