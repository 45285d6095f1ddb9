// Counts what watches the machine: the detectors, the drift monitor, the unknown events.
#pragma once

#include <stdint.h>

namespace tinyol {
namespace emulator {

void count_detector(const char* name, bool two_sided, uint32_t windows_before);
void count_drift();
// `unknown`: every window is, and one event goes on; else none.
void count_unknown(bool unknown, uint16_t features);

}  // namespace emulator
}  // namespace tinyol
