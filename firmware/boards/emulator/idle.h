// Sleeping until there is something to do, so that an idle board costs its host nothing.
#pragma once

namespace tinyol {
namespace emulator {

void idle_begin();

// Returns when a byte is there, at the latest after kWakeMs (timer.h).
void idle();

}  // namespace emulator
}  // namespace tinyol
